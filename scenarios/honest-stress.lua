-- Everything that befalls honest nodes at once: they die and come back, dial each other at the same time, sit
-- behind slow and lossy links with clocks that are wrong or jump, and pass on 1,000 transactions in one breath. That
-- none of them is ever penalised, banned or refused for it is the invariant that stands in every scenario; this one is
-- there to strain it. It also looks at what the strain cost each node in memory.
scenario {
  name = "honest-stress",
  about = "Churn, crossing dials, slow links, wrong clocks and 1,000 transactions at once: honest never punishes honest.",
  duration = 900,
  params = { nodes = 30, slow = 8, churn = 240, transactions = 1000, latency = 60, slow_latency = 400, loss = 0.02,
             skew = 600, jump = 1800 },
}

-- Nobody is banned or on probation at that node.
local function bears_no_grudge(node)
  if not node:alive() then return true end
  if node:info().banned > 0 then return false end
  for _, peer in ipairs(node:peers()) do
    if peer.score <= -50 then return false end
  end
  return true
end

function run(net, p)
  net:links { latency = uniform(p.latency / 2 * ms, p.latency * 2 * ms) }
  local g = net:spawn(p.nodes, { seeds = 5, miners = 4, block_interval = 15,
                                 config = { mine_max_txs = 500, mempool_max = 10000 } })
  local slow = g:slice(1, p.slow)
  net:links(slow, g, { latency = uniform(p.slow_latency * ms, 2 * p.slow_latency * ms), bandwidth = 512 * kbit,
                       loss = p.loss })
  -- Clocks that are wrong one way or the other; some jump there and back while the network runs.
  for i, node in ipairs(slow) do node:skew((i % 2 == 0 and 1 or -1) * p.skew) end
  local jumping = every(30, function()
    local node = g[math.random(p.slow + 1, #g)]
    if not node:alive() then return end
    node:skew((math.random(2) == 1 and 1 or -1) * p.jump)
    sleep(20)
    if node:alive() then node:skew(0) end
  end)
  wait("the network has formed", 120, function()
    return net:one_tip(g) and g[1]:height() > 1 and g:all(function(node) return node:ready() >= 3 end)
  end)

  -- Churn: every two seconds somebody dies and is back one to twenty seconds later, most with their disks. A miner that
  -- forgets what it had confirmed is as honest as any.
  local downs = 0
  local churn = every(2, function()
    local node = g[math.random(#g)]
    if not node:alive() then return end
    node:kill()
    downs = downs + 1
    sleep(1 + math.random() * 19)
    node:restart { lose_disk = math.random() < 0.2 }
  end)

  -- Dials that cross: two nodes let go of each other and call at the same moment.
  local crossings = 0
  local crossing = every(3, function()
    local a, b = g[math.random(#g)], g[math.random(#g)]
    if a == b or not a:alive() or not b:alive() then return end
    a:disconnect(b)
    b:disconnect(a)
    sleep(math.random() * 2)
    if not a:alive() or not b:alive() then return end
    a:connect(b)
    b:connect(a)
    crossings = crossings + 1
  end)

  sleep(p.churn / 3)
  -- As fast as they can be given: a burst for every link that they cross.
  local given, refused = 0, nil
  while given < p.transactions and not refused do
    local node = g[math.random(#g)]
    if node:alive() then
      local id, why = node:submit_tx {}
      if id then given = given + 1 else refused = why end
    end
  end
  check(not refused, "every transaction is accepted where it is submitted", refused)

  local most, grudges, whose = 0, 0, nil
  local watch = every(1, function()
    for _, node in ipairs(g) do
      if node:alive() then most = math.max(most, node:info().held_bytes) end
    end
    local none, who = g:all(bears_no_grudge)
    if not none then grudges, whose = grudges + 1, who:id() end
  end)
  sleep(p.churn * 2 / 3)
  churn:stop()
  jumping:stop()
  crossing:stop()
  sleep(25) -- the last ones come back

  wait("all agree when it is over", 240, function()
    return g:all(function(node) return node:alive() end) and net:one_tip(g), net:tips(g) .. " tips"
  end)
  wait("everyone has its links back", 120, function()
    return g:all(function(node) return node:ready() >= 3 end)
  end)
  watch:stop()
  check(grudges == 0, "nobody was on probation or banned at any time", whose)
  check(most < 16 * MiB, "no node ever held 16 MiB for its links", most)
  metric("downs", downs)
  metric("crossings", crossings)
  metric("transactions", given)
  metric("held_bytes_max", most)
end
