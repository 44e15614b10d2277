-- Every behaviour of the library against a small network of its own, beside a twin that nobody attacks. Of each it is
-- said what the honest nodes do about it; of all, that they agree, keep up, and pay no more than a bound.
scenario {
  name = "misbehaviour",
  about = "Each misbehaving peer is banned, cut off, refused or borne, and costs its victims a bounded amount.",
  duration = 600,
  params = {
    behaviour = "all", -- or the name of one
    nodes = 4,
    attack = 90, -- seconds
    block_interval = 3,
    latency = 50,
  },
}

-- What honest nodes do: `banned`: all it came to have banned it; `told`: it hears this reason, as often as it was shut
-- out; `borne`: nothing, for there is nothing that an honest peer might not do, too. `with`: parameters.
local table_of_behaviours = {
  { "garbage", banned = true },
  { "oversize", banned = true, with = { size = 100000 } },
  { "zero-length", banned = true },
  { "huge-counts", banned = true },
  { "unknown-kinds", banned = true },
  { "half-frame", told = "Timeout" },
  { "silent", told = "Timeout" },
  { "slowloris", told = "Timeout" },
  { "never-reads", cut = true },
  { "request-flood", borne = true, with = { rate = 20 } },
  { "ping-flood", borne = true, with = { rate = 200 } },
  { "bad-block-B1", banned = true },
  { "bad-block-B2", borne = true },
  { "bad-block-B3", banned = true },
  { "bad-block-B3", borne = true, with = { ahead = true }, as = "bad-block-B3-ahead" },
  { "bad-block-B4", banned = true },
  { "bad-block-B4", banned = true, with = { ids = 10001 }, as = "bad-block-B4-many" },
  { "bad-block-B5", banned = true },
  { "bad-block-B6", banned = true },
  { "bad-block-B7", banned = true },
  { "bad-block-B8", banned = true },
  { "bad-block-B9", banned = true },
  { "bad-block-B10", banned = true },
  { "orphan-flood", borne = true, with = { ids = 20 } },
  { "old-chain", borne = true },
  { "replay", banned = true },
  { "bad-tx-T1", banned = true },
  { "bad-tx-T2", banned = true },
  { "bad-tx-T3", banned = true },
  { "bad-tx-T4", borne = true },
  { "tx-flood", borne = true, with = { rate = 20 } },
  { "tx-replay", banned = true },
  { "withholds", borne = true },
  { "wrong-ranges", banned = true },
  { "liar", banned = true },
  { "liar", borne = true, with = { how = "nowhere" }, as = "liar-nowhere" },
  { "forger", banned = true },
  { "unsolicited", borne = true },
  { "duplicate-identity", told = "DuplicateConnection" },
  { "duplicate-identity", told = "DuplicateConnection", with = { whose = "own" }, as = "duplicate-identity-own" },
  { "connection-flood", told = "TooManyConnections", with = { links = 60 } },
  { "connection-flood", told = "TooManyConnections", with = { links = 60, greets = true }, as = "connection-flood-greeting" },
  { "disconnect-churn", borne = true },
}

local LAG = 10 -- seconds that a block may take to all nodes of its network
local OUTBOX = 2 * MiB -- bytes that wait for one link
local ORPHANS, INBOUND = 100, 32 + 16 + 1

local function network(net, p)
  return net:spawn(p.nodes, { seeds = p.nodes - 1, miners = 2, block_interval = p.block_interval })
end

-- When each height was first seen and when all had it, and the most that any node held: looked at often.
local function watch(side)
  local g, lag, first, done = side.group, 0, {}, 0
  side.most = { outbox = 0, orphans = 0, inbound = 0, mempool = 0, held = 0 }
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
      most.held = math.max(most.held, info.held_bytes or 0)
      for _, peer in ipairs(node:peers()) do most.outbox = math.max(most.outbox, peer.outbox) end
    end
  end)
  every(1, function() g[math.random(#g)]:submit_tx {} end)
end

-- CPU steps that the nodes of a group took.
local function work(group)
  local sum = 0
  for _, node in pairs(group) do sum = sum + (node:info().work or 0) end
  return sum
end

local function attack(net, p, side)
  local options = { behaviour = side.row[1], targets = side.targets, visits = 1000000, lasts = p.attack }
  for name, value in pairs(side.row.with or {}) do options[name] = value end
  side.peer = net:peer(options)
end

local function all_ban(side)
  for _, node in pairs(side.targets) do
    if node:state(side.peer) ~= "banned" then return false, tostring(node) .. ": " .. node:state(side.peer) end
  end
  return true
end

-- What the honest nodes did about it.
local function judge_treatment(side)
  local row, name = side.row, side.name
  local counts = side.peer:counts()
  check(counts.sent > 0 or row[1] == "silent" or row[1] == "connection-flood", name .. " acts", counts.sent)
  if row.banned then
    check(all_ban(side), name .. " is banned by all it came to", select(2, all_ban(side)))
  else
    check(side.group:all(function(node) return node:info().banned == 0 end), name .. " is not banned")
  end
  if row.told then
    check(counts.reasons[row.told] > 0, name .. " is told " .. row.told, counts.reasons[row.told])
  end
  if row.told or row.cut then
    check(counts.closed >= #side.targets, name .. " is shut out", counts.closed)
  end
  if row.told == "Timeout" then
    check(counts.reasons.Timeout == counts.closed, name .. " ends by no other way", counts.closed)
  end
  local stranger = side.group[#side.group]
  check(stranger:info().banned == 0 and stranger:ready() >= #side.group - 1,
    name .. " does not reach whom it does not dial", stranger:ready())
end

-- What it cost them.
local function judge_cost(side, twin)
  local most, name = side.most, side.name
  check(side.lag < LAG, name .. ": blocks reach all in time", side.lag)
  check(most.outbox <= OUTBOX, name .. ": bounded outboxes", most.outbox)
  check(most.orphans <= ORPHANS, name .. ": bounded orphans", most.orphans)
  check(most.inbound <= INBOUND, name .. ": bounded links", most.inbound)
  metric(name .. " lag_s", side.lag)
  metric(name .. " outbox_bytes", most.outbox)
  metric(name .. " held_bytes", most.held)
  metric(name .. " mempool", most.mempool)
  if work(twin.group) > 0 then metric(name .. " work_ratio", work(side.group) / work(twin.group)) end
end

function run(net, p)
  net:links { latency = p.latency * ms }
  local sides = {}
  for _, row in ipairs(table_of_behaviours) do
    local name = row.as or row[1]
    if p.behaviour == "all" or p.behaviour == row[1] or p.behaviour == name then
      sides[#sides + 1] = { row = row, name = name, group = network(net, p) }
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

  sleep(p.attack)
  for _, side in ipairs(sides) do judge_treatment(side) end
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
