-- Slow, failing, full, hanging, torn, lying and rotten disks, with crashes on top: no node is ever on a wrong
-- chain, none is punished for what its disk does, and all come back when the disks are good again.
scenario {
  name = "disk-trouble",
  about = "Disks that are slow, fail, hang, fill, tear, lie and rot under crashing nodes: never a wrong chain.",
  duration = 2400,
  params = { nodes = 20, miners = 4, rounds = 12, block_interval = 6, cached = 20, tx_rate = 1 },
}

local TROUBLE = {
  { name = "slow", disk = { latency = exponential(200 * ms), slow = 10 } },
  { name = "failing", disk = { fail = 0.5 } },
  { name = "never storing", disk = { fail_stores = 1 } },
  { name = "full", disk = { full = true } },
  { name = "hanging", disk = { hang = true } },
  { name = "torn", disk = { torn = 1, latency = uniform(1, 20) } },
  { name = "lying", disk = { lie = 5 } },
  { name = "rotten", disk = { corrupt = 0.05 } },
}

function run(net, p)
  net:links { latency = uniform(20 * ms, 100 * ms) }
  -- Only a few blocks stay in memory, so that disks are read all the time.
  local g = net:spawn(p.nodes, {
    seeds = 6, miners = p.miners, block_interval = p.block_interval, config = { cached_blocks = p.cached },
  })
  wait("the network has formed", 120, function()
    return net:one_tip(g) and g[1]:height() > 1
  end)
  local traffic = every(1 / p.tx_rate, function()
    local node = g[math.random(#g)]
    if node:alive() then node:submit_tx {} end
  end)

  -- The first two have good disks and never crash: their chain is what the others are held against.
  local bad, first = g:slice(3, #g), g[1]
  for round = 1, p.rounds do
    local before = first:height()
    bad:each(function(node)
      local trouble = TROUBLE[math.random(#TROUBLE)]
      node:disk(trouble.disk)
      sometimes("a disk was " .. trouble.name, true)
    end)
    sleep(20 + 20 * math.random())
    local victims = net:split(0.3, bad)
    victims:each(function(node) node:kill() end)
    sleep(5 + 30 * math.random())
    victims:each(function(node) node:restart() end)
    sleep(20)
    bad:each(function(node) node:disk "good" end)
    wait("round " .. round .. ": all agree when the disks are good", 200, function()
      return net:one_tip(g), net:tips(g) .. " tips"
    end)
    check(first:height() > before, "round " .. round .. ": the chain went on meanwhile")
  end
  traffic:stop()

  -- When the slowest disk is done, each holds the whole chain: all come back with it, by themselves.
  g:each(function(node) node:mine_every(0) end)
  sleep(25)
  wait("all have the last block", 60, function() return net:one_tip(g) end)
  sleep(1)
  local height, tip = first:height(), first:tip()
  local cut = net:partition(bad, g)
  bad:each(function(node) node:restart() end)
  sleep(1)
  local short
  bad:each(function(node)
    if node:block_hash(height) ~= tip then short = node:id() .. " has " .. node:height() .. " of " .. height end
  end)
  check(not short, "every disk holds the whole chain", short)
  cut:heal()
  metric("height", height)
end
