-- A plain network with miners and transactions, to be run in swarm mode: --swarm --seeds 1..1000. Each seed draws its
-- size, its links and what goes wrong; the scenario itself breaks nothing. It asks for little, but of every seed: once the
-- faults are over all agree, have their links, and hardly anything that a node was told is lost. Without --swarm it is a
-- quiet day.
local FROM, LASTING = 60, 300
local VILLAINS = { "garbage", "oversize", "huge-counts", "half-frame", "silent", "slowloris", "never-reads", "request-flood",
  "ping-flood", "bad-block-B1", "bad-block-B3", "bad-block-B5", "bad-block-B8", "orphan-flood", "old-chain", "replay",
  "bad-tx-T1", "bad-tx-T4", "tx-replay", "withholds", "wrong-ranges", "liar", "forger", "unsolicited",
  "duplicate-identity", "connection-flood", "disconnect-churn" }

scenario {
  name = "swarm",
  about = "Whatever a seed draws goes wrong; then the network heals, agrees, and confirms what it was told.",
  duration = 900,
  params = { nodes = 20, miners = 4, outbound = 8, block_interval = 8, latency = 80, loss = 0.0, bandwidth = 0,
             tx_rate = 1.0, cached = 500, villains = 0 },
  swarm = {
    params = {
      nodes = uniform(8, 32), miners = uniform(1, 6), outbound = uniform(3, 10), block_interval = uniform(4, 15),
      latency = uniform(5, 250), loss = { 0.0, 0.01, 0.05 }, bandwidth = { 0, 2000000, 20000000 },
      tx_rate = uniform(0.1, 3), cached = { 20, 500 }, villains = uniform(0, 3),
    },
    faults = {
      "kill", "pause", "skew", "disk", "partition", "blackhole", "flap", "degrade", "half_open", "forget_links",
      "peer", reset_links = { every = 10 },
    },
    from = FROM, lasting = LASTING, settle = 300,
  },
}

function run(net, p)
  net:links { latency = uniform(p.latency / 2 * ms, p.latency * 2 * ms), loss = p.loss, bandwidth = p.bandwidth }
  local g = net:spawn(p.nodes, {
    seeds = math.min(6, p.nodes - 1), miners = p.miners, block_interval = p.block_interval,
    config = { max_outbound = p.outbound, cached_blocks = p.cached },
  })
  wait("the network has formed", FROM, function()
    return net:one_tip(g) and g[1]:height() >= 1
  end)

  for _ = 1, p.villains do
    net:peer {
      behaviour = VILLAINS[math.random(#VILLAINS)], targets = net:group { g[math.random(#g)], g[math.random(#g)] },
      lasts = FROM + LASTING - now(), visits = 50,
    }
  end

  -- Whoever is there is told transactions.
  local told, crashed, seen = {}, {}, {}
  local traffic = every(1 / p.tx_rate, function()
    local i = math.random(#g)
    if not g[i]:alive() or g[i]:paused() then return end
    local id = g[i]:submit_tx {}
    if id then told[#told + 1] = { id = id, by = i } end
  end)
  -- A process that begins again counts its work from nothing.
  local chains, gone, held = 1, 0, 0
  local function look()
    local missing = 0
    for i, node in ipairs(g) do
      local info = node:info()
      if not info or node:paused() then missing = missing + 1 end
      if not info or info.work < (seen[i] or 0) then crashed[i] = true end
      seen[i] = info and info.work
      held = math.max(held, info and info.held_bytes or 0)
    end
    chains, gone = math.max(chains, (net:tips(g))), math.max(gone, missing)
  end
  local watch = every(0.9, look) -- no fault is shorter than a second
  sleep(FROM + LASTING + 0.1 - now())
  watch:stop()
  traffic:stop()
  look()
  if net:swarm() then
    sometimes("a third of the nodes was gone at once", gone * 3 >= #g)
    sometimes("there were five chains at once", chains >= 5)
  end
  check(held < 16 * MiB, "no node ever held 16 MiB for its links", held)

  local over = now()
  wait("all nodes are there and agree", 300, function()
    return g:all(function(node) return node:alive() end) and net:one_tip(g), net:tips(g) .. " tips"
  end)
  metric("agree_after_s", now() - over)
  wait("everyone has links again", 300, function()
    return g:all(function(node) return node:ready() >= 3 end)
  end)
  metric("links_after_s", now() - over)
  wait("the miners' pools run dry", 300, function()
    return g:slice(1, p.miners):all(function(node) return node:mempool() == 0 end) and net:one_tip(g)
  end)
  -- What is in no pool and no block any more was in the memory of crashed nodes alone.
  local lost, waiting, missed = 0, 0, nil
  for _, tx in ipairs(told) do
    if g[1]:has_tx(tx.id) ~= "block" then
      if g:any(function(node) return node:has_tx(tx.id) ~= nil end) then
        waiting = waiting + 1
      else
        lost = lost + 1
        if not crashed[tx.by] then missed = g[tx.by]:id() .. " was told " .. tx.id end
      end
    end
  end
  check(not missed, "no transaction is lost but with a node that crashed", missed)
  metric("chains", chains)
  metric("gone", gone)
  metric("held_bytes", held)
  metric("transactions", #told)
  metric("waiting", waiting)
  metric("lost", lost)
end
