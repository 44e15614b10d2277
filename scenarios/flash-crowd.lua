-- A small network becomes known: hundreds of newcomers appear in the same instant. Each knows a few of the old nodes, and a few of
-- the other newcomers, as from one list that they all were given. The old nodes take as many as they have room for and
-- refuse the rest; those that were refused have to find their way by each other.
scenario {
  name = "flash-crowd",
  about = "500 newcomers at once on 30 nodes: all get connected and in time, refusals are no punishment.",
  duration = 1800,
  params = { nodes = 30, newcomers = 500, blocks = 50, block_interval = 2, latency = 80, room = 16 },
}

local KNOWN = 4 -- old nodes that a newcomer knows, and as many newcomers

-- The lowest and the highest of the group.
local function heights(group)
  local low, high = math.huge, 0
  group:each(function(node)
    low, high = math.min(low, node:height()), math.max(high, node:height())
  end)
  return low, high
end

function run(net, p)
  net:links { latency = uniform(p.latency / 2 * ms, p.latency * 2 * ms) }
  local old = net:spawn(p.nodes, { seeds = 6, miners = 5, block_interval = p.block_interval,
    config = { max_inbound = p.room } })
  while old[1]:height() < p.blocks do sleep(1) end

  local came = now()
  local crowd = net:spawn(p.newcomers, { seeds = KNOWN, seeds_from = old })
  crowd:each(function(node)
    for _ = 1, KNOWN do node:add_peer(crowd[math.random(#crowd)]) end
  end)

  -- The old nodes mine and relay on: a block takes some hops of at most 0.16 s, so that even in a fork nobody is more
  -- than a few blocks behind. Looked at once a second: what matters is how long, not every change.
  local apart, full = 0, 0
  local watch = every(1, function()
    local low, high = heights(old)
    apart = math.max(apart, high - low)
    full = math.max(full, old:count(function(node) return node:info().inbound >= p.room end))
  end)

  local alone, behind
  repeat
    sleep(1)
    alone = crowd:count(function(node) return node:ready() == 0 end)
    behind = crowd:count(function(node) return node:height() < p.blocks end)
  until (alone == 0 and behind == 0) or now() > came + 120
  metric("all_in_s", now() - came)
  check(alone == 0, "every newcomer is connected within two minutes", alone .. " are not")
  check(behind == 0, "every newcomer has what was there when it came", behind .. " have not")

  sleep(60)
  watch:stop()
  local _, high = heights(old)
  check(full > p.nodes / 2, "most old nodes had no room left", full)
  check(apart <= 4, "the old nodes stayed together all the while", apart .. " blocks apart")
  check(high > p.blocks + 60 / p.block_interval / 4, "and mined on", high)
  old:slice(1, 5):each(function(node) node:mine_every(0) end)
  sleep(10)
  old[1]:mine() -- settles a tie between two last blocks
  sleep(20)
  check(net:one_tip(), "old and new agree", net:tips() .. " tips")
end
