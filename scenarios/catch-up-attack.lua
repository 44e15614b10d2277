-- A newcomer needs 2,000 blocks and knows four peers: one stalls, one lies, one leaves, and the last is honest but
-- far away on a thin line, where a full range of fat blocks takes longer than anybody waits for an answer.
scenario {
  name = "catch-up-attack",
  about = "A newcomer gets 2,000 blocks from one that stalls, one that lies, one that leaves and one that is slow.",
  duration = 1800,
  params = { blocks = 2000, fat_blocks = 12, latency = 300, rate = 1 },
}

-- A scripted peer that shows the true newest block. It holds a link of its own to `source`, an honest node, and asks
-- there for what it needs. `serve` answers the newcomer's requests for ranges.
local function two_faced(net, source, serve)
  local p = net:peer()
  local up = p:dial(source)
  p:send(up, { kind = "Handshake" })
  p:receive(up, 10, "Handshake")
  every(20, function() p:send(up, { kind = "Ping", nonce = 1 }) end) -- keeps it
  local function fetch(msg)
    p:send(up, msg)
    return p:receive(up, 10, msg.kind == "RequestBlock" and "ResponseBlock" or "ResponseBlockRange")
  end
  local asked = { total = 0 }
  local function talk(target)
    local link = p:dial(target)
    p:send(link, { kind = "Handshake" })
    while true do
      local msg = p:receive(link, 600)
      if not msg then
        asked.ended = (asked.ended or 0) + 1
        return
      end
      if msg.kind == "Ping" then
        p:send(link, { kind = "Pong", nonce = msg.nonce })
      elseif msg.kind == "RequestBlock" then
        local answer = fetch { kind = "RequestBlock", height = msg.height }
        p:send(link, { kind = "ResponseBlock", block = answer and answer.block })
      elseif msg.kind == "RequestBlockRange" then
        asked.total = asked.total + 1
        asked[msg.first] = (asked[msg.first] or 0) + 1
        asked.most = math.max(asked.most or 0, asked[msg.first])
        asked.last = now()
        serve(p, link, msg, fetch)
      end
    end
  end
  return p, asked, talk
end

function run(net, p)
  net:links { latency = uniform(5 * ms, 60 * ms) }
  local honest = net:spawn(3)
  local source, leaver, slow = honest[1], honest[2], honest[3]
  wait("the honest ones have met", 60, function()
    return honest:all(function(node) return node:ready() == 2 end)
  end)

  -- Fat blocks, of transactions that nobody has seen, stand together in the middle, so that one range holds them all.
  local half = p.blocks // 2
  for _ = 1, half, 1000 do source:mine(math.min(1000, half)) end
  local builder = net:peer()
  local link = builder:dial(source)
  builder:send(link, { kind = "Handshake" })
  builder:send(link, { kind = "RequestBlock", height = -1 })
  local tip = builder:receive(link, 10, "ResponseBlock").block
  for n = 1, p.fat_blocks do
    local ids = {}
    for i = 1, 10000 do ids[i] = ("%064x"):format(n * 10000 + i) end
    tip = builder:mine(tip, { tx_ids = ids })
    builder:send(link, { kind = "NewBlock", block = tip })
  end
  wait("the fat blocks are everywhere", 60, function()
    return honest:all(function(node) return node:tip() == tip.hash end)
  end)
  for left = p.blocks - source:height(), 1, -1000 do source:mine(math.min(1000, left)) end
  wait("the honest ones have the chain", 300, function()
    return net:one_tip(honest) and source:height() == p.blocks
  end)

  local staller, stalled, stall = two_faced(net, source, function() end)
  local told = 0
  local liar, lied, lie = two_faced(net, source, function(self, link, msg, fetch)
    local range = fetch(msg)
    if not range then return end
    if math.random(3) > 1 then return self:send(link, range) end -- now and then the truth
    told = told + 1
    local victim = range.blocks[math.max(1, #range.blocks // 2)]
    victim.nonce = victim.nonce + 1
    self:send(link, range)
  end)

  local newcomer = net:spawn(1, { seeds = 0 })[1]
  net:links(newcomer, slow, { latency = p.latency * ms, bandwidth = p.rate * mbit })
  local began = now()
  -- Whoever comes first leads.
  at(began + math.random(), function() stall(newcomer) end)
  at(began + math.random(), function()
    while newcomer:state(liar) ~= "banned" do -- each lie that is found out ends a link
      lie(newcomer)
      sleep(2)
    end
  end)
  at(began + math.random(), function() newcomer:add_peer(leaver) end)
  at(began + math.random(), function() newcomer:add_peer(slow) end)

  local height, moved, longest = 0, began, 0
  local leaves = math.random(0, 400)
  every(1, function()
    if newcomer:height() == height then return end
    height, longest, moved = newcomer:height(), math.max(longest, now() - moved), now()
    if leaver:alive() and height >= 100 + leaves then leaver:kill() end
  end)

  wait("the newcomer has all blocks", 900, function()
    return newcomer:height() == p.blocks and newcomer:tip() == source:tip(), newcomer:height()
  end)
  local took = now() - began
  log(string.format("%d blocks in %.1f s; the longest standstill took %.1f s", p.blocks, took, longest))
  log(string.format("ranges asked of the staller %d (one of them %d times), of the liar %d", stalled.total,
    stalled.most or 0, lied.total))
  metric("catch_up_s", took)
  metric("longest_standstill_s", longest)
  check(told == 0 or newcomer:state(liar) == "banned" or (lied.ended or 0) > 0,
    "a lie is found out and ends its teller's link", told)
  check(longest <= 90, "no standstill outlasts three waits for an answer", longest)
  check((stalled.most or 0) <= 9, "no range is asked of the staller for ever", stalled.most)

  -- Nobody who has everything goes on asking.
  local done = now()
  sleep(300)
  check(newcomer:state(slow) == "ready", "the slow one is kept")
  check((stalled.last or 0) <= done and (lied.last or 0) <= done, "no range is asked for after the last block came")
  sometimes("the staller was asked", stalled.total > 0)
  sometimes("a lie was told", told > 0)
end
