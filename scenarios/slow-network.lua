-- Homes behind slow lines: 1 to 20 Mbit/s up, routers that queue for seconds, loss, links that flap and lines that
-- collapse for a while. Blocks and transactions are late, but they reach everyone, and nobody is punished for it.
scenario {
  name = "slow-network",
  about = "Home lines of 1-20 Mbit/s with deep queues and loss: late, but whole, and nobody is punished.",
  duration = 1800,
  params = { homes = 24, miners = 6, block_interval = 15, tx_rate = 3, data = 400, minutes = 6 },
}

local uplinks = { 20, 5, 2, 1 } -- Mbit/s; the line into a home is four times as fast

local function homes(net, p)
  local g, kinds = {}, {}
  local n = p.homes // #uplinks
  for i, rate in ipairs(uplinks) do
    kinds[i] = net:spawn(n, {
      seeds = n - 1, seeds_from = i > 1 and net:group(g) or nil, uplink = rate * mbit, downlink = 4 * rate * mbit,
      miners = (p.miners + #uplinks - i) // #uplinks, block_interval = p.block_interval * #uplinks,
    })
    kinds[i]:each(function(node) g[#g + 1] = node end)
  end
  return net:group(g), kinds
end

-- Each pair of homes has its own way: 15 to 150 ms, 0.1 to 2% of the segments lost, up to 30 ms of jitter.
local function ways(net, g)
  for i = 1, #g do
    for j = i + 1, #g do
      net:links(g[i], g[j], {
        latency = math.random(15, 150) * ms, jitter = exponential(math.random(1, 30) * ms),
        loss = math.random(1, 20) / 1000, queue = 256 * kB,
      })
    end
  end
end

function run(net, p)
  net:links { latency = uniform(15 * ms, 150 * ms), loss = 0.01, queue = 256 * kB }
  local g, kinds = homes(net, p)
  ways(net, g)
  wait("the network has formed", 240, function()
    return net:one_tip(g) and g[1]:height() > 1, net:tips(g) .. " tips"
  end)

  local ids, sent = {}, {}
  local traffic = every(1 / p.tx_rate, function()
    local id = g[math.random(#g)]:submit_tx { data = string.rep("x", p.data) }
    if id then ids[#ids + 1], sent[#sent + 1] = id, now() end
  end)

  -- How late is a transaction at the last home that gets it? A sample, looked at twice a second.
  local worst, known = 0, 0
  local watch = every(0.5, function()
    for i = known + 1, #ids do
      local everywhere = g:all(function(node) return node:has_tx(ids[i]) ~= nil end)
      if not everywhere then break end
      worst, known = math.max(worst, now() - sent[i]), i
    end
  end)

  -- What happens to lines: one of the slowest flaps all the time, others collapse now and then.
  local flapping = net:flap(kinds[#kinds][1], g, { every = 90, down = 6 })
  local trouble = every(40, function()
    local home = g[math.random(#g)]
    local what = math.random(4)
    if what == 1 then net:degrade(home, g, { bandwidth = 200 * kbit, queue_time = 2, lasting = 30 })
    elseif what == 2 then net:degrade(home, g, { loss = 0.08, lasting = 30 })
    elseif what == 3 then net:degrade(home, g, { latency = 0.6, jitter = exponential(0.2), lasting = 30 })
    else net:degrade(home, g, { reorder = 0.2, reorder_by = uniform(0, 0.5), lasting = 30 })
    end
  end)

  sleep(p.minutes * minutes)
  traffic:stop()
  trouble:stop()
  flapping:stop()

  wait("all homes agree on one chain", 300, function()
    return net:one_tip(g), net:tips(g) .. " tips"
  end)
  g:each(function(node) node:mine_every(0) end)
  wait("every transaction has reached every home", 300, function()
    return g:all(function(node)
      for _, id in ipairs(ids) do
        if node:has_tx(id) == nil then return false, node:id() .. " lacks one of " .. #ids end
      end
      return true
    end)
  end)
  watch:stop()
  local blocks = g[1]:height()
  check(blocks * p.block_interval > p.minutes * 60 / 3, "blocks went on at more than a third of their rate", blocks)
  check(worst < 60, "every transaction was everywhere within a minute", worst)
  metric("blocks", blocks)
  metric("transactions", #ids)
  metric("slowest_transaction_s", worst)
end
