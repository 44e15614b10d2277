-- A network has run for a while; then one more node appears that knows a few of it, and has to catch up with all that was
-- mined before its time, while new blocks keep coming.
scenario {
  name = "late-joiner",
  about = "A node joins a network with hundreds of blocks and catches up in seconds; the others do not feel it.",
  duration = 900,
  params = { nodes = 30, blocks = 300, block_interval = 1, latency = 80 },
}

-- How far behind the highest of the group its lowest is.
local function spread(group)
  local low, high
  group:each(function(node)
    local height = node:height()
    low, high = math.min(low or height, height), math.max(high or height, height)
  end)
  return high - low
end

function run(net, p)
  net:links { latency = uniform(p.latency / 2 * ms, p.latency * 2 * ms) }
  net:watch_blocks()
  local old = net:spawn(p.nodes, { seeds = 6, miners = 5, block_interval = p.block_interval })
  wait("the network has its blocks", 2 * p.blocks * p.block_interval, function()
    return old[1]:height() >= p.blocks
  end)

  -- A block takes some hops of at most 0.16 s: even in a fork nobody is more than a few blocks behind.
  always("the old nodes stay together", function()
    local apart = spread(old)
    return apart <= 5, apart
  end)
  local links = net:stats().links
  local joined = now()
  local new = net:spawn(1, { seeds = 4, seeds_from = old })[1]
  wait("the new node has what was there when it came", 10, function()
    return (new:height() or 0) >= p.blocks, new:height()
  end)
  metric("caught_up_s", now() - joined)
  check(net:stats().links > links, "it has links of its own")

  -- From here on it is one of them: blocks reach it as fast as anybody.
  sleep(60)
  local fresh, late = {}, {}
  for _, block in ipairs(net:blocks(new)) do
    if block.found > joined + 20 and block.found < now() - 5 then
      table.insert(block.arrivals[1] and fresh or late, block.arrivals[1] or block.hash)
    end
  end
  check(#fresh > 0 and #late == 0, "every later block reaches the new node", #late .. " did not")
  check(percentile(fresh, 100) < 2, "within 2 s", percentile(fresh, 100))
  metric("arrival_p50_s", percentile(fresh, 50))

  old:slice(1, 5):each(function(node) node:mine_every(0) end)
  sleep(5)
  old[1]:mine() -- settles a tie between two last blocks
  wait("all agree, the new one among them", 30, function() return net:one_tip() end)
end
