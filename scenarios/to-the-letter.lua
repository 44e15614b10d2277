-- A visitor that knows the protocol by heart holds nodes to its numbers: what each deed earns or costs, how long a node
-- is patient, what it answers, how often it dials whom, how much it takes. Each part has nodes of its own; all run
-- at once.
scenario {
  name = "to-the-letter",
  about = "Points, patience, answers, dials and bounds, each held against the number that the protocol gives.",
  duration = 12000,
  params = {
    part = "all", -- or the name of one
    latency = 40,
  },
}

local NEWEST = -1

-- A node that knows nobody.
local function alone(net, config)
  return net:spawn(1, { seeds = 0, config = config or {} })[1]
end

-- What the node says of its link with the peer, or else of what it knows of the peer's address.
local function entry(node, peer)
  local known
  for _, p in ipairs(node:peers()) do
    if p.node == peer then
      if p.link ~= 0 then return p end
      known = p
    end
  end
  return known
end

local function score(node, peer)
  local e = entry(node, peer)
  return e and e.score
end

-- Shakes hands, and tells who asks for the newest block that there is none. Returns the link.
local function greet(peer, node, changes)
  local hello = { kind = "Handshake" }
  for name, value in pairs(changes or {}) do hello[name] = value end
  local link = peer:dial(node)
  peer:send(link, hello)
  if not peer:receive(link, 5, "Handshake") then return nil end
  if peer:receive(link, 5, "RequestBlock") then peer:send(link, { kind = "ResponseBlock" }) end
  sleep(0.5)
  return link
end

-- What does fn() earn the peer with the node?
local function earns(node, peer, points, text, fn)
  local before = score(node, peer)
  fn()
  sleep(1)
  local after = score(node, peer)
  check(after and after - before == points, text .. ": " .. points, after and after - before)
end

-- Why the link ended, and when; nil if it did not.
local function ended(peer, link, within)
  local reason
  repeat
    local msg, why = peer:receive(link, within)
    if msg and msg.kind == "Disconnect" then reason = msg.reason end
    if why == "closed" then return reason or "no word", now() end
  until not msg
end

local parts = {}

-- ---- points ----

function parts.points(net)
  local node, peer = alone(net, { score_half_life = 0, sync_interval = 100000 }), net:peer()
  local link = greet(peer, node)
  check(score(node, peer) == 1, "a quick response: 1", score(node, peer))
  local tx, block = peer:tx(), peer:mine()
  earns(node, peer, 1, "a good transaction", function() peer:send(link, { kind = "NewTransaction", tx = tx }) end)
  earns(node, peer, -2, "the same once more", function() peer:send(link, { kind = "NewTransaction", tx = tx }) end)
  earns(node, peer, 10, "a good block", function() peer:send(link, { kind = "NewBlock", block = block }) end)
  earns(node, peer, -2, "the same block once more", function() peer:send(link, { kind = "NewBlock", block = block }) end)
  earns(node, peer, -10, "an invalid transaction", function()
    peer:send(link, { kind = "NewTransaction", tx = peer:tx { status = 1 } })
  end)
  earns(node, peer, 0, "an old transaction", function()
    peer:send(link, { kind = "NewTransaction", tx = peer:tx { timestamp = chain.clock() - 3700 } })
  end)
  earns(node, peer, 0, "an orphan that is far ahead", function()
    peer:send(link, { kind = "ResponseBlock", block = peer:mine(block) }) -- nobody asked
  end)
  check(node:height() == 1, "an answer that nobody asked for changes nothing", node:height())

  -- What a node fetches: a block for each probe, quick ones, then a range.
  local ahead = { peer:mine(block) }
  for i = 2, 3 do ahead[i] = peer:mine(ahead[i - 1]) end
  local before, quick, ranges = score(node, peer), 0, 0
  peer:send(link, { kind = "NewBlock", block = ahead[3] })
  repeat
    local msg = peer:receive(link, 3)
    if msg and msg.kind == "RequestBlock" then
      quick = quick + 1
      peer:send(link, { kind = "ResponseBlock", block = msg.height == 1 and block or ahead[msg.height - 1] })
    elseif msg and msg.kind == "RequestBlockRange" then
      ranges = ranges + 1
      local blocks = {}
      for height = msg.first, msg.last do blocks[#blocks + 1] = height == 1 and block or ahead[height - 1] end
      peer:send(link, { kind = "ResponseBlockRange", blocks = blocks })
    end
  until not msg
  check(node:height() == 4 and ranges > 0, "it fetches what it was shown", node:height())
  local gain = score(node, peer) - before
  check(gain == quick + 5 * ranges or gain == quick + 5 * ranges + 10, "useful data: 5 each", gain)

  earns(node, peer, -50, "a second handshake", function() peer:send(link, { kind = "Handshake" }) end)
  check(node:info().banned == 0, "one violation bans nobody")
end

-- As high as it goes: a hundred good blocks and some, and then a bad one.
function parts.standing(net)
  local node, peer = alone(net, { score_half_life = 0, sync_interval = 100000 }), net:peer()
  local link, tip = greet(peer, node), nil
  for i = 1, 105 do
    tip = peer:mine(tip)
    peer:send(link, { kind = "NewBlock", block = tip })
    if i % 20 == 0 then sleep(0.2) end
  end
  sleep(1)
  check(node:height() == 105, "all blocks are taken", node:height())
  check(score(node, peer) == 1000, "no score is above 1000", score(node, peer))
  local bad = peer:mine(tip, { difficulty = 7 })
  peer:send(link, { kind = "NewBlock", block = bad })
  check(ended(peer, link, 5) == "ProtocolViolation", "an invalid block ends the link of the best")
  check(score(node, peer) == 900, "an invalid block: -100", score(node, peer))
  check(node:info().banned == 0, "who was good is not banned for one")
end

-- At -100 a peer is banned, for an hour, and begins anew with -50.
function parts.ban(net)
  local node, peer = alone(net, { score_half_life = 0, sync_interval = 100000 }), net:peer()
  local link = greet(peer, node)
  -- The one point of the quick answer goes first.
  local tx = peer:tx()
  peer:send(link, { kind = "NewTransaction", tx = tx })
  peer:send(link, { kind = "NewTransaction", tx = tx })
  sleep(1)
  check(score(node, peer) == 0, "nothing earned", score(node, peer))
  for _ = 1, 9 do peer:send(link, { kind = "NewTransaction", tx = peer:tx { gas_used = 1 } }) end
  sleep(1)
  check(score(node, peer) == -90 and node:info().banned == 0, "nine invalid transactions do not ban", score(node, peer))
  local began = now()
  peer:send(link, { kind = "NewTransaction", tx = peer:tx { gas_used = 1 } })
  check(ended(peer, link, 5) == "ProtocolViolation", "the tenth does")
  check(node:info().banned == 1, "it is banned", node:info().banned)

  sleep(began + 3595 - now())
  local refused = peer:dial(node)
  peer:send(refused, { kind = "Handshake" })
  local msg = peer:receive(refused, 5)
  check(msg and msg.kind == "Disconnect" and msg.reason == "ProtocolViolation", "the ban holds for an hour")
  sleep(began + 3602 - now())
  link = greet(peer, node)
  check(link ~= nil, "it is over then")
  check(score(node, peer) == -49, "the score begins again at -50", score(node, peer))
end

-- Where probation begins it has a quarter of the tokens.
function parts.probation(net)
  for invalid = 4, 5 do
    local node = alone(net, { score_half_life = 0, sync_interval = 100000, ping_rate = 1, ping_burst = 40 })
    local peer = net:peer()
    local link = greet(peer, node)
    local tx = peer:tx()
    peer:send(link, { kind = "NewTransaction", tx = tx })
    peer:send(link, { kind = "NewTransaction", tx = tx })
    for _ = 1, invalid do peer:send(link, { kind = "NewTransaction", tx = peer:tx { gas_used = 1 } }) end
    sleep(1)
    check(score(node, peer) == -10 * invalid, "it has the points", score(node, peer))
    for i = 1, 15 do peer:send(link, { kind = "Ping", nonce = i }) end
    local pongs = 0
    repeat
      local msg = peer:receive(link, 0.3, "Pong")
      if msg then
        pongs = pongs + 1
        check(msg.nonce == pongs, "Pongs come in order", msg.nonce)
      end
    until not msg
    check(pongs == (invalid < 5 and 15 or 10), "on probation from -50 on", pongs)
  end
end

-- What the weather does lowers no score to probation.
function parts.weather(net)
  local dials = {}
  local node = alone(net, { score_half_life = 0, feeler_interval = 0 })
  local closed = net:peer {
    on_link = function(self, link)
      dials[#dials + 1] = now()
      self:close(link)
    end,
  }
  node:add_peer(closed)
  wait("it is dialled", 5, function() return #dials == 1 end)
  sleep(0.5)
  check(score(node, closed) == -5, "a failed connection: -5", score(node, closed))
  wait("it is dialled again and again", 1200, function() return #dials == 12 end)
  sleep(0.5)
  check(score(node, closed) == -49, "failures alone bring nobody onto probation", score(node, closed))
  check(node:state(closed) == "failed", "it is given up", node:state(closed))
  -- 2, 4, 8, 16 s and a quarter more at most; and given up, 64 s.
  for i = 1, #dials - 1 do
    local least = i < 5 and math.tointeger(math.pow(2, i)) or 64
    local pause = dials[i + 1] - dials[i]
    check(pause >= least and pause <= least * 1.25 + 0.5, "pause " .. i .. " is " .. least .. " s and a little", pause)
  end
  check(entry(node, closed).failures == 12, "it counts them", entry(node, closed).failures)

  -- Four failures do not give up a peer; the fifth does.
  local other, count = alone(net, { feeler_interval = 0 }), 0
  local shut = net:peer { on_link = function(self, link) count = count + 1 self:close(link) end }
  other:add_peer(shut)
  wait("four dials", 60, function() return count == 4 end)
  sleep(0.5)
  check(other:state(shut) == "disconnected", "four failures do not give up", other:state(shut))
  wait("five dials", 60, function() return count == 5 end)
  sleep(0.5)
  check(other:state(shut) == "failed", "five do", other:state(shut))
end

-- ---- patience ----

function parts.patience(net)
  local node = alone(net, { score_half_life = 0, sync_interval = 100000 })

  local silent = net:peer()
  local link, began = silent:dial(node), now()
  local reason, at_s = ended(silent, link, 20)
  check(reason == "Timeout" and at_s - began >= 10 and at_s - began < 10.5, "a handshake has ten seconds", at_s and at_s - began)
  local busy = net:peer()
  link, began = busy:dial(node), now()
  busy:send_raw(link, busy:frame { kind = "Handshake" }:sub(1, 20))
  local chat = every(3, function() busy:send_raw(link, "\0") end)
  reason, at_s = ended(busy, link, 20)
  chat:stop()
  check(at_s and at_s - began < 10.5, "however it trickles", at_s and at_s - began)

  -- Silence: a Ping after 30 s, the end after 60; a part of a frame is no message.
  local mute = net:peer()
  link = greet(mute, node)
  local last = now() - 0.5
  local ping = mute:receive(link, 40, "Ping")
  check(ping and now() - last >= 30 and now() - last < 31, "a Ping after 30 s", now() - last)
  mute:send_raw(link, "\0\0")
  reason, at_s = ended(mute, link, 60)
  check(reason == "Timeout" and at_s - last >= 60 and at_s - last < 61, "the end after 60 s", at_s and at_s - last)
  check(score(node, mute) == 1 - 2, "a timeout: -2", score(node, mute))

  -- Who answers it stays.
  local quiet = net:peer()
  link = greet(quiet, node)
  for _ = 1, 4 do
    ping = quiet:receive(link, 40, "Ping")
    if ping then quiet:send(link, { kind = "Pong", nonce = ping.nonce }) end
  end
  check(ping and node:state(quiet) == "ready", "who answers Pings stays")
  local rtt = entry(node, quiet).rtt
  check(rtt > 0.07 and rtt < 0.2, "the round trip is measured", rtt)
end

function parts.requests(net, p)
  local node, peer = alone(net, { score_half_life = 0, sync_interval = 200 }), net:peer()
  local link = peer:dial(node)
  peer:send(link, { kind = "Handshake" })
  local asked = peer:receive(link, 5, "RequestBlock")
  check(asked and asked.height == NEWEST, "it asks whom it meets for the newest block")
  local began = now()
  while now() - began < 29 do
    peer:send(link, { kind = "Ping" })
    sleep(1)
  end
  check(score(node, peer) == 0, "an answer may take 30 s", score(node, peer))
  sleep(1.5)
  check(score(node, peer) == -1, "a slow response: -1", score(node, peer))
  -- It asks again on its own within one and a half intervals, not before half of one.
  local again
  repeat
    peer:send(link, { kind = "Ping" })
    again = peer:receive(link, 5, "RequestBlock")
  until again or now() > 400
  check(again and again.height == NEWEST, "it looks again by itself", now())

  -- Who shows a better chain and then answers nothing is asked three times, and no more.
  local slow, probes = net:peer(), {}
  link = greet(slow, node)
  local far = { slow:mine() }
  for i = 2, 6 do far[i] = slow:mine(far[i - 1]) end
  slow:send(link, { kind = "NewBlock", block = far[6] })
  local ends = now() + 170
  while now() < ends do
    local msg = slow:receive(link, 10)
    if not msg then slow:send(link, { kind = "Ping" }) end
    if msg and msg.kind == "RequestBlockRange" then probes[#probes + 1] = now() end
  end
  check(#probes >= 3, "it asks three times", #probes)
  for i = 2, math.min(3, #probes) do
    local pause = probes[i] - probes[i - 1]
    check(pause >= 30 and pause < 31, "a request is repeated after 30 s", pause)
  end
  check(not probes[4] or probes[4] - probes[3] > 31, "and not a fourth time", #probes)
end

-- ---- answers ----

function parts.answers(net)
  local node, peer = alone(net, { sync_interval = 100000 }), net:peer()
  node:mine(150)
  local link = greet(peer, node)
  local function ask(msg, kind)
    peer:send(link, msg)
    return peer:receive(link, 5, kind)
  end
  local function range(first, last)
    local msg = ask({ kind = "RequestBlockRange", first = first, last = last }, "ResponseBlockRange")
    return msg and msg.blocks
  end
  local newest = ask({ kind = "RequestBlock", height = NEWEST }, "ResponseBlock")
  check(newest and newest.block and newest.block.hash == node:tip(), "2^64-1 asks for the newest")
  for _, height in ipairs { 0, 1, 77, 150 } do
    local msg = ask({ kind = "RequestBlock", height = height }, "ResponseBlock")
    check(msg and msg.block and msg.block.height == height and msg.block.hash == node:block_hash(height),
      "a block by its height", height)
  end
  local none = ask({ kind = "RequestBlock", height = 151 }, "ResponseBlock")
  check(none and not none.block, "none above the tip")
  local cases = {
    { 5, 9, 5 }, { 7, 7, 1 }, { 9, 5, 0 }, { 0, 149, 100 }, { 0, 99, 100 }, { 1, 100, 100 }, { 1, 101, 100 }, { 51, 150, 100 },
    { 140, 160, 11 }, { 150, 150, 1 }, { 151, 160, 0 }, { 100, NEWEST, 51 }, { -3, NEWEST, 0 }, { NEWEST, NEWEST, 0 },
  }
  for _, case in ipairs(cases) do
    local first, last, count = table.unpack(case)
    local blocks = range(first, last)
    check(blocks and #blocks == count, "heights " .. first .. " to " .. last .. ": " .. count, blocks and #blocks)
    for i, block in ipairs(blocks or {}) do
      if block.hash ~= node:block_hash(first + i - 1) then
        check(false, "the blocks of the best chain, ascending", block.height)
        break
      end
    end
  end
  for nonce = 1, 3 do peer:send(link, { kind = "Ping", nonce = nonce }) end
  for nonce = 1, 3 do
    local pong = peer:receive(link, 5, "Pong")
    check(pong and pong.nonce == nonce, "a Pong for each Ping, in order", pong and pong.nonce)
  end
  peer:send(link, { kind = "Pong", nonce = 99 })
  check(peer:receive(link, 1) == nil and node:state(peer) == "ready", "a Pong that nobody waits for is ignored")
  peer:send(link, { kind = "Disconnect", reason = "Shutdown" })
  check(ended(peer, link, 5) == "no word", "a Disconnect is not answered")

  -- The longest frame there is, and one byte more.
  link = greet(peer, node)
  local ping = peer:frame { kind = "Ping", nonce = 5 }
  local function framed(size) return string.pack(">I4", size) .. ping:sub(5) .. ("\0"):rep(size - 12) end
  peer:send_raw(link, framed(10485760))
  local pong = peer:receive(link, 10, "Pong")
  check(pong and pong.nonce == 5, "a frame of 10 485 760 bytes is read, and what trails is ignored")
  peer:send_raw(link, string.pack(">I4", 10485761))
  check(ended(peer, link, 5) == "ProtocolViolation", "one byte more ends the link")
end

-- ---- the first words ----

-- What a node says to these first lines: the kinds of messages, and the reason.
local function says(net, node, lines, config)
  local peer = net:peer(config)
  local link = peer:dial(node)
  for _, line in ipairs(lines) do
    if type(line) == "string" then peer:send_raw(link, line) else peer:send(link, line) end
  end
  local heard, reason = {}, nil
  repeat
    local msg, why = peer:receive(link, 2)
    if msg then heard[#heard + 1] = msg.kind end
    if msg and msg.kind == "Disconnect" then reason = msg.reason end
    if why == "closed" then heard[#heard + 1] = "closed" end
  until not msg
  peer:close(link)
  return table.concat(heard, " "), reason, peer
end

function parts.words(net)
  local node = alone(net, { sync_interval = 100000 })
  local hello = { kind = "Handshake" }
  local WELCOME, REFUSED = "Handshake RequestBlock", "Disconnect closed"
  local function told(lines, words, reason, text)
    local heard, why = says(net, node, lines)
    check(heard == words and why == reason, text, heard .. " " .. tostring(why))
  end
  told({}, "", nil, "nothing is said to who says nothing")
  told({ hello }, WELCOME, nil, "a Handshake for a Handshake")
  for _, version in ipairs { "0.1.0", "0", "0.", "0.9.9", "0.x" } do
    told({ { kind = "Handshake", version = version } }, WELCOME, nil, "version " .. version .. " is welcome")
  end
  for _, version in ipairs { "00.1", "1.0.0", "01", "", "0x.1", ".0", "10.1.0", "-" } do
    told({ { kind = "Handshake", version = version } }, REFUSED, "IncompatibleVersion", "version '" .. version .. "' is refused")
  end
  told({ { kind = "Pong", nonce = 4 }, hello }, WELCOME, nil, "a Pong before the Handshake is ignored")
  told({ { kind = "Disconnect", reason = "Shutdown" } }, "closed", nil, "a Disconnect in its place closes")
  told({ { kind = "RequestBlock", height = 0 } }, REFUSED, "ProtocolViolation", "a request in its place")
  told({ { kind = "Ping", nonce = 3 }, hello }, REFUSED, "ProtocolViolation", "a Ping in its place")
  told({ "\0\0\0\4\255\255\255\255" }, REFUSED, "ProtocolViolation", "no message in its place")
  told({ { kind = "Handshake", node_id = node:id() } }, REFUSED, "DuplicateConnection", "the node's own id")
  told({ hello, hello }, "Handshake RequestBlock Disconnect closed", "ProtocolViolation", "a second Handshake")
  local first = net:peer()
  local link = greet(first, node, { node_id = "twin" })
  told({ { kind = "Handshake", node_id = "twin" } }, REFUSED, "DuplicateConnection", "the id of another")
  check(node:state(first) == "ready", "the older one stays")
  first:send(link, { kind = "Ping", nonce = 8 })
  check(first:receive(link, 2, "Pong"), "and is answered")
end

-- The same from the other side: what a node says to whom it dials.
function parts.callers(net)
  local function answers(lines)
    local node, heard = alone(net, { feeler_interval = 0, sync_interval = 100000 }), {}
    local peer = net:peer {
      on_link = function(self, link)
        for _, line in ipairs(lines) do self:send(link, line) end
      end,
      on_message = function(_, _, msg) heard[#heard + 1] = msg.reason or msg.kind end,
      on_close = function() heard[#heard + 1] = "closed" end,
    }
    node:connect(peer)
    sleep(5)
    return table.concat(heard, " "), node, peer
  end
  local heard, node, peer = answers {}
  check(heard == "Handshake", "who dials speaks first", heard)
  heard, node, peer = answers { { kind = "Handshake" } }
  check(heard == "Handshake RequestBlock" and node:state(peer) == "ready", "and is ready with the answer", heard)
  heard, node, peer = answers { { kind = "Handshake", version = "1.0.0" } }
  check(heard:sub(1, 36) == "Handshake IncompatibleVersion closed", "it checks the version", heard)
  check(entry(node, peer).failures > 0, "and counts a failure", entry(node, peer).failures)
  heard, node = answers { { kind = "Handshake", node_id = "node-9999" } }
  check(node:ready() == 1, "whatever its name is", heard)
end

-- Two dials that cross: the one that the smaller id made stays.
function parts.crossing(net, p)
  for _, name in ipairs { "aaa", "zzz" } do
    local node = alone(net, { feeler_interval = 0, sync_interval = 100000 })
    local ours, why, theirs = nil, {}, nil
    local peer = net:peer {
      on_link = function(self, link)
        if link ~= ours then theirs = link end
        self:send(link, { kind = "Handshake", node_id = name })
      end,
      on_message = function(_, link, msg)
        if msg.kind == "Disconnect" then why[link] = msg.reason end
      end,
    }
    node:connect(peer)
    ours = peer:dial(node)
    sleep(3)
    local stays = name < node:id() and ours or theirs
    local goes = stays == ours and theirs or ours
    check(theirs and why[goes] == "DuplicateConnection" and not why[stays], "the smaller id's dial stays: " .. name,
      tostring(why[goes]) .. " " .. tostring(why[stays]))
    check(node:ready() == 1 and score(node, peer) >= 0, "one link stays, and nobody is punished", node:ready())
  end
end

-- ---- how many ----

function parts.links(net)
  local node = alone(net, { sync_interval = 100000, feeler_interval = 0 })
  for _ = 1, 12 do
    node:add_peer(net:peer { on_link = function(self, link) self:send(link, { kind = "Handshake" }) end })
  end
  sleep(10)
  check(node:info().outbound == 8, "a node dials eight", node:info().outbound)
  local host, guests = alone(net, { sync_interval = 100000 }), {}
  for i = 1, 32 do
    guests[i] = net:peer()
    local link = guests[i]:dial(host)
    guests[i]:send(link, { kind = "Handshake" })
  end
  sleep(2)
  check(host:info().inbound == 32, "it takes 32", host:info().inbound)
  local heard, reason = says(net, host, { { kind = "Handshake" } })
  check(reason == "TooManyConnections" and heard == "Disconnect closed", "and not one more", heard)
  check(host:info().inbound == 32, "they stay", host:info().inbound)
end

-- Addresses: a thousand are known, seeds are not forgotten.
function parts.addresses(net)
  local node = alone(net, { sync_interval = 100000, max_outbound = 0, max_inbound_per_ip = 0, accept_rate = 0 })
  local guest = net:peer { on_message = function() end }
  for port = 1, 1010 do
    local link = guest:dial(node)
    guest:send(link, { kind = "Handshake", node_id = "guest " .. port, listen = "127.0.0.1:" .. 10000 + port })
    if port % 16 == 0 then sleep(0.5) end
    at(now() + 0.3, function() guest:close(link) end)
  end
  sleep(2)
  check(node:info().known == 1000, "a thousand addresses are known", node:info().known)
end

function parts.pool(net)
  local node, peer = alone(net, { sync_interval = 100000, score_half_life = 0 }), net:peer()
  local link = greet(peer, node)
  local function offer(fields) peer:send(link, { kind = "NewTransaction", tx = peer:tx(fields) }) end
  local one = ("ab"):rep(32)
  for i = 1, 101 do offer { sender = one, nonce = i } end
  sleep(1)
  check(node:mempool() == 100, "a hundred of one sender", node:mempool())
  check(score(node, peer) == 101, "one too many costs nothing", score(node, peer))

  -- By age: an hour, two hours ahead.
  for _, case in ipairs { { -3599, 1 }, { -3605, 0 }, { 7195, 1 }, { 7205, 0 } } do
    local before = node:mempool()
    offer { timestamp = chain.clock() + case[1] }
    sleep(0.2)
    check(node:mempool() - before == case[2], "a transaction of " .. case[1] .. " s", node:mempool() - before)
  end
  sleep(3600)
  local rest = node:mempool()
  sleep(70)
  check(rest >= 100 and node:mempool() == 1, "they leave after an hour", node:mempool())

  peer = net:peer()
  link = greet(peer, node)
  for sender = 1, 101 do
    local name = string.format("%064x", sender)
    for i = 1, 100 do offer { sender = name, nonce = i, data = "" } end
    sleep(0.1)
  end
  sleep(2)
  check(node:mempool() == 10000, "ten thousand in all", node:mempool())
end

-- ---- rules, at their bounds ----

function parts.rules(net)
  local node, peer = alone(net, { sync_interval = 100000, score_half_life = 0 }), net:peer()
  local link = greet(peer, node)
  local tip
  local function offer(fields, taken, text)
    local block = peer:mine(tip, fields)
    peer:send(link, { kind = "NewBlock", block = block })
    sleep(1)
    check((node:tip() == block.hash) == taken, text, node:height())
    if taken then tip = block end
  end
  offer({ timestamp = 1744067299 }, true, "a child as old as its parent")
  offer({ timestamp = chain.clock() + 7205 }, false, "more than two hours ahead of the clock")
  check(node:state(peer) == "ready", "which costs nothing")
  offer({ timestamp = chain.clock() + 7195 }, true, "two hours ahead of the clock")
  local ids = {}
  for i = 1, 10000 do ids[i] = string.format("%064x", i) end
  offer({ timestamp = chain.clock() + 7195, tx_ids = ids }, true, "ten thousand transactions")
end

function run(net, p)
  net:links { latency = p.latency * ms }
  local left, names = 0, {}
  for name in pairs(parts) do
    if p.part == "all" or p.part == name then names[#names + 1] = name end
  end
  check(#names > 0, "there is such a part", p.part)
  for _, name in ipairs(names) do
    left = left + 1
    at(now() + 0.001, function()
      parts[name](net, p)
      left = left - 1
    end)
  end
  wait("every part comes to its end", 11000, function() return left == 0, left end)
end
