-- Links that break in every way there is: resets, half-open and forgotten links, hosts that nobody can reach or that
-- reach nobody, one-way cuts, power cuts, deliveries that overtake, and a few ways that change bytes. The network goes
-- on while it happens, and is whole soon after.
scenario {
  name = "link-trouble",
  about = "Resets, half-open links, black holes, one-way cuts, changed bytes: the network stays one and heals.",
  duration = 2400,
  params = { nodes = 30, miners = 6, block_interval = 10, tx_rate = 2, minutes = 8, interval = 6, bad_ways = 3 },
  swarm = { -- what breaks links here goes without some of its ways; on top of it come crashes and wrong clocks
    params = { nodes = uniform(20, 40), miners = uniform(2, 8), interval = uniform(4, 12), bad_ways = { 0, 3 } },
    faults = {
      "kill", "pause", "skew", partition = { inject = false }, blackhole = { inject = false }, flap = { inject = false },
      degrade = { inject = false }, reset_links = { inject = false }, half_open = { inject = false },
      forget_links = { inject = false },
    },
    from = 60, lasting = 420,
  },
}

local function others(g, node)
  local rest = {}
  for i = 1, #g do
    if g[i]:id() ~= node:id() then rest[#rest + 1] = g[i] end
  end
  return rest
end

-- One thing that goes wrong; nothing of it lasts longer than two minutes.
local function trouble(net, g)
  local a = g[math.random(#g)]
  local rest = others(g, a)
  local b, some = rest[math.random(#rest)], {}
  for i = 1, 5 do some[i] = rest[math.random(#rest)] end
  local kinds = {
    function() net:reset_links(a, some) end,
    function() net:half_open(a, rest) end,
    function() net:half_open(some, a) end,
    function() net:forget_links(a, some) end,
    function() net:blackhole(a, { lasting = math.random(5, 120) }) end,
    function() net:blackhole(a, { one_way = true, lasting = math.random(5, 120) }) end,
    function() net:partition(a, some, { one_way = true, lasting = math.random(5, 120) }) end,
    function() net:flap(a, some, { every = 20, down = 4, lasting = 100 }) end,
    function() net:degrade(a, b, { loss = 0.2, latency = 0.5, lasting = 60 }) end,
    function()
      if a:alive() then
        a:kill { silently = math.random(2) == 1 }
        sleep(math.random(1, 90))
        a:restart()
      end
    end,
  }
  kinds[math.random(#kinds)]()
end

function run(net, p)
  net:links {
    latency = uniform(20 * ms, 120 * ms), jitter = exponential(5 * ms),
    reorder = 0.05, reorder_by = exponential(100 * ms),
  }
  local g = net:spawn(p.nodes, { seeds = 8, miners = p.miners, block_interval = p.block_interval })
  wait("the network has formed", 120, function()
    return net:one_tip(g) and g[1]:height() > 1
  end)

  -- A few ways change bytes in one of 50 deliveries. Whoever gets them may well ban an honest peer: that is the one thing
  -- that the standing invariant excuses, for these pairs alone.
  for i = 1, p.bad_ways do
    net:degrade(g[2 * i - 1], g[2 * i], { corrupt = 0.02, duplicate = 0.01, lasting = p.minutes * 60 })
  end

  local traffic = every(1 / p.tx_rate, function()
    local node = g[math.random(#g)]
    if node:alive() then node:submit_tx {} end
  end)
  local breaking = every(p.interval, function() trouble(net, g) end)
  local before = g[7]:height()
  sleep(p.minutes * minutes)
  breaking:stop()
  traffic:stop()
  sleep(125) -- what lasts is over, and every node is back

  check(g:all(function(node) return node:alive() end), "every node is back")
  wait("every node has links again", 300, function()
    return g:all(function(node) return node:ready() >= 3, node:id() .. ": " .. node:ready() end)
  end)
  wait("all nodes agree on one chain", 300, function()
    return net:one_tip(g), net:tips(g) .. " tips"
  end)
  local blocks = g[7]:height() - before
  check(blocks * p.block_interval > p.minutes * 60 / 3, "blocks went on at more than a third of their rate", blocks)
  metric("blocks", blocks)
end
