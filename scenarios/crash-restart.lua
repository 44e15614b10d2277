-- Nodes crash at random while the chain grows and transactions flow; most come back with their disk, some
-- without, and some only stand still for a while. In the end all agree, and no block that a disk had
-- acknowledged is lost with its process.
scenario {
  name = "crash-restart",
  about = "Nodes crash or stand still and come back, some without their disk: one chain, nothing stored is lost.",
  duration = 1800,
  params = { nodes = 20, miners = 4, faults = 50, pauses = 0.3, lose_disk = 0.25, block_interval = 8, tx_rate = 2 },
  better = { transactions_lost = "less" },
}

function run(net, p)
  net:links { latency = uniform(20 * ms, 120 * ms), loss = 0.01 }
  local g = net:spawn(p.nodes, { seeds = 6, miners = p.miners, block_interval = p.block_interval })
  wait("the network has formed", 120, function()
    return net:one_tip(g) and g[1]:height() > 1
  end)

  local ids = {}
  local traffic = every(1 / p.tx_rate, function()
    local node = g[math.random(#g)]
    ids[#ids + 1] = node:alive() and node:submit_tx {} or nil
  end)

  -- A crash of a node whose disk has had a second for all that it shows, and its return.
  local back, fresh, forgot = 0, 0, nil
  local function crash(node)
    local height = node:height()
    sleep(1)
    node:kill()
    sleep(30 * math.random())
    local lose = math.random() < p.lose_disk
    node:restart { lose_disk = lose }
    sleep(50 * ms) -- the disk is read, and no peer has said anything yet
    if lose then
      fresh = fresh + 1
      check(node:height() <= 1, node:id() .. " begins again without its disk") -- a miner may have been quick
    else
      back = back + 1
      if node:height() < height then
        forgot = string.format("%s at %d, had %d", node:id(), node:height(), height)
      end
    end
  end

  -- A process that is stopped, for less or more than its peers wait for a sign of life.
  local paused = 0
  local function pause(node)
    paused = paused + 1
    node:pause()
    sleep(120 * math.random())
    node:resume()
  end

  local busy = {}
  for _ = 1, p.faults do
    sleep(5 + 10 * math.random())
    local node = g[math.random(#g)]
    local fault = math.random() < p.pauses and pause or crash
    if not busy[node:id()] then
      busy[node:id()] = true
      at(now(), function()
        fault(node)
        busy[node:id()] = nil
      end)
    end
  end
  sleep(130)
  traffic:stop()
  check(g:all(function(node) return node:alive() and not node:paused() end), "all are up again")
  check(not forgot, "who has its disk has all that was acknowledged", forgot)
  sometimes("one came back with its disk", back > 0)
  sometimes("one came back without", fresh > 0)
  sometimes("one stood still", paused > 0)
  wait("all nodes agree", 300, function()
    return net:one_tip(g), net:tips(g) .. " tips"
  end)
  wait("the miners' pools run dry", 300, function()
    return g:slice(1, p.miners):all(function(node) return node:mempool() == 0 end) and net:one_tip(g)
  end)

  -- What only nodes had that crashed may be gone.
  local gone = 0
  for _, id in ipairs(ids) do
    if g[1]:has_tx(id) ~= "block" then gone = gone + 1 end
  end
  metric("restarts", back + fresh)
  metric("pauses", paused)
  metric("transactions", #ids)
  metric("transactions_lost", gone)
  check(gone <= #ids / 20, "transactions outlive the nodes that took them", gone .. " of " .. #ids)
end
