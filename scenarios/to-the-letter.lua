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

-- Is a time what it should be, but for the way there and back? Sums of seconds are rounded.
local function takes(time, seconds, more)
  return time ~= nil and time > seconds - 0.001 and time < seconds + (more or 0.5)
end

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

local WRONG = ("12"):rep(32) -- a hash of nothing

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
    check(takes(pause, least, least / 4 + 0.5), "pause " .. i .. " is " .. least .. " s and a little", pause)
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

-- When it comes again to who was there: soon, or, where there is no place for it, later than to others.
function parts.returns(net)
  for _, case in ipairs { { "Shutdown", 1 }, { "Timeout", 1 }, { "TooManyConnections", 64 }, { "DuplicateConnection", 64 } } do
    local node, dials = alone(net, { feeler_interval = 0, sync_interval = 100000 }), {}
    node:add_peer(net:peer {
      on_link = function(self, link)
        dials[#dials + 1] = now()
        self:send(link, { kind = "Handshake" })
        at(now() + 2, function() self:send(link, { kind = "Disconnect", reason = case[1] }) end)
      end,
    })
    sleep(200)
    check(#dials > 2, "it comes again", #dials)
    for i = 2, #dials do
      local pause = dials[i] - dials[i - 1] - 2
      check(takes(pause, case[2], case[2] / 4 + 0.5), "after " .. case[1] .. " it waits " .. case[2] .. " s and a little", pause)
    end
  end
end

-- ---- patience ----

function parts.patience(net)
  local node = alone(net, { score_half_life = 0, sync_interval = 100000 })

  local silent = net:peer()
  local link, began = silent:dial(node), now()
  local reason, at_s = ended(silent, link, 20)
  check(reason == "Timeout" and takes(at_s - began, 10), "a handshake has ten seconds", at_s and at_s - began)
  local busy = net:peer()
  link, began = busy:dial(node), now()
  busy:send_raw(link, busy:frame { kind = "Handshake" }:sub(1, 20))
  local chat = every(3, function() busy:send_raw(link, "\0") end)
  reason, at_s = ended(busy, link, 20)
  chat:stop()
  check(takes(at_s and at_s - began, 10), "however it trickles", at_s and at_s - began)
  local pongs = net:peer()
  link, began = pongs:dial(node), now()
  chat = every(3, function() pongs:send(link, { kind = "Pong", nonce = 1 }) end)
  reason, at_s = ended(pongs, link, 20)
  chat:stop()
  check(takes(at_s and at_s - began, 10), "and whatever else it says", at_s and at_s - began)

  -- Silence: a Ping after 30 s, the end after 60; a part of a frame is no message.
  local mute = net:peer()
  link = greet(mute, node)
  local last = now() - 0.5
  local ping = mute:receive(link, 40, "Ping")
  check(ping and takes(now() - last, 30, 1), "a Ping after 30 s", now() - last)
  mute:send_raw(link, "\0\0")
  reason, at_s = ended(mute, link, 60)
  check(reason == "Timeout" and takes(at_s - last, 60, 1), "the end after 60 s", at_s and at_s - last)
  check(score(node, mute) == 1 - 2, "a timeout: -2", score(node, mute))

  -- Who answers it stays.
  local quiet = net:peer()
  link = greet(quiet, node)
  local holds = entry(node, quiet).held_bytes
  for _ = 1, 4 do
    ping = quiet:receive(link, 40, "Ping")
    if ping then quiet:send(link, { kind = "Pong", nonce = ping.nonce }) end
  end
  check(ping and node:state(quiet) == "ready", "who answers Pings stays")
  sleep(0.5)
  check(entry(node, quiet).held_bytes == holds, "and a Ping that was answered leaves nothing behind", entry(node, quiet).held_bytes - holds)
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
    check(takes(pause, 30, 1), "a request is repeated after 30 s", pause)
  end
  check(not probes[4] or probes[4] - probes[3] > 31, "and not a fourth time", #probes)
end

-- A peer that is there for whoever dials it: it greets, has no blocks, and answers.
local function polite(net, heard)
  return net:peer {
    on_link = function(self, link)
      if heard then heard.link = (heard.link or 0) + 1 end
      self:send(link, { kind = "Handshake" })
    end,
    on_message = function(self, link, msg)
      if heard then heard[msg.kind] = (heard[msg.kind] or 0) + 1 end
      if msg.kind == "RequestBlock" then self:send(link, { kind = "ResponseBlock" }) end
      if msg.kind == "Ping" then self:send(link, { kind = "Pong", nonce = msg.nonce }) end
    end,
  }
end

-- A node looks for something newer every minute, by dice half a minute more or less; and tries another address.
function parts.rhythm(net)
  local node, asked, felt = alone(net), {}, {}
  node:add_peer(polite(net, asked))
  local other = alone(net, { max_outbound = 1, sync_interval = 100000 })
  other:add_peer(polite(net))
  sleep(2)
  local visited = polite(net, felt)
  other:add_peer(visited)
  sleep(3600)
  metric("asked_in_an_hour", asked.RequestBlock)
  check(asked.RequestBlock > 45 and asked.RequestBlock < 80, "it asks for the newest block every minute", asked.RequestBlock)
  check(felt.link > 25 and felt.link < 95, "and feels for another address every minute", felt.link)
  wait("without staying there", 20, function() return other:state(visited) ~= "ready" and other:info().outbound == 1 end)
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
  local maker = net:peer()
  told({ maker:frame(hello) .. maker:frame { kind = "RequestBlock", height = 0 } .. maker:frame(hello) },
    "Handshake RequestBlock Disconnect closed", "ProtocolViolation", "whose link ends is not answered first")
  local later = net:spawn(1, { seeds = 0, version = "12.5" })[1]
  for version, welcome in pairs { ["12"] = true, ["13.5"] = false, ["1"] = false, ["123.1"] = false, ["12.9.9"] = true } do
    local heard = says(net, later, { { kind = "Handshake", version = version } })
    check(heard == (welcome and WELCOME or REFUSED), "what version 12.5 says to " .. version, heard)
  end
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

  -- After so many links the next one is heard as well as the first.
  local last = net:peer()
  local link = greet(last, node)
  local tx, block = last:tx(), last:mine()
  for _ = 1, 2 do
    last:send(link, { kind = "NewTransaction", tx = tx })
    last:send(link, { kind = "NewBlock", block = block })
  end
  sleep(1)
  check(score(node, last) == 1 + 1 - 2 + 10 - 2, "who repeats itself is noticed", score(node, last))
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

-- ---- who stays ----

-- Says something now and then, so that it is not taken for dead and not asked for its distance.
local function keep_alive(peer, link)
  return every(20, function() peer:send(link, { kind = "Ping", nonce = 0 }) end)
end

-- Full of guests: who gives way to a newcomer, and when.
function parts.guests(net)
  local function house(max, config)
    local options = { max_inbound = max, sync_interval = 100000, score_half_life = 0, max_outbound = 0, feeler_interval = 0 }
    for name, value in pairs(config or {}) do options[name] = value end
    return alone(net, options)
  end
  local function guest(node)
    local peer = net:peer()
    local link = greet(peer, node)
    return { peer = peer, link = link, timer = link and keep_alive(peer, link) }
  end
  local function in_house(node, who) return node:state(who.peer) == "ready" end

  local node = house(2)
  local began = now()
  local first, second = guest(node), guest(node)
  local function knocks(at_s, welcome, text)
    sleep(began + at_s - now())
    local who = guest(node)
    check((who.link ~= nil) == welcome, text, now() - began)
    return who
  end
  knocks(50, false, "nobody gives way within a minute")
  knocks(115, false, "nor within two")
  local third = knocks(125, true, "then an idle one does")
  check(in_house(node, first) and not in_house(node, second) and in_house(node, third), "the younger of two that brought nothing")

  -- What is new is worth a place.
  local busy = house(2)
  began = now()
  local idle, useful = guest(busy), guest(busy)
  sleep(100)
  useful.peer:send(useful.link, { kind = "NewTransaction", tx = useful.peer:tx() })
  sleep(40)
  check(guest(busy).link ~= nil, "there is room where one is idle")
  check(not in_house(busy, idle) and in_house(busy, useful), "who brought something stays")

  -- Whoever is on probation goes first, and at once.
  local strict = house(3)
  local good, bad, other = guest(strict), guest(strict), guest(strict)
  for _ = 1, 6 do bad.peer:send(bad.link, { kind = "NewTransaction", tx = bad.peer:tx { gas_used = 1 } }) end
  sleep(1)
  check(guest(strict).link ~= nil, "there is room where one is on probation")
  check(in_house(strict, good) and not in_house(strict, bad) and in_house(strict, other), "and it is that one which goes")
  check(guest(strict).link == nil, "and none where none is")

  -- The largest group of one address gives way to others.
  local crowd = house(8)
  local many, links = net:peer(), {}
  for i = 1, 7 do
    links[i] = greet(many, crowd, { node_id = "one of many " .. i })
    keep_alive(many, links[i])
  end
  local single = guest(crowd)
  sleep(70)
  local late = guest(crowd)
  check(late.link ~= nil and in_house(crowd, single), "of many from one address one goes")
  check(crowd:info().inbound == 8, "one and no more", crowd:info().inbound)

  -- Best standing keeps a place.
  local fair = house(8)
  local best = {}
  for i = 1, 8 do best[i] = guest(fair) end
  local liked = best[8]
  for _ = 1, 49 do liked.peer:send(liked.link, { kind = "NewTransaction", tx = liked.peer:tx() }) end
  sleep(1)
  check(score(fair, liked.peer) == 50, "it has fifty points", score(fair, liked.peer))
  sleep(300)
  for i = 1, 7 do best[i].peer:send(best[i].link, { kind = "NewTransaction", tx = best[i].peer:tx() }) end
  sleep(400)
  local count = 0
  for i = 1, 7 do
    if guest(fair).link then count = count + 1 end
    sleep(130)
  end
  check(count > 0, "those who had their turn give way", count)
  check(in_house(fair, liked), "who is preferred stays, although the others were of use later")
end

-- ---- how much of it ----

-- What each bucket of tokens holds, to the token, and what follows.
function parts.limits(net)
  local function visit(config)
    config.sync_interval, config.score_half_life, config.idle_timeout, config.ping_after = 100000, 0, 100000, 100000
    local node, peer = alone(net, config), net:peer()
    return node, peer, greet(peer, node)
  end
  local function pongs(peer, link)
    local count = 0
    while peer:receive(link, 1, "Pong") do count = count + 1 end
    return count
  end

  -- Pings: so many are answered, as many again are not, one more is an offence.
  for _, case in ipairs { { 10, 10, true }, { 20, 10, true }, { 21, 10, false } } do
    local node, peer, link = visit { ping_rate = 1, ping_burst = 10 }
    for i = 1, case[1] do peer:send(link, { kind = "Ping", nonce = i }) end
    local count = pongs(peer, link)
    check(count == case[2], case[1] .. " Pings: " .. case[2] .. " answers", count)
    check((node:state(peer) == "ready") == case[3], "and the link " .. (case[3] and "stays" or "ends"), node:state(peer))
  end
  local node, peer, link = visit { ping_rate = 2, ping_burst = 10 }
  for i = 1, 10 do peer:send(link, { kind = "Ping", nonce = i }) end
  sleep(2.6)
  for i = 1, 10 do peer:send(link, { kind = "Ping", nonce = i }) end
  local count = pongs(peer, link)
  check(count == 15, "two come back in a second", count)

  -- Transactions: 161 bytes and 256 for each; the one that meets a full debt is dropped.
  for _, case in ipairs { { 417, 2 }, { 418, 2 }, { 416, 1 }, { 834, 3 }, { 1, 1 } } do
    node, peer, link = visit { tx_rate = 1, tx_burst = case[1] }
    for _ = 1, 5 do peer:send(link, { kind = "NewTransaction", tx = peer:tx() }) end
    sleep(0.5)
    check(node:mempool() == case[2], "a burst of " .. case[1] .. ": " .. case[2], node:mempool())
    check(score(node, peer) == 1 + case[2], "the others cost nothing", score(node, peer))
  end

  -- Blocks: 228 bytes and 256 for each, and then the link is not read for a while.
  node, peer, link = visit { block_rate = 100, block_burst = 968 }
  local tip
  local began = now()
  for _ = 1, 8 do
    tip = peer:mine(tip)
    peer:send(link, { kind = "NewBlock", block = tip })
    sleep(0.2)
  end
  wait("all blocks are read in the end", 60, function() return node:height() == 8 end)
  local took = now() - began
  check(took > 10 and took < 11, "when the debt is all but paid", took)
  check(node:state(peer) == "ready" and score(node, peer) == 81, "and nobody is blamed", score(node, peer))

  -- Answers: they come later.
  node, peer, link = visit { serve_rate = 100, serve_burst = 1000 }
  began = now()
  for _ = 1, 40 do peer:send(link, { kind = "RequestBlock", height = 99 }) end
  count = 0
  while peer:receive(link, 20, "ResponseBlock") do
    count, took = count + 1, now() - began
  end
  check(count == 40, "every request is answered", count)
  check(took > 90 and took < 101, "as tokens come back", took)

  -- Debts outlive their link, until they are paid.
  node, peer, link = visit { serve_rate = 20, serve_burst = 1000 }
  for _ = 1, 30 do peer:send(link, { kind = "RequestBlock", height = 99 }) end
  sleep(1)
  peer:close(link)
  sleep(1)
  link = greet(peer, node)
  began = now()
  peer:send(link, { kind = "RequestBlock", height = 99 })
  check(peer:receive(link, 100, "ResponseBlock") ~= nil, "who comes again is answered")
  took = now() - began
  check(took > 2 and took < 20, "when what it owed is paid", took)
  sleep(100)
  for _ = 1, 2 do
    peer:close(link)
    sleep(1)
    link = greet(peer, node)
    began = now()
    peer:send(link, { kind = "RequestBlock", height = 99 })
    peer:receive(link, 100, "ResponseBlock")
    check(now() - began < 1, "at once, when it is", now() - began)
  end

  -- What nobody asked for: 5 bytes and 256 each; the one too many is an offence.
  for _, case in ipairs { { 4, true }, { 5, false } } do
    node, peer, link = visit { unasked_rate = 1, unasked_burst = 1044 }
    for _ = 1, case[1] do peer:send(link, { kind = "ResponseBlock" }) end
    sleep(1)
    check((node:state(peer) == "ready") == case[2], case[1] .. " answers to nothing", node:state(peer))
  end
  for _, case in ipairs { { 4, true }, { 5, false } } do
    node, peer, link = visit { unasked_rate = 1, unasked_burst = 1024 }
    for i = 1, case[1] do peer:send(link, { kind = "Pong", nonce = i }) end
    sleep(1)
    check((node:state(peer) == "ready") == case[2], case[1] .. " Pongs to nothing", node:state(peer))
  end

  -- Who asks for the same again and again pays for it; who needs a chain once does not.
  node, peer, link = visit { serve_rate = 1000, serve_burst = 2000000 }
  node:mine(100)
  sleep(1)
  local function asks(times)
    began = now()
    for _ = 1, times do
      peer:send(link, { kind = "RequestBlockRange", first = 1, last = 100 })
      peer:receive(link, 300, "ResponseBlockRange")
    end
    return now() - began
  end
  check(asks(4) < 2, "what a newcomer needs is given at once")
  took = asks(1)
  check(took < 2, "a debt is made before it is waited for", took)
  took = asks(1)
  check(took > 60, "and then it is waited for", took)
end

-- ---- what goes round ----

function parts.relay(net)
  local node, a, b = alone(net, { sync_interval = 100000, score_half_life = 0 }), net:peer(), net:peer()
  local from, to = greet(a, node), greet(b, node)
  local function hears(peer, link, kind, want, text)
    local got
    repeat
      local msg = peer:receive(link, 1)
      if msg and msg.kind == kind then got = msg end
    until not msg
    check((got ~= nil) == want, text, got and got.kind)
    return got
  end
  local block, tx = a:mine(), a:tx { data = "new" }
  a:send(from, { kind = "NewBlock", block = block })
  local got = hears(b, to, "NewBlock", true, "a block goes to the others")
  check(got and got.block.hash == block.hash, "as it was")
  hears(a, from, "NewBlock", false, "and not back")
  a:send(from, { kind = "NewTransaction", tx = tx })
  got = hears(b, to, "NewTransaction", true, "a transaction goes to the others")
  check(got and got.tx.tx_id == tx.tx_id and got.tx.data == "new", "as it was")
  hears(a, from, "NewTransaction", false, "and not back")
  b:send(to, { kind = "NewBlock", block = block })
  b:send(to, { kind = "NewTransaction", tx = tx })
  hears(a, from, "NewBlock", false, "what is known goes no further")
  check(score(node, b) == 1, "and costs nothing", score(node, b))
  a:send(from, { kind = "NewTransaction", tx = a:tx { gas_used = 1 } })
  hears(b, to, "NewTransaction", false, "an invalid one goes nowhere")
  node:mine()
  got = hears(a, from, "NewBlock", true, "a block of its own goes to all")
  check(got and got.block.height == 2 and #got.block.tx_ids == 1 and got.block.tx_ids[1] == tx.tx_id, "with what waited")
  hears(b, to, "NewBlock", true, "to each of them")

  -- Its own transactions are told to everyone who comes, until a block has them.
  local own = node:submit_tx { data = "mine" }
  got = hears(a, from, "NewTransaction", true, "its own transaction goes to all")
  check(got and got.tx.tx_id == own, "by its id")
  for round = 1, 2 do
    local c = net:peer()
    local link = greet(c, node)
    got = hears(c, link, "NewTransaction", round == 1, round == 1 and "and to who comes later" or "until it is in a block")
    if round == 1 then node:mine() end
  end
  check(node:has_tx(own) == "block" and node:has_tx(tx.tx_id) == "block", "which it is")
end

-- A reorganisation gives back what the old branch had taken.
function parts.branches(net)
  local node, peer = alone(net, { sync_interval = 100000, score_half_life = 0 }), net:peer()
  local link = greet(peer, node)
  local txs = {}
  for i = 1, 3 do
    txs[i] = peer:tx { nonce = i }
    peer:send(link, { kind = "NewTransaction", tx = txs[i] })
  end
  sleep(1)
  local ids = { txs[1].tx_id, txs[2].tx_id }
  local old = peer:mine(nil, { tx_ids = ids })
  peer:send(link, { kind = "NewBlock", block = old })
  sleep(1)
  check(node:mempool() == 1 and node:has_tx(ids[1]) == "block" and node:has_tx(txs[3].tx_id) == "pool", "a block takes two of three",
    node:mempool())
  local fork = peer:mine(nil, { tx_ids = { ids[2] } })
  local top = peer:mine(fork)
  peer:send(link, { kind = "NewBlock", block = fork })
  peer:send(link, { kind = "NewBlock", block = top })
  sleep(1)
  check(node:tip() == top.hash, "the heavier branch wins")
  check(node:mempool() == 2 and node:has_tx(ids[1]) == "pool" and node:has_tx(ids[2]) == "block", "what it lacks waits again",
    node:mempool())
  peer:send(link, { kind = "NewTransaction", tx = txs[1] })
  sleep(0.5)
  check(node:mempool() == 2, "and is known")
  node:mine()
  check(node:mempool() == 0 and node:height() == 3, "the next block takes the rest", node:mempool())
end

-- A node that is behind asks for just what it lacks.
function parts.catching_up(net)
  local node, peer = alone(net, { sync_interval = 100000, score_half_life = 0 }), net:peer()
  local common, theirs = {}, {}
  for i = 1, 5 do common[i] = peer:mine(common[i - 1]) end
  for i = 1, 260 do theirs[i] = i <= 5 and common[i] or peer:mine(theirs[i - 1]) end
  local link = greet(peer, node)
  for i = 1, 5 do peer:send(link, { kind = "NewBlock", block = common[i] }) end
  sleep(1)
  node:mine(15)
  check(node:height() == 20, "it has a branch of its own", node:height())
  peer:send(link, { kind = "NewBlock", block = theirs[260] })
  local probes, ranges = {}, {}
  repeat
    local msg = peer:receive(link, 3)
    if msg and msg.kind == "RequestBlock" then
      probes[#probes + 1] = msg.height
      peer:send(link, { kind = "ResponseBlock", block = theirs[msg.height] })
    elseif msg and msg.kind == "RequestBlockRange" then
      ranges[#ranges + 1] = msg.first .. "-" .. msg.last
      local blocks = {}
      for height = msg.first, msg.last do blocks[#blocks + 1] = theirs[height] end
      peer:send(link, { kind = "ResponseBlockRange", blocks = blocks })
    end
  until not msg
  check(table.concat(probes, " ") == "20 18 14 6 3 4 5", "down by doubled steps, and halved between", table.concat(probes, " "))
  check(table.concat(ranges, " ") == "6-105 106-205 206-260", "then up by hundreds", table.concat(ranges, " "))
  check(node:tip() == theirs[260].hash, "to the tip", node:height())

  -- Two that have the chain share the work; where one is silent the other is asked after two seconds.
  local fresh, asked, silent = alone(net, { sync_interval = 100000 }), {}, nil
  for i = 1, 2 do
    local server = net:peer {
      on_link = function(self, way) self:send(way, { kind = "Handshake" }) end,
      on_message = function(self, way, msg)
        if msg.kind == "RequestBlock" then
          local block = msg.height == NEWEST and theirs[260] or theirs[msg.height]
          at(now() + 0.001, function() self:send(way, { kind = "ResponseBlock", block = block }) end)
        elseif msg.kind == "RequestBlockRange" then
          asked[#asked + 1] = { i, msg.first, now() }
          if msg.first == 1 and not silent then
            silent = i
            return
          end
          local blocks = {}
          for height = msg.first, msg.last do blocks[#blocks + 1] = theirs[height] end
          self:send(way, { kind = "ResponseBlockRange", blocks = blocks })
        end
      end,
    }
    fresh:connect(server)
    sleep(0.05)
  end
  wait("it catches up although one is silent", 60, function() return fresh:height() == 260, fresh:height() end)
  local times, who = {}, {}
  for _, a in ipairs(asked) do
    who[a[1]] = true
    if a[2] == 1 then times[#times + 1] = a[3] end
  end
  check(who[1] and who[2], "both are asked")
  check(times[2] and takes(times[2] - times[1], 2, 1), "the second after two seconds", times[2] and times[2] - times[1])
end

-- An answer that comes after its time, when it was asked for again, is as good; nothing of it stays.
function parts.late_answers(net)
  for own = 0, 5, 5 do
    local node, peer = alone(net, { sync_interval = 100000, score_half_life = 0, max_outbound = 0, feeler_interval = 0 }), net:peer()
    sleep(1)
    if own > 0 then node:mine(own) end
    local link = greet(peer, node)
    local idle = entry(node, peer).held_bytes
    local blocks = {}
    for i = 1, 9 do blocks[i] = peer:mine(blocks[i - 1]) end
    local function answer(msg)
      if msg.kind == "RequestBlock" then
        peer:send(link, { kind = "ResponseBlock", block = blocks[msg.height] })
      elseif msg.kind == "RequestBlockRange" then
        peer:send(link, { kind = "ResponseBlockRange", blocks = table.move(blocks, msg.first, msg.last, 1, {}) })
      elseif msg.kind == "Ping" then
        peer:send(link, { kind = "Pong", nonce = msg.nonce })
      end
    end
    local waiting, ends = {}, now() + 150
    peer:send(link, { kind = "NewBlock", block = blocks[9] })
    while now() < ends do
      local msg = peer:receive(link, 5)
      if msg and waiting and msg.kind:sub(1, 7) == "Request" then
        waiting[#waiting + 1] = msg
        if #waiting == 2 then
          for _, late in ipairs(waiting) do answer(late) end
          waiting = nil
        end
      elseif msg then
        answer(msg)
      elseif waiting then
        peer:send(link, { kind = "Ping", nonce = 1 })
      end
    end
    check(not waiting, "it asks again")
    check(node:tip() == blocks[9].hash, "and has the chain in the end", node:height())
    check(node:state(peer) == "ready" and score(node, peer) > 0, "nobody is blamed", score(node, peer))
    local now_held = entry(node, peer).held_bytes
    check(now_held == idle, "and nothing is left of it", now_held - idle)
  end
end

-- Where two do not answer, no third is asked.
function parts.patience_of_many(net)
  local forge, asked, blocks = net:peer(), {}, {}
  for i = 1, 150 do blocks[i] = forge:mine(blocks[i - 1]) end
  local node = alone(net, { sync_interval = 100000, feeler_interval = 0 })
  for _ = 1, 4 do
    node:connect(net:peer {
      on_link = function(self, link) self:send(link, { kind = "Handshake" }) end,
      on_message = function(self, link, msg)
        if msg.kind == "RequestBlock" then self:send(link, { kind = "ResponseBlock", block = blocks[150] }) end
        if msg.kind ~= "RequestBlockRange" then return end
        asked[#asked + 1] = msg.first
        if msg.first == 101 then
          at(now() + 10, function() self:send(link, { kind = "ResponseBlockRange", blocks = table.move(blocks, 101, 150, 1, {}) }) end)
        end
      end,
    })
  end
  sleep(20)
  table.sort(asked)
  check(table.concat(asked, " ") == "1 1 101", "the first range of two, the next of one", table.concat(asked, " "))
  node:kill() -- with an answer in its hands
end

-- A peer that has this chain, as chain() gives it, and answers all that is asked; asked[n] is what.
local function server(net, chain, asked)
  return net:peer {
    on_link = function(self, link) self:send(link, { kind = "Handshake" }) end,
    on_message = function(self, link, msg)
      local blocks = chain()
      if msg.kind == "RequestBlock" then
        local height = msg.height == NEWEST and #blocks or msg.height
        asked[#asked + 1] = msg.height == NEWEST and "newest" or tostring(height)
        self:send(link, { kind = "ResponseBlock", block = blocks[height] })
      elseif msg.kind == "RequestBlockRange" then
        asked[#asked + 1] = msg.first .. "-" .. msg.last
        local range = {}
        for height = msg.first, math.min(msg.last, #blocks) do range[#range + 1] = blocks[height] end
        self:send(link, { kind = "ResponseBlockRange", blocks = range })
      elseif msg.kind == "Ping" then
        self:send(link, { kind = "Pong", nonce = msg.nonce })
      end
    end,
  }
end

local function grow(peer, from, height, to)
  local blocks = {}
  for i = 1, to do blocks[i] = i <= height and from[i] or peer:mine(blocks[i - 1]) end
  return blocks
end

-- Chains that change while they are fetched, end early, or are of another branch.
function parts.moving_chains(net)
  local forge = net:peer()
  local config = { sync_interval = 100000, score_half_life = 0, feeler_interval = 0 }
  local first = grow(forge, {}, 0, 260)
  local second = grow(forge, first, 50, 300)

  -- The leader's chain moves under the node: it looks again where they part.
  local node, asked, now_has = alone(net, config), {}, first
  local moves = server(net, function()
    if asked[#asked] == "101-200" then now_has = second end
    return now_has
  end, asked)
  node:connect(moves)
  wait("a chain that moved is fetched all the same", 20, function() return node:tip() == second[260].hash end)
  check(score(node, moves) > 0, "and who moved is not blamed", score(node, moves))
  check(#asked < 30, "with few questions", table.concat(asked, " "))

  -- A helper of another branch is left out; what it gave is asked of the leader.
  local third = grow(forge, {}, 0, 250)
  local other, of_leader, of_helper = alone(net, config), {}, {}
  local leader, helper = server(net, function() return first end, of_leader), server(net, function() return third end, of_helper)
  other:connect(leader)
  other:connect(helper)
  wait("the heavier chain is fetched", 20, function() return other:tip() == first[260].hash end)
  check(score(other, leader) > 0 and score(other, helper) > 0, "a peer of another branch is not blamed", score(other, helper))
  check(#of_leader + #of_helper < 30, "and asked little", #of_leader + #of_helper)

  -- A helper that adds an invalid block is banned or sent away, and costs no more than its own answer.
  local tidy, of_cheat = alone(net, config), {}
  local cheated = {}
  for i, block in ipairs(first) do
    cheated[i] = block
    if i % 50 == 20 then
      cheated[i] = {}
      for name, value in pairs(block) do cheated[i][name] = value end
      cheated[i].poh_hash = WRONG
    end
  end
  local cheat = server(net, function() return cheated end, of_cheat)
  tidy:connect(server(net, function() return first end, {}))
  sleep(0.01)
  tidy:connect(cheat)
  wait("what a helper spoiled comes from the leader", 20, function() return tidy:tip() == first[260].hash end)
  check(#of_cheat == 2 and score(tidy, cheat) < -80, "and the helper pays for it", table.concat(of_cheat, " "))

  -- Who has less than it showed is taken at its word, and others are asked for the rest.
  local short, of_short = alone(net, config), {}
  local boasts = server(net, function()
    if #of_short < 2 then return first end
    return table.move(first, 1, 150, 1, {})
  end, of_short)
  short:connect(boasts)
  sleep(10)
  check(short:height() == 150, "what there is is taken", short:height())
  check(#of_short < 12, "nothing is asked for ever", table.concat(of_short, " "))
  short:connect(server(net, function() return first end, {}))
  wait("the rest comes from another", 20, function() return short:height() == 260, short:height() end)

  -- A leader that leaves is followed by the next.
  local left, of_first = alone(net, config), {}
  local leaves
  leaves = net:peer {
    on_link = function(self, link) self:send(link, { kind = "Handshake" }) end,
    on_message = function(self, link, msg)
      of_first[#of_first + 1] = msg.kind
      if msg.kind == "RequestBlock" then self:send(link, { kind = "ResponseBlock", block = first[260] }) end
      if msg.kind == "RequestBlockRange" then self:close(link) end
    end,
  }
  left:connect(leaves)
  sleep(0.02)
  left:connect(server(net, function() return second end, {}))
  wait("another leads", 20, function() return left:tip() == second[300].hash, left:height() end)

  -- Also where it left while the node still looked where their chains part.
  local branch = alone(net, config)
  sleep(1)
  branch:mine(5)
  branch:connect(net:peer {
    on_link = function(self, link) self:send(link, { kind = "Handshake" }) end,
    on_message = function(self, link, msg)
      if msg.kind ~= "RequestBlock" then return end
      if msg.height == NEWEST then self:send(link, { kind = "ResponseBlock", block = first[260] }) else self:close(link) end
    end,
  })
  sleep(2)
  branch:connect(server(net, function() return second end, {}))
  wait("another leads from there", 20, function() return branch:tip() == second[300].hash, branch:height() end)
end

-- ---- what is written down ----

function parts.memory_of_disks(net)
  local node = alone(net, { sync_interval = 100000, feeler_interval = 0, score_half_life = 0 })
  local friend = net:peer { on_link = function(self, link) self:send(link, { kind = "Handshake" }) end }
  local foe = net:peer()
  node:add_peer(friend)
  node:mine(30)
  local id = node:tip()
  sleep(5)
  check(node:state(friend) == "ready", "it has a friend")
  node:ban(foe, 500)
  local banned = now()
  sleep(5)
  node:kill()
  sleep(5)
  node:restart()
  sleep(5)
  check(node:height() == 30 and node:tip() == id, "the chain is read again", node:height())
  check(node:state(friend) == "ready", "it dials whom it knew", node:state(friend))
  local function refused()
    local link = foe:dial(node)
    foe:send(link, { kind = "Handshake" })
    local msg = foe:receive(link, 5)
    foe:close(link)
    return msg ~= nil and msg.kind == "Disconnect"
  end
  check(refused(), "a ban outlives the process")
  sleep(banned + 490 - now())
  check(refused(), "to its end")
  sleep(banned + 505 - now())
  check(not refused(), "and not longer")
  node:ban(foe)
  check(refused(), "banned again")
  node:unban(foe)
  check(not refused(), "and a ban can be lifted")
  check(node:info().banned == 0, "nobody is banned", node:info().banned)
end

-- ---- memory ----

-- What a link makes a node hold is told, and given back when it is over.
function parts.memory(net)
  local node, peer = alone(net, { sync_interval = 100000, score_half_life = 0, ping_after = 100000, idle_timeout = 100000,
    stall_timeout = 100000, max_outbound = 0, feeler_interval = 0 }), net:peer()
  local link = greet(peer, node)
  local idle = node:info().held_bytes
  check(idle > 0 and idle < 1000, "an idle link is less than a kilobyte", idle)
  local function held() return node:info().held_bytes - idle end
  local function back(text) check(held() == 0, text .. ": all is given back", held()) end

  local long = peer:frame { kind = "NewTransaction", tx = peer:tx { tx_id = WRONG, data = ("x"):rep(300000) } }
  peer:send_raw(link, long:sub(1, 200000))
  sleep(2)
  check(held() >= 200000 and held() <= 2 * 200000 + 65536, "a half frame is held, and not much more", held())
  peer:send_raw(link, long:sub(200001))
  sleep(2)
  back("a frame")

  node:mine(20)
  sleep(1)
  peer:read(link, false)
  for i = 1, 100 do
    peer:send(link, { kind = "RequestBlockRange", first = 0, last = 20 })
    peer:send(link, { kind = "Ping", nonce = i })
  end
  sleep(2)
  check(held() > 1000, "answers that nobody reads are held", held())
  check(held() - entry(node, peer).outbox > 1000, "and the requests that wait", held() - entry(node, peer).outbox)
  peer:read(link, true)
  local ranges, pongs = 0, 0
  repeat
    local msg = peer:receive(link, 2)
    if msg and msg.kind == "ResponseBlockRange" then ranges = ranges + 1 end
    if msg and msg.kind == "Pong" then pongs = pongs + 1 end
  until not msg
  check(ranges == 100 and pongs == 100, "every one is said in the end", ranges)
  back("answers")

  local ids = {}
  for i = 1, 20 do
    local tx = peer:tx { data = ("y"):rep(100 * i) }
    ids[i] = tx.tx_id
    peer:send(link, { kind = "NewTransaction", tx = tx })
  end
  sleep(1)
  check(node:mempool() == 20 and held() > 20000, "what it brought to the pool counts", held())
  node:mine()
  sleep(1)
  check(node:mempool() == 0 and node:has_tx(ids[20]) == "block", "a block takes them", node:mempool())
  back("transactions")

  local tip = { height = 21, hash = WRONG, timestamp = chain.clock(), difficulty = 100, total_difficulty = 2200, poh_seq = 21 }
  for _ = 1, 5 do peer:send(link, { kind = "NewBlock", block = peer:mine(tip) }) end
  sleep(1)
  check(node:info().orphans == 5 and held() > 5 * 224, "orphans count", held())

  peer:send_raw(link, long:sub(1, 200000))
  sleep(2)
  check(held() > 200000, "half a frame again", held())
  node:disconnect(peer)
  check(node:info().held_bytes < 4000, "of a link that is over nothing large is held", node:info().held_bytes)
  check(ended(peer, link, 5) == "Shutdown", "it is told so")
  sleep(1)
  check(node:info().held_bytes == 0 and node:ready() == 0, "and nothing at all soon after", node:info().held_bytes)
end

-- ---- rules, at their bounds ----

-- Of each rule a block that breaks it and no other, on a parent that the node has.
local broken_blocks = {
  ["B1 too high"] = function(peer, tip) return peer:mine(tip, { height = tip.height + 2 }) end,
  ["B1 too low"] = function(peer, tip) return peer:mine(tip, { height = tip.height }) end,
  ["B3"] = function(peer, tip) return peer:mine(tip, { timestamp = tip.timestamp - 1 }) end,
  ["B4 twice"] = function(peer, tip) return peer:mine(tip, { tx_ids = { WRONG, ("ab"):rep(32), WRONG } }) end,
  ["B4 last twice"] = function(peer, tip)
    local ids = { WRONG, ("ab"):rep(32), ("cd"):rep(32) }
    local block = peer:mine(tip, { tx_ids = ids })
    block.tx_ids = { ids[1], ids[2], ids[3], ids[3] } -- the root is the same
    return block
  end,
  ["B4 too many"] = function(peer, tip)
    local ids = {}
    for i = 1, 10001 do ids[i] = string.format("%064x", i) end
    return peer:mine(tip, { tx_ids = ids })
  end,
  ["B5"] = function(peer, tip) return peer:mine(tip, { tx_root = WRONG }) end,
  ["B6 more"] = function(peer, tip)
    return peer:mine(tip, { difficulty = 101, total_difficulty = tip.total_difficulty + 101 })
  end,
  ["B6 less"] = function(peer, tip)
    return peer:mine(tip, { difficulty = 99, total_difficulty = tip.total_difficulty + 99 })
  end,
  ["B7 none"] = function(peer, tip) return peer:mine(tip, { total_difficulty = tip.total_difficulty }) end,
  ["B7 one more"] = function(peer, tip) return peer:mine(tip, { total_difficulty = tip.total_difficulty + 101 }) end,
  ["B8"] = function(peer, tip) return peer:mine(tip, { hash = ("0"):rep(16) .. WRONG:sub(17) }) end,
  ["B9"] = function(peer, tip)
    local block = peer:mine(tip)
    repeat
      block.nonce = block.nonce + 1
      block.hash = chain.hash(block)
    until block.hash > chain.target(100)
    return block
  end,
  ["B10 seq, more"] = function(peer, tip) return peer:mine(tip, { poh_seq = tip.poh_seq + 2 }) end,
  ["B10 seq, the same"] = function(peer, tip) return peer:mine(tip, { poh_seq = tip.poh_seq }) end,
  ["B10 hash"] = function(peer, tip) return peer:mine(tip, { poh_hash = WRONG }) end,
}

-- The same of transactions, and of such that just keep a rule.
local broken_transactions = {
  ["T1"] = { tx_id = WRONG },
  ["T2 status"] = { status = 1 },
  ["T2 height"] = { block_height = 1 },
  ["T2 gas"] = { gas_used = 1 },
  ["T3 product"] = { value = 0, gas_price = -1, gas_limit = 2 },
  ["T3 sum"] = { value = 1, gas_price = -1, gas_limit = 1 },
}

local good_transactions = {
  ["the most that fits"] = { value = 0, gas_price = -1, gas_limit = 1 },
  ["nothing"] = { value = 0, gas_price = 0, gas_limit = 0, nonce = 0 },
  ["empty data"] = { data = "" },
  ["data"] = { data = ("x"):rep(1000) },
}

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
  for ids = 1, 9 do
    local list = {}
    for i = 1, ids do list[i] = string.format("%064x", i * 77) end
    offer({ tx_ids = list }, true, ids .. " transactions")
  end
  offer({ timestamp = chain.clock() + 7205 }, false, "more than two hours ahead of the clock")
  check(node:state(peer) == "ready", "which costs nothing")

  for name, make in pairs(broken_blocks) do
    local other = net:peer()
    local way = greet(other, node)
    local block = make(other, tip)
    other:send(way, { kind = "NewBlock", block = block })
    check(ended(other, way, 5) == "ProtocolViolation", "a block that breaks " .. name .. " ends the link")
    check(node:tip() == tip.hash, "and is not taken", node:height())
    check(score(node, other) == -99, "one point for the quick answer, a hundred less for it", score(node, other))
  end
  local two = tip
  offer({}, true, "a good one")
  for name, fields in pairs(broken_transactions) do
    local before, points = node:mempool(), score(node, peer)
    peer:send(link, { kind = "NewTransaction", tx = peer:tx(fields) })
    sleep(0.5)
    check(node:mempool() == before and score(node, peer) == points - 10, "refused by " .. name, score(node, peer) - points)
  end
  for name, fields in pairs(good_transactions) do
    local before, points = node:mempool(), score(node, peer)
    local tx = peer:tx(fields)
    peer:send(link, { kind = "NewTransaction", tx = tx })
    sleep(0.5)
    check(node:mempool() == before + 1 and score(node, peer) == points + 1, "taken: " .. name, score(node, peer) - points)
    check(node:has_tx(tx.tx_id) == "pool", "and known by its id")
  end

  -- A fork of the same weight waits; one that is heavier wins, even by its last block alone.
  local fork = peer:mine(two, { timestamp = tip.timestamp })
  peer:send(link, { kind = "NewBlock", block = fork })
  sleep(1)
  check(node:tip() == tip.hash, "of two of one weight the one that came first stays")
  tip = fork
  offer({ tx_ids = {} }, true, "the heavier one wins")

  -- An orphan waits for its parent.
  local parent = peer:mine(tip)
  local child = peer:mine(parent)
  peer:send(link, { kind = "NewBlock", block = child })
  sleep(0.2)
  check(node:info().orphans == 1 and node:tip() == tip.hash, "a child without its parent waits", node:info().orphans)
  peer:send(link, { kind = "NewBlock", block = parent })
  sleep(1)
  check(node:tip() == child.hash and node:info().orphans == 0, "and is there with it", node:info().orphans)
  tip = child

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
  while left > 0 and now() < 11900 do sleep(1) end
  check(left == 0, "every part comes to its end", left)
end
