-- Every behaviour of the library against a small network of its own, beside a twin that nobody attacks. Of each it is
-- said what the honest nodes do about it; of all, that they agree, keep up, and pay no more than a bound.
scenario {
  name = "misbehaviour",
  about = "Each misbehaving peer is banned, cut off, refused or borne, and costs its victims a bounded amount.",
  duration = 2000,
  params = {
    behaviour = "all", -- or the name of one
    nodes = 4,
    attack = 90, -- seconds
    block_interval = 3,
    latency = 50,
  },
}

-- What honest nodes do about each. One of
--   banned   all that it came to have banned it
--   told     it hears this reason, and is not banned
--   borne    nothing, for there is nothing in it that an honest peer might not do, too
-- and besides
--   within   its links last so many seconds at most
--   still    nobody mines meanwhile: a tip that moves is its doing
--   guest    an honest node that comes near the end gets in, where the attack is at least that long
-- what it costs them, at most
--   work     steps of computing, as a multiple of the twin's [3]
--   held     bytes that a node holds for all its links [64 KiB]
--   outbox   bytes that wait for one link [2 MiB]
--   pool     transactions in a pool [200]
-- and what makes the case: `with`, its parameters; `peers`, how many of them [1]; `config`, the nodes', where their
-- limits are made so small that a small attack meets them; `data`, bytes in each honest transaction [0]; `mines`,
-- blocks that there are before anybody comes [0].
local rows = {
  { "garbage", banned = true },
  { "oversize", banned = true, with = { size = 100000 } },
  { "zero-length", banned = true },
  { "huge-counts", banned = true },
  { "unknown-kinds", banned = true },
  { "half-frame", told = "Timeout", within = 62, held = 256 * KiB, with = { stay = 80 } }, -- longer than the node waits
  { "silent", told = "Timeout", within = 11 },
  { "slowloris", told = "Timeout", within = 11 },
  { "never-reads", borne = true, within = 40, work = 50, held = 2 * MiB },
  { "never-reads", borne = true, within = 40, as = "never-reads-answers", work = 50, held = 2 * MiB,
    config = { serve_rate = 0 } },
  { "never-reads", borne = true, within = 60, with = { rate = 0.01 }, as = "never-reads-relayed", data = 20000, work = 30, held = MiB,
    outbox = 300 * KiB, config = { outbox_soft = 20000 } },
  { "request-flood", borne = true, with = { rate = 20 }, work = 30, held = 512 * KiB },
  { "request-flood", borne = true, with = { rate = 20 }, as = "request-flood-limited", work = 10,
    config = { serve_rate = 2000, serve_burst = 20000 } },
  { "request-flood", borne = true, with = { rate = 1000 }, as = "request-flood-fast", work = 60, held = MiB },
  { "ping-flood", borne = true, with = { rate = 200 }, work = 50 },
  { "ping-flood", banned = true, with = { rate = 200 }, as = "ping-flood-limited",
    config = { ping_rate = 20, ping_burst = 100 } },
  { "bad-block-B1", banned = true, still = true },
  { "bad-block-B1", banned = true, still = true, with = { above = 0 }, as = "bad-block-B1-low" },
  { "bad-block-B2", borne = true, still = true },
  { "bad-block-B3", banned = true, still = true },
  { "bad-block-B3", borne = true, still = true, with = { ahead = true }, as = "bad-block-B3-ahead" },
  { "bad-block-B4", banned = true, still = true },
  { "bad-block-B4", banned = true, still = true, with = { ids = 10001 }, as = "bad-block-B4-many", work = 50 },
  { "bad-block-B5", banned = true, still = true },
  { "bad-block-B6", banned = true, still = true },
  { "bad-block-B7", banned = true, still = true },
  { "bad-block-B8", banned = true, still = true },
  { "bad-block-B9", banned = true, still = true },
  { "bad-block-B10", banned = true, still = true },
  { "bad-block-B10", banned = true, still = true, with = { seq = true }, as = "bad-block-B10-seq" },
  { "orphan-flood", borne = true, with = { ids = 20 }, work = 20, held = 256 * KiB },
  { "orphan-flood", borne = true, with = { ids = 20 }, as = "orphan-flood-limited", work = 6, held = 256 * KiB,
    config = { block_rate = 500, block_burst = 5000 } },
  { "old-chain", borne = true },
  { "old-chain", borne = true, with = { depth = 200, pause = 0.05 }, as = "old-chain-deep", mines = 300, work = 7 },
  { "replay", banned = true },
  { "bad-tx-T1", banned = true },
  { "bad-tx-T2", banned = true },
  { "bad-tx-T3", banned = true },
  { "bad-tx-T4", borne = true },
  { "bad-tx-T4", borne = true, with = { ahead = true }, as = "bad-tx-T4-ahead" },
  { "tx-flood", borne = true, with = { rate = 20 }, work = 100, held = MiB, pool = 3000 },
  { "tx-flood", borne = true, with = { rate = 20 }, as = "tx-flood-limited", work = 10, held = 128 * KiB, pool = 500,
    config = { tx_rate = 500, tx_burst = 5000 } },
  { "tx-flood", borne = true, with = { rate = 20 }, as = "tx-flood-pool", work = 60, held = 256 * KiB, pool = 300,
    config = { mempool_max = 300 } },
  { "tx-flood", borne = true, with = { rate = 20 }, as = "tx-flood-account", work = 60, held = 128 * KiB, pool = 200,
    config = { peer_bytes_max = 16384, orphan_bytes_max = 16384 } },
  { "tx-replay", borne = true },
  { "tx-replay", banned = true, as = "tx-replay-limited", config = { unasked_rate = 500, unasked_burst = 10000 } },
  { "withholds", borne = true, still = true },
  { "wrong-ranges", banned = true, still = true },
  { "liar", banned = true, still = true },
  { "liar", borne = true, still = true, with = { how = "nowhere" }, as = "liar-nowhere" },
  { "forger", banned = true },
  { "unsolicited", borne = true, still = true, config = { sync_interval = 3600 } },
  { "unsolicited", banned = true, still = true, as = "unsolicited-limited",
    config = { sync_interval = 3600, unasked_rate = 500, unasked_burst = 10000 } },
  { "duplicate-identity", told = "DuplicateConnection" },
  { "duplicate-identity", told = "DuplicateConnection", with = { whose = "own" }, as = "duplicate-identity-own" },
  { "connection-flood", told = "TooManyConnections", with = { links = 60 }, guest = 0, held = 128 * KiB, work = 6 },
  { "connection-flood", told = "TooManyConnections", with = { links = 60, greets = true, keeps = true, stay = 1000 },
    guest = 0, held = 128 * KiB, work = 6, as = "connection-flood-greeting" },
  { "connection-flood", told = "TooManyConnections", with = { links = 2 }, peers = 40, held = 128 * KiB, guest = 0,
    as = "connection-flood-many", work = 6 },
  { "connection-flood", told = "TooManyConnections", with = { links = 2, greets = true, keeps = true, stay = 1000 },
    peers = 40, held = 128 * KiB, as = "connection-flood-many-greeting", work = 6 },
  { "connection-flood", told = "TooManyConnections", with = { links = 2, greets = true, keeps = true, stay = 1000 },
    peers = 16, held = 128 * KiB, guest = 100, as = "connection-flood-full", work = 6 },
  { "connection-flood", told = "TooManyConnections", with = { links = 1, greets = true, keeps = true, stay = 1000 },
    peers = 40, held = 128 * KiB, guest = 160, as = "connection-flood-everywhere", work = 6 },
  { "disconnect-churn", borne = true, work = 6 },
}

local LAG = 10 -- seconds that a block may take to all nodes of its network
local ORPHANS, INBOUND = 100, 32 + 16 + 1

local function network(net, p, config, mines)
  local g = net:spawn(p.nodes, { seeds = p.nodes - 1, miners = 2, block_interval = p.block_interval, config = config or {} })
  if mines then g[1]:mine(mines) end
  return g
end

-- When each height was first seen and when all had it, and the most that any node held: looked at often.
local function watch(side)
  local g, lag, first, done = side.group, 0, {}, 0
  side.most = { outbox = 0, orphans = 0, inbound = 0, mempool = 0, held = 0, stay = 0 }
  local most = side.most
  every(0.25, function()
    local low, high = math.maxinteger, 0
    for _, node in pairs(g) do
      local height = node:height()
      low, high = math.min(low, height), math.max(high, height)
    end
    for height = high, done + 1, -1 do first[height] = first[height] or now() end
    for height = done + 1, high do lag = math.max(lag, now() - first[height]) end
    done, side.lag = low, lag
  end)
  every(1, function()
    for _, node in pairs(g) do
      local info = node:info()
      most.orphans = math.max(most.orphans, info.orphans)
      most.inbound = math.max(most.inbound, info.inbound)
      most.mempool = math.max(most.mempool, info.mempool)
      most.held = math.max(most.held, info.held_bytes)
      for _, peer in ipairs(node:peers()) do
        most.outbox = math.max(most.outbox, peer.outbox)
        if peer.link ~= 0 and peer.inbound and side.peers and peer.node == side.peers[1] then
          most.stay = math.max(most.stay, now() - peer.up)
        end
      end
    end
  end)
  local data = side.row and side.row.data and ("x"):rep(side.row.data)
  every(1, function() g[math.random(#g)]:submit_tx { data = data } end)
end

-- CPU steps that the nodes of a group took.
local function work(group)
  local sum = 0
  for _, node in pairs(group) do sum = sum + node:info().work end
  return sum
end

local function attack(net, p, side)
  if side.row.still then
    for _, node in pairs(side.group) do node:mine_every(0) end
  end
  local options = { behaviour = side.row[1], targets = side.targets, visits = 1000000, lasts = p.attack }
  for name, value in pairs(side.row.with or {}) do options[name] = value end
  side.peers = {}
  for i = 1, side.row.peers or 1 do side.peers[i] = net:peer(options) end
  if side.row.guest and p.attack >= side.row.guest then
    at(now() + p.attack - 20, function()
      side.guest = net:spawn(1, { seeds = #side.targets, seeds_from = side.targets })[1]
    end)
  end
end

-- What all its peers have heard and done.
local function counts_of(side)
  local sum = { sent = 0, dialled = 0, closed = 0, reasons = {} }
  for _, peer in ipairs(side.peers) do
    local counts = peer:counts()
    for name in pairs(sum) do
      if name ~= "reasons" then sum[name] = sum[name] + counts[name] end
    end
    for reason, n in pairs(counts.reasons) do sum.reasons[reason] = (sum.reasons[reason] or 0) + n end
  end
  return sum
end

local function all_ban(side)
  for _, node in pairs(side.targets) do
    if node:state(side.peers[1]) ~= "banned" then return false, tostring(node) .. ": " .. node:state(side.peers[1]) end
  end
  return true
end

-- What the honest nodes did about it.
local function judge_treatment(net, side)
  local row, name = side.row, side.name
  local counts = counts_of(side)
  check(counts.dialled >= #side.targets, name .. " acts", counts.dialled)
  if row.banned then
    check(all_ban(side), name .. " is banned by all it came to", select(2, all_ban(side)))
  else
    check(side.group:all(function(node) return node:info().banned == 0 end), name .. " is not banned")
  end
  if row.told then
    check(counts.reasons[row.told] > 0, name .. " is told " .. row.told, counts.reasons[row.told])
  end
  if row.within then
    check(side.most.stay > 0 and side.most.stay <= row.within, name .. " is cut off in time", side.most.stay)
  end
  if row.told == "Timeout" then
    check(counts.reasons.Timeout == counts.closed, name .. " ends by no other way", counts.closed)
  end
  if row.still then
    check(net:one_tip(side.group) and side.group[1]:tip() == side.tip, name .. " adds nothing to the chain")
    side.group[1]:mine_every(3)
  end
  if side.guest then
    check(side.guest:ready() > 0 and side.guest:height() >= side.group[1]:height() - 1,
      name .. " keeps no honest node out", side.guest:ready())
  end
  local stranger = side.group[#side.group]
  check(stranger:info().banned == 0 and stranger:ready() >= #side.group - 1,
    name .. " does not reach whom it does not dial", stranger:ready())
end

-- What it cost them.
local function judge_cost(side, twin)
  local most, name, row = side.most, side.name, side.row
  local ratio = work(side.group) / work(twin.group)
  check(side.lag < LAG, name .. ": blocks reach all in time", side.lag)
  check(most.outbox <= (row.outbox or 2 * MiB), name .. ": bounded outboxes", most.outbox)
  check(most.orphans <= ORPHANS, name .. ": bounded orphans", most.orphans)
  check(most.inbound <= INBOUND, name .. ": bounded links", most.inbound)
  check(most.mempool <= (row.pool or 200), name .. ": a bounded pool", most.mempool)
  check(most.held <= (row.held or 64 * KiB), name .. ": bounded memory", most.held)
  check(ratio <= (row.work or 3), name .. ": bounded work", ratio)
  metric(name .. " lag_s", side.lag)
  metric(name .. " outbox_bytes", most.outbox)
  metric(name .. " held_bytes", most.held)
  metric(name .. " mempool", most.mempool)
  metric(name .. " work_ratio", ratio)
end

function run(net, p)
  net:links { latency = p.latency * ms }
  local sides = {}
  for _, row in ipairs(rows) do
    local name = row.as or row[1]
    if p.behaviour == "all" or p.behaviour == row[1] or p.behaviour == name then
      sides[#sides + 1] = { row = row, name = name, group = network(net, p, row.config, row.mines) }
    end
  end
  check(#sides > 0, "there is such a behaviour", p.behaviour)
  local twin = { name = "nobody", group = network(net, p) }

  wait("all networks have formed", 120, function()
    for _, side in ipairs(sides) do
      if not net:one_tip(side.group) or side.group[1]:height() < 3 then return false, side.name end
    end
    return twin.group[1]:height() >= 3
  end)
  watch(twin)
  for _, side in ipairs(sides) do
    side.targets = side.group:slice(1, p.nodes - 1)
    watch(side)
    attack(net, p, side)
  end
  sleep(1) -- what was on its way arrives
  for _, side in ipairs(sides) do side.tip = side.group[1]:tip() end

  sleep(p.attack)
  for _, side in ipairs(sides) do judge_treatment(net, side) end
  local height = {}
  for _, side in ipairs(sides) do height[side.name] = side.group[1]:height() end
  for _, side in ipairs(sides) do
    judge_cost(side, twin)
    wait(side.name .. ": all stand on one tip, and it moves", 60, function()
      local tip = side.group[1]:height()
      return net:one_tip(side.group) and tip > height[side.name], tip
    end)
  end
end
