-- The small print: frames in pieces, what leaves first and what is shed, bounds of orphans and caches, decay, bans by
-- address or by name, clocks that jump, anchors, feelers, commands and their errors. As in to-the-letter.lua each part
-- has nodes of its own, and all run at once.
scenario {
  name = "small-print",
  about = "Pieces, lanes, bounds, decay, bans, anchors, feelers, commands: each as it is written.",
  duration = 12000,
  params = {
    part = "all", -- or the name of one
    latency = 40,
  },
}

local NEWEST = -1
local WRONG = ("12"):rep(32) -- a hash of nothing

-- A node that knows nobody and does little by itself.
local function alone(net, config)
  local options = { sync_interval = 100000, score_half_life = 0, feeler_interval = 0 }
  for name, value in pairs(config or {}) do options[name] = value end
  return net:spawn(1, { seeds = 0, config = options })[1]
end

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

-- Shakes hands, and tells who asks for the newest block that there is none. Returns the link, or nil and what was said.
local function greet(peer, node, changes)
  local hello = { kind = "Handshake" }
  for name, value in pairs(changes or {}) do hello[name] = value end
  local link = peer:dial(node)
  peer:send(link, hello)
  local msg, why = peer:receive(link, 5)
  if not msg or msg.kind ~= "Handshake" then return nil, msg and msg.reason or why end
  if peer:receive(link, 5, "RequestBlock") then peer:send(link, { kind = "ResponseBlock" }) end
  sleep(0.5)
  return link
end

-- A peer that is there for whoever dials it, with the chain that it is given.
local function polite(net, blocks, heard)
  return net:peer {
    on_link = function(self, link)
      if heard then heard[#heard + 1] = now() end
      self:send(link, { kind = "Handshake" })
    end,
    on_message = function(self, link, msg)
      if msg.kind == "RequestBlock" then
        self:send(link, { kind = "ResponseBlock", block = blocks and blocks[msg.height == NEWEST and #blocks or msg.height] })
      elseif msg.kind == "RequestBlockRange" then
        self:send(link, { kind = "ResponseBlockRange", blocks = table.move(blocks or {}, msg.first, msg.last, 1, {}) })
      elseif msg.kind == "Ping" then
        self:send(link, { kind = "Pong", nonce = msg.nonce })
      end
    end,
  }
end

local function grow(peer, to)
  local blocks = {}
  for i = 1, to do blocks[i] = peer:mine(blocks[i - 1]) end
  return blocks
end

local parts = {}

-- ---- bytes ----

function parts.pieces(net)
  local node, peer = alone(net, { idle_timeout = 100000, ping_after = 100000 }), net:peer()
  local link = greet(peer, node)
  local bytes, nonces = "", 0
  for nonce = 1, 3 do bytes = bytes .. peer:frame { kind = "Ping", nonce = nonce } end
  local function answered(text, want)
    local count = 0
    while true do
      local pong = peer:receive(link, 0.3, "Pong")
      if not pong then break end
      count = count + 1
    end
    check(count == want, text, count)
    nonces = nonces + count
  end
  for cut = 1, #bytes - 1 do
    peer:send_raw(link, bytes:sub(1, cut))
    sleep(0.1)
    peer:send_raw(link, bytes:sub(cut + 1))
    answered("three Pings, cut at byte " .. cut, 3)
  end
  for i = 1, #bytes do
    peer:send_raw(link, bytes:sub(i, i))
    sleep(0.05)
  end
  answered("three Pings, byte by byte", 3)

  -- Long ones, with something before and behind, in pieces of many sizes.
  local ping = peer:frame { kind = "Ping", nonce = 4 }
  for _, size in ipairs { 1, 100, 4000, 4096, 5000, 20000, 70000, 200000 } do
    for _, pieces in ipairs { 1, 2, 3, 7 } do
      local tx = peer:tx { data = ("z"):rep(size) }
      local stream = ping .. peer:frame { kind = "NewTransaction", tx = tx } .. ping
      local step = #stream // pieces + 1
      for low = 1, #stream, step do
        peer:send_raw(link, stream:sub(low, low + step - 1))
        sleep(0.3)
      end
      sleep(1)
      check(node:has_tx(tx.tx_id) == "pool", size .. " bytes in " .. pieces .. " pieces")
    end
  end
  local other = net:peer()
  local way = greet(other, node)
  local big = peer:tx { data = ("w"):rep(50000) }
  peer:send(link, { kind = "NewTransaction", tx = big })
  local got = other:receive(way, 5, "NewTransaction")
  check(got and got.tx.tx_id == big.tx_id and got.tx.data == big.data, "what is relayed is whole")

  -- Trailing bytes are ignored, and not relayed.
  local small = peer:tx()
  local frame = peer:frame { kind = "NewTransaction", tx = small }
  peer:send_raw(link, string.pack(">I4", #frame - 4 + 10) .. frame:sub(5) .. ("t"):rep(10))
  got = other:receive(way, 5, "NewTransaction")
  check(got and got.tx.tx_id == small.tx_id and got.size == #frame - 4, "and nothing that trailed", got and got.size)
end

-- Names and versions that must not be decoded, or must.
function parts.encodings(net)
  local node = alone(net)
  local function says(name, good)
    local peer = net:peer()
    local link = peer:dial(node)
    peer:send(link, { kind = "Handshake", node_id = name })
    local msg = peer:receive(link, 5)
    check((msg and msg.kind == "Handshake") == good, (good and "a name: " or "no name: ") .. #name .. " bytes", msg and msg.kind)
    peer:close(link)
  end
  for _, name in ipairs { "a", "ü", "€", "\u{D7FF}", "\u{E000}", "\u{FFFF}", "\u{10000}", "\u{10FFFF}", "\127", ("n"):rep(5000), "\u{800}", "\u{80}" } do
    says(name, true)
  end
  for _, name in ipairs { "\128", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF",
    "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xC3", "\xE2\x82", "\xF0\x90\x80", "a\xFF", "abcdefgh\xFFijklmnop", ("x"):rep(15) .. "\xFF", "\xC3(", "\xE2(\xA1", "\xE2\x82(", "\xF0(\x8C\xBC", "\xF0\x90\x8C(" } do
    says(name, false)
  end

  -- Every proper prefix of a message is an error; one byte more is not.
  local forge = net:peer()
  local block, tx = forge:mine(), forge:tx { data = "abc", status = 3 }
  local messages = {
    { kind = "NewBlock", block = block }, { kind = "NewTransaction", tx = tx }, { kind = "RequestBlock", height = 0 },
    { kind = "ResponseBlock", block = block }, { kind = "RequestBlockRange", first = 0, last = 1 }, { kind = "ResponseBlockRange", blocks = { block } },
    { kind = "Ping", nonce = 1 }, { kind = "Pong", nonce = 1 },
  }
  for _, msg in ipairs(messages) do
    local payload = forge:frame(msg):sub(5)
    for _, cut in ipairs { -1, 1, 9, 100 } do
      if cut < #payload then
        local peer = net:peer()
        local link = greet(peer, node, { node_id = "prefix" })
        local said = cut < 0 and payload .. "x" or payload:sub(1, #payload - cut)
        peer:send_raw(link, string.pack(">I4", #said) .. said)
        peer:send(link, { kind = "Ping", nonce = 9 })
        local ends = true
        repeat
          local answer = peer:receive(link, 1)
          if answer and answer.kind == "Pong" and answer.nonce == 9 then ends = false end
        until not answer
        check(ends == (cut > 0), msg.kind .. (cut > 0 and " lacks " .. cut or " and one byte more"), ends)
        peer:close(link)
      end
    end
  end
end

-- What waits for a link leaves by its lane: control, blocks, transactions, history.
function parts.lanes(net)
  local node, a, b = alone(net, { idle_timeout = 100000, ping_after = 100000, stall_timeout = 100000, outbox_soft = 300000 }), net:peer(), net:peer()
  local from, to = greet(a, node), greet(b, node)
  for _ = 1, 20 do node:submit_tx { data = ("h"):rep(40000) } end
  local fat = a:mine(nil, { tx_ids = (function()
    local ids = {}
    for i = 1, 9000 do ids[i] = string.format("%064x", i) end
    return ids
  end)() })
  a:send(from, { kind = "NewBlock", block = fat })
  sleep(5)
  while b:receive(to, 1) do end

  -- Fills whatever is on its way, so that the rest waits in the node.
  b:read(to, false)
  for _ = 1, 5 do b:send(to, { kind = "RequestBlockRange", first = 1, last = 1 }) end
  sleep(3)
  local tx, block = a:tx(), a:mine(fat)
  a:send(from, { kind = "NewTransaction", tx = tx })
  a:send(from, { kind = "NewBlock", block = block })
  sleep(1)
  b:send(to, { kind = "Ping", nonce = 77 })
  sleep(1)
  b:read(to, true)
  local order, at_of = 0, {}
  repeat
    local msg = b:receive(to, 5)
    if msg then
      order = order + 1
      at_of[msg.kind] = order
    end
  until not msg
  check(at_of.Pong and at_of.NewBlock and at_of.NewTransaction and at_of.ResponseBlockRange, "everything comes", order)
  check(at_of.Pong < at_of.NewBlock and at_of.NewBlock < at_of.NewTransaction and at_of.NewTransaction < at_of.ResponseBlockRange,
    "control, blocks, transactions, history", at_of.Pong)

  -- Above the soft bound transactions are shed, the oldest first, and nothing else.
  b:read(to, false)
  local tip = block
  local sent, blocks, last = 0, 0, nil
  for i = 1, 60 do
    last = a:tx { data = ("s"):rep(20000) }
    a:send(from, { kind = "NewTransaction", tx = last })
    sent = sent + 1
    if i % 6 == 0 then
      tip = a:mine(tip)
      a:send(from, { kind = "NewBlock", block = tip })
      blocks = blocks + 1
    end
    sleep(0.2)
  end
  local waits = entry(node, b).outbox
  check(waits > 280000 and waits <= 300000, "the outbox stays at its soft bound", waits)
  b:read(to, true)
  local heard, heights, got_last = 0, 0, false
  repeat
    local msg = b:receive(to, 5)
    if msg and msg.kind == "NewTransaction" then
      heard = heard + 1
      got_last = msg.tx.tx_id == last.tx_id
    end
    if msg and msg.kind == "NewBlock" then heights = heights + 1 end
  until not msg
  check(heights == blocks, "every block arrives", heights)

  -- What an open link can take at once is not shed.
  local burst = {}
  for i = 1, 10 do burst[i] = a:frame { kind = "NewTransaction", tx = a:tx { data = ("b"):rep(20000) } } end
  a:send_raw(from, table.concat(burst))
  local came = 0
  while b:receive(to, 3, "NewTransaction") do came = came + 1 end
  check(came == 10, "a burst goes through an open link", came)

  -- When a link is ended what waits for it is not sent any more, but for the reason.
  b:read(to, false)
  for _ = 1, 5 do b:send(to, { kind = "RequestBlockRange", first = 1, last = 1 }) end
  sleep(3)
  for _ = 1, 3 do
    a:send(from, { kind = "NewTransaction", tx = a:tx() })
    tip = a:mine(tip)
    a:send(from, { kind = "NewBlock", block = tip })
  end
  sleep(1)
  burst = {} -- what of it waits must not keep all of it in memory
  for i = 1, 3 do burst[i] = a:frame { kind = "NewTransaction", tx = a:tx { data = ("p"):rep(2000) } } end
  a:send_raw(from, table.concat(burst))
  sleep(1)
  node:disconnect(b)
  sleep(1)
  local shell = node:info().held_bytes - entry(node, a).held_bytes
  print("shell", shell)
  check(shell < 500, "and what is left of it is small", shell)
  b:read(to, true)
  local late = {}
  repeat
    local msg = b:receive(to, 5)
    if msg and (msg.kind == "NewBlock" or msg.kind == "NewTransaction") then late[#late + 1] = msg.kind end
  until not msg
  check(#late == 0, "what waits for a link that is ended is not sent", table.concat(late, " "))
end

-- Whoever breaks a rule hears why, and nothing behind it, whatever the same bytes have set off.
function parts.last_words(net)
  local function heard(peer, link)
    local kinds = {}
    repeat
      local msg, why = peer:receive(link, 5)
      if msg then kinds[#kinds + 1] = msg.kind end
    until not msg
    return table.concat(kinds, " ")
  end
  local node, peer = alone(net), net:peer()
  node:submit_tx {}
  local link = peer:dial(node)
  peer:send_raw(link, peer:frame { kind = "Handshake" } .. "\0\0\0\0")
  local all = heard(peer, link)
  check(all == "Handshake RequestBlock Disconnect", "not what was submitted here", all)

  local first, second = net:peer(), net:peer()
  local way = greet(first, node)
  link = greet(second, node)
  while second:receive(link, 0.5) do end
  local parent = first:mine()
  local child = first:mine(parent)
  first:send(way, { kind = "NewBlock", block = child })
  sleep(1)
  check(node:info().orphans == 1, "a block waits for its parent", node:info().orphans)
  second:send_raw(link, second:frame { kind = "NewBlock", block = parent } .. "\0\0\0\0")
  all = heard(second, link)
  check(all:match("%a+$") == "Disconnect" and not all:find("NewBlock"), "nor the block that waited for its own", all)
  check(node:tip() == child.hash, "which is there", node:height())
end

-- Above the hard bound it is the transactions that go, and the link stays.
function parts.hard_bound(net)
  local node = alone(net, { outbox_soft = 8 << 20, outbox_hard = 16 << 20, peer_bytes_max = 64 << 20,
    idle_timeout = 100000, ping_after = 100000, stall_timeout = 100000 })
  local a, b = net:peer(), net:peer()
  local from, to = greet(a, node), greet(b, node)
  local ids, tip = {}, nil
  for i = 1, 9000 do ids[i] = string.format("%064x", i) end
  for _ = 1, 30 do
    tip = a:mine(tip, { tx_ids = ids })
    a:send(from, { kind = "NewBlock", block = tip })
    sleep(0.2)
  end
  sleep(5)
  while b:receive(to, 1) do end
  check(node:height() == 30, "thirty large blocks", node:height())
  b:read(to, false)
  b:send(to, { kind = "RequestBlockRange", first = 1, last = 30 })
  sleep(3)
  local answer = entry(node, b).outbox
  check(answer > 8000000, "an answer of them waits", answer)
  for _ = 1, 100 do
    a:send(from, { kind = "NewTransaction", tx = a:tx { data = ("s"):rep(100000) } })
    sleep(0.1)
  end
  sleep(1)
  check(node:mempool() == 100, "a hundred large transactions are pooled", node:mempool())
  local waits = entry(node, b).outbox
  check(node:state(b) == "ready" and waits < 16 << 20, "who does not read them keeps his link", waits)
  for _ = 1, 60 do b:send(to, { kind = "RequestBlock", height = 0 }) end
  sleep(1)
  local holds = entry(node, b).held_bytes - waits
  check(holds > 60 * 24 and holds < 10000, "what he asks for as well is held in few bytes", holds)
  b:read(to, true)
  local blocks = b:receive(to, 60, "ResponseBlockRange")
  check(blocks and #blocks.blocks == 30, "and gets his answer", blocks and #blocks.blocks)
end

-- A link on which nothing is under way makes the node hold its record and its names.
function parts.idle(net)
  local node, asked, asks = alone(net, { idle_timeout = 100000, ping_after = 100000 }), net:peer(), net:peer()
  greet(asked, node)
  local link = greet(asks, node)
  for _ = 1, 5 do asks:send(link, { kind = "RequestBlock", height = 0 }) end
  sleep(200)
  for _, peer in ipairs { asked, asks } do
    local holds = entry(node, peer).held_bytes
    check(holds < 450, "an idle link is small", holds)
  end
end

-- One name with two versions is one node that was upgraded, or two that were copied; to whom they talk is the same.
function parts.namesakes(net)
  for _, version in ipairs { "0.1.0", "0.1.7", "0.1.0", "0.2.0" } do
    local node, peer = alone(net), net:peer()
    local link = greet(peer, node, { node_id = "namesake", version = version })
    check(link and entry(node, peer).version == version, "each node knows the version that it was told", version)
    at(now() + 5, function() peer:close(link) end)
  end
end

-- ---- bounds ----

function parts.orphans(net)
  local like = { height = 9, hash = WRONG, timestamp = chain.clock(), difficulty = 100, total_difficulty = 1000, poh_seq = 9 }
  local function lost(peer, i)
    local parent = {}
    for name, value in pairs(like) do parent[name] = value end
    parent.hash = string.format("%064x", i)
    return peer:mine(parent)
  end
  -- The oldest gives way.
  local node, peer = alone(net, { orphans_max = 3, response_timeout = 100000, idle_timeout = 100000, ping_after = 100000 }), net:peer()
  local link = greet(peer, node)
  local pairs_of = {}
  for i = 1, 5 do
    local parent = peer:mine()
    pairs_of[i] = { parent, peer:mine(parent) }
    peer:send(link, { kind = "NewBlock", block = pairs_of[i][2] })
  end
  sleep(1)
  check(node:info().orphans == 3, "three orphans and no more", node:info().orphans)
  local kept = 0
  for i = 1, 5 do
    peer:send(link, { kind = "NewBlock", block = pairs_of[i][1] })
    sleep(0.5)
    if i == 2 then check(node:height() == 1, "the two that came first are gone", node:height()) end
    if i == 3 then check(node:height() == 2, "the third is there", node:height()) end
    kept = node:info().orphans
  end
  check(kept == 0, "all found their parents", kept)

  -- By bytes as well.
  local narrow, other = alone(net, { orphan_bytes_max = 1200, response_timeout = 100000, idle_timeout = 100000, ping_after = 100000 }), net:peer()
  link = greet(other, narrow)
  for i = 1, 8 do other:send(link, { kind = "NewBlock", block = lost(other, i) }) end
  sleep(1)
  check(narrow:info().orphans == 5, "five of 224 bytes in 1200", narrow:info().orphans)

  -- A hundred, by default; several on one parent all follow it.
  local wide, third = alone(net, { response_timeout = 100000, idle_timeout = 100000, ping_after = 100000 }), net:peer()
  link = greet(third, wide)
  for i = 1, 105 do third:send(link, { kind = "NewBlock", block = lost(third, i) }) end
  sleep(1)
  check(wide:info().orphans == 100, "a hundred orphans", wide:info().orphans)
  local parent = third:mine()
  local children = {}
  for i = 1, 4 do
    children[i] = third:mine(parent, { timestamp = parent.timestamp + i })
    third:send(link, { kind = "NewBlock", block = children[i] })
  end
  local grandchild = third:mine(children[3])
  third:send(link, { kind = "NewBlock", block = grandchild })
  sleep(1)
  check(wide:info().orphans == 100, "a hundred still", wide:info().orphans)
  third:send(link, { kind = "NewBlock", block = parent })
  sleep(1)
  check(wide:tip() == grandchild.hash, "children and grandchildren follow", wide:height())
  check(wide:info().orphans == 95, "all five of them", wide:info().orphans)
end

-- Only so many bodies are in memory: the rest comes from the disk, and is the same.
function parts.caches(net)
  local node, peer = alone(net, { cached_blocks = 10 }), net:peer()
  sleep(1) -- what is mined while it still reads its disk is not all written
  node:mine(60)
  sleep(2)
  local link = greet(peer, node)
  for _, case in ipairs { { 1, 60 }, { 0, 60 }, { 45, 55 }, { 50, 51 }, { 51, 60 }, { 49, 50 }, { 1, 1 }, { 60, 60 }, { 0, 0 } } do
    peer:send(link, { kind = "RequestBlockRange", first = case[1], last = case[2] })
    local msg = peer:receive(link, 5, "ResponseBlockRange")
    local good = msg and #msg.blocks == case[2] - case[1] + 1
    for i, block in ipairs(msg and msg.blocks or {}) do good = good and block.hash == node:block_hash(case[1] + i - 1) end
    check(good, "heights " .. case[1] .. " to " .. case[2], msg and #msg.blocks)
  end
  for _, height in ipairs { 1, 50, 51, 60 } do
    peer:send(link, { kind = "RequestBlock", height = height })
    local msg = peer:receive(link, 5, "ResponseBlock")
    check(msg and msg.block and msg.block.hash == node:block_hash(height), "height " .. height)
  end
  -- A disk that fails makes an answer shorter, and a fault of its own is nobody's.
  node:disk { fail_loads = 1 }
  peer:send(link, { kind = "RequestBlockRange", first = 1, last = 60 })
  local msg = peer:receive(link, 10, "ResponseBlockRange")
  check(msg and #msg.blocks == 0, "nothing from a disk that fails", msg and #msg.blocks)
  peer:send(link, { kind = "RequestBlockRange", first = 51, last = 60 })
  msg = peer:receive(link, 10, "ResponseBlockRange")
  check(msg and #msg.blocks == 10, "what is in memory all the same", msg and #msg.blocks)
  node:disk "good"
  -- One that leaves the chain below what is in memory is known, and not held.
  peer:send(link, { kind = "RequestBlock", height = 20 })
  local old = peer:receive(link, 5, "ResponseBlock").block
  local side = peer:mine(old)
  peer:send(link, { kind = "NewBlock", block = side })
  peer:send(link, { kind = "NewBlock", block = peer:mine(side) })
  sleep(1)
  check(node:height() == 60 and node:block_hash(21) ~= side.hash and node:info().orphans == 0, "a branch from far below loses")
  check(node:state(peer) == "ready" and score(node, peer) == 21, "and is good all the same", score(node, peer))

  -- A branch that wins is written down, too.
  peer:send(link, { kind = "RequestBlock", height = 52 })
  local fork = peer:receive(link, 5, "ResponseBlock").block
  local blocks = {}
  for i = 53, 65 do
    fork = peer:mine(fork)
    blocks[i] = fork
    peer:send(link, { kind = "NewBlock", block = fork })
  end
  sleep(2)
  check(node:tip() == fork.hash, "a heavier branch wins", node:height())
  peer:send(link, { kind = "RequestBlockRange", first = 35, last = 65 })
  msg = peer:receive(link, 5, "ResponseBlockRange")
  check(msg and #msg.blocks == 31 and msg.blocks[20].hash == blocks[54].hash, "and is what is given", msg and #msg.blocks)
  node:kill()
  sleep(1)
  node:restart()
  sleep(2)
  check(node:tip() == fork.hash, "and read again", node:height())
end

-- More links than a word has bits.
function parts.crowd(net)
  local node = alone(net, { max_inbound = 150, max_outbound = 0 })
  local heard, crowd, links = {}, {}, {}
  for i = 1, 140 do
    crowd[i] = net:peer {
      on_link = function(self, link)
        self:send(link, { kind = "Handshake" })
        links[i] = link
      end,
      on_message = function(self, link, msg)
        if msg.kind == "RequestBlock" then self:send(link, { kind = "ResponseBlock" }) end
        if msg.kind == "NewTransaction" or msg.kind == "NewBlock" then heard[i] = (heard[i] or 0) + 1 end
      end,
    }
    crowd[i]:dial(node)
    sleep(0.01)
  end
  sleep(2)
  check(node:info().inbound == 140, "a hundred and forty links", node:info().inbound)
  local tx, block = crowd[140]:tx(), crowd[140]:mine()
  for _ = 1, 2 do crowd[140]:send(links[140], { kind = "NewTransaction", tx = tx }) end
  sleep(1)
  check(score(node, crowd[140]) == 1 + 1 - 2, "who says it twice is noticed", score(node, crowd[140]))
  for _ = 1, 2 do crowd[140]:send(links[140], { kind = "NewBlock", block = block }) end
  sleep(1)
  check(score(node, crowd[140]) == 10 - 2, "with blocks, too", score(node, crowd[140]))
  local right = 0
  for i = 1, 139 do right = right + (heard[i] == 2 and 1 or 0) end
  check(right == 139 and not heard[140], "all others hear both, once", right)

  -- What one brought is not laid to the account of who has its place after it, whoever else said the same.
  local first, second = net:peer(), net:peer()
  local way, other = greet(first, node), greet(second, node)
  local big = first:tx { data = ("q"):rep(20000) }
  first:send(way, { kind = "NewTransaction", tx = big })
  sleep(0.5)
  second:send(other, { kind = "NewTransaction", tx = big })
  for i = 60, 140, 5 do crowd[i]:send(links[i], { kind = "NewTransaction", tx = big }) end
  sleep(0.5)
  check(entry(node, first).held_bytes > 20000, "it is of who brought it", entry(node, first).held_bytes)
  first:close(way)
  sleep(1)
  local next_one = net:peer()
  greet(next_one, node)
  check(entry(node, next_one).held_bytes < 5000, "and of nobody else", entry(node, next_one).held_bytes)
end

-- A chain that is longer than what a node may hold before its disk has it.
function parts.long_chain(net)
  local long, fresh = alone(net, { difficulty = 1 }), alone(net, { difficulty = 1 })
  sleep(1)
  for _ = 1, 9 do
    long:mine(500)
    sleep(0.5)
  end
  fresh:connect(long)
  wait("it is fetched to the end", 300, function() return fresh:height() == 4500, fresh:height() end)
  sleep(1)
  fresh:kill()
  sleep(1)
  fresh:restart()
  wait("and read again from the disk", 300, function() return fresh:height() == 4500, fresh:height() end)

  -- The same by bytes: 17 MiB that came by are held no longer than the disk needs.
  local node, peer, ids, blocks = alone(net, { difficulty = 1 }), net:peer(), {}, {}
  for i = 1, 10000 do ids[i] = string.format("%064x", i) end
  local tip = chain.genesis(nil, 1)
  local link = greet(peer, node)
  node:disk { latency = 2 }
  for i = 1, 56 do
    tip = peer:mine(tip, { tx_ids = ids })
    blocks[i] = tip
    peer:send(link, { kind = "NewBlock", block = tip })
    sleep(0.2)
  end
  check(node:height() >= 55, "large blocks", node:height())
  for i = 57, 60 do blocks[i] = peer:mine(blocks[i - 1]) end
  node:connect(polite(net, blocks))
  wait("it goes on catching up at once", 1.2, function() return node:height() == 60, node:height() end)
end

-- Of what one link brings only so much is kept, until blocks have taken it.
function parts.accounts(net)
  local node, peer = alone(net, { peer_bytes_max = 20000, orphan_bytes_max = 2000 }), net:peer()
  local link = greet(peer, node)
  local function offer(n)
    for _ = 1, n do peer:send(link, { kind = "NewTransaction", tx = peer:tx { data = ("a"):rep(500) } }) end
    sleep(1)
    return node:mempool()
  end
  local first = offer(60)
  check(first > 15 and first < 30, "what it brings is bounded", first)
  check(offer(10) == first, "and stays so", node:mempool())
  local other = net:peer()
  local way = greet(other, node)
  other:send(way, { kind = "NewTransaction", tx = other:tx() })
  sleep(0.5)
  check(node:mempool() == first + 1, "another may bring more", node:mempool())
  node:mine()
  sleep(0.5)
  check(node:mempool() == 0, "a block takes them", node:mempool())
  check(offer(60) == first, "then there is room again", node:mempool())
end

-- A block that is good on another chain is judged by each chain's own rules.
function parts.realms(net)
  local here, there = alone(net), alone(net, { difficulty = 50 })
  local forge = net:peer()
  local block = forge:mine()
  local child = forge:mine(block)
  for _, case in ipairs { { block, here, true }, { child, here, true }, { child, there, false } } do
    local peer = net:peer()
    local link = greet(peer, case[2])
    peer:send(link, { kind = "NewBlock", block = case[1] })
    sleep(1)
    check((case[2]:state(peer) == "ready") == case[3], "a block of difficulty 100 " .. (case[3] and "here" or "elsewhere"), case[2]:state(peer))
  end
  check(here:height() == 2 and there:height() == 0 and there:info().orphans == 0, "and changes nothing there", there:info().orphans)
end

-- Transactions of blocks that are no longer on the best chain.
function parts.reorganised(net)
  local node, peer = alone(net), net:peer()
  local link = greet(peer, node)
  local known, unknown = peer:tx(), ("34"):rep(32)
  peer:send(link, { kind = "NewTransaction", tx = known })
  local function branch(from, ...)
    local tip = from
    for _, tx_ids in ipairs { ... } do
      tip = peer:mine(tip, { tx_ids = tx_ids, timestamp = (tip and tip.timestamp or chain.clock()) + 1 })
      peer:send(link, { kind = "NewBlock", block = tip })
    end
    sleep(1)
    check(node:tip() == tip.hash, "the heavier branch wins", node:height())
    return tip
  end
  local function where(text, of_known, of_unknown)
    check(node:has_tx(known.tx_id) == of_known, text .. ": one that it knew", node:has_tx(known.tx_id))
    check(node:has_tx(unknown) == of_unknown, text .. ": one of which it has the id alone", node:has_tx(unknown))
  end
  local first = branch(nil, { known.tx_id, unknown })
  where("taken", "block", "block")
  branch(first, { known.tx_id })
  branch(first, {}, {})
  where("taken twice and given back once", "block", "block")
  branch(nil, {}, {}, {}, {})
  where("given back", "pool", nil)
end

-- What came of a branch while it was lighter is there when it wins, and gone when its leader leaves it.
function parts.branches(net)
  local node, forge = alone(net, { response_timeout = 20 }), net:peer()
  sleep(1)
  node:mine(150)
  local one, other = grow(forge, 260), {}
  for i = 1, 260 do other[i] = forge:mine(other[i - 1], { timestamp = (other[i - 1] or one[1]).timestamp + 2 }) end
  local serves, silent = one, false
  local leader = net:peer {
    on_message = function(self, link, msg)
      if msg.kind == "RequestBlock" and not silent then
        self:send(link, { kind = "ResponseBlock", block = msg.height ~= NEWEST and serves[msg.height] or nil })
      elseif msg.kind == "RequestBlockRange" and not silent then
        self:send(link, { kind = "ResponseBlockRange", blocks = table.move(serves, msg.first, msg.last, 1, {}) })
        if serves == one then serves = other end -- after its first hundred, for good
      elseif msg.kind == "Ping" then
        self:send(link, { kind = "Pong", nonce = msg.nonce })
      end
    end,
  }
  local function show(block)
    local link = leader:dial(node)
    leader:send(link, { kind = "Handshake" })
    sleep(1)
    leader:send(link, { kind = "NewBlock", block = block })
    sleep(15)
    return link
  end
  show(one[260])
  check(node:tip() == other[260].hash, "it follows who changes his mind", node:height())
  node:kill()
  sleep(1)
  node:restart()
  sleep(3)
  check(node:tip() == other[260].hash, "and has all of it on its disk", node:height())

  -- One that is killed in the middle of it comes back with what it had.
  local second = alone(net, { response_timeout = 20 })
  sleep(1)
  second:mine(150)
  sleep(1)
  local tip = second:tip()
  local half = net:peer {
    on_message = function(self, link, msg)
      if msg.kind == "RequestBlock" then
        self:send(link, { kind = "ResponseBlock", block = msg.height ~= NEWEST and one[msg.height] or nil })
      elseif msg.kind == "RequestBlockRange" and msg.first == 1 then
        self:send(link, { kind = "ResponseBlockRange", blocks = table.move(one, msg.first, msg.last, 1, {}) })
      end
    end,
  }
  local link = half:dial(second)
  half:send(link, { kind = "Handshake" })
  sleep(1)
  half:send(link, { kind = "NewBlock", block = one[260] })
  sleep(5)
  check(second:tip() == tip, "a hundred blocks of a lighter branch change nothing", second:height())
  second:kill()
  sleep(1)
  second:restart()
  sleep(3)
  check(second:tip() == tip, "nor does a restart", second:height())
end

-- ---- time ----

function parts.decay(net)
  local node, peer = alone(net, { score_half_life = 1600, idle_timeout = 100000, ping_after = 100000 }), net:peer()
  local link = greet(peer, node)
  for _ = 1, 63 do peer:send(link, { kind = "NewTransaction", tx = peer:tx() }) end
  sleep(1)
  local began = now()
  -- What an idle node says is of the time when it was last woken.
  local function points()
    peer:send(link, { kind = "Ping", nonce = 1 })
    sleep(0.2)
    return score(node, peer)
  end
  check(points() == 64, "64 points", points())
  for _, case in ipairs { { 97, 64 }, { 105, 61 }, { 205, 58 }, { 805, 45 }, { 1605, 32 }, { 1705, 30 }, { 3205, 16 } } do
    sleep(began + case[1] - now())
    local got = points()
    check(got == case[2], "after " .. case[1] .. " s: " .. case[2], got)
  end
  peer:send(link, { kind = "NewTransaction", tx = peer:tx { gas_used = 1 } })
  for _ = 1, 4 do peer:send(link, { kind = "NewTransaction", tx = peer:tx { gas_used = 1 } }) end
  sleep(1)
  check(score(node, peer) == -34, "from what is left", score(node, peer))
  sleep(1600)
  local got = points()
  check(got == -17, "bad ones decay as well", got)
  sleep(6000)
  got = points()
  check(got == 0 or got == -1, "to nothing", got)
end

-- ---- bans ----

function parts.bans(net)
  for _, by in ipairs { "ip", "id", "auto" } do
    local node, peer = alone(net, { ban_by = by }), net:peer()
    local link = greet(peer, node, { node_id = "bad" })
    node:ban(peer)
    sleep(1)
    local same, why = greet(peer, node, { node_id = "bad" })
    check(same == nil and why == "ProtocolViolation", by .. ": the same is refused", why)
    local renamed = greet(peer, node, { node_id = "another" })
    check((renamed ~= nil) == (by == "id"), by .. ": under another name", renamed)
    local elsewhere = greet(net:peer(), node, { node_id = "bad" })
    check((elsewhere ~= nil) == (by ~= "id"), by .. ": from elsewhere", elsewhere)
    check(link ~= nil, by .. ": it was welcome before")
  end

  -- A ban is of running time: the wall clock may jump, and the process may end.
  local node, peer = alone(net), net:peer()
  greet(peer, node)
  local began = now()
  node:ban(peer, 600)
  sleep(5)
  node:skew(5000)
  sleep(5)
  check(greet(peer, node) == nil, "a clock that jumps lifts no ban")
  node:kill()
  sleep(2)
  node:restart()
  sleep(5)
  check(node:info().banned == 1 and greet(peer, node) == nil, "nor does it while the node is down", node:info().banned)
  sleep(began + 590 - now())
  check(greet(peer, node) == nil, "to the end")
  sleep(began + 615 - now())
  check(greet(peer, node) ~= nil, "and not longer")

  -- A ban that the disk does not take is told again.
  local other, foe = alone(net), net:peer()
  greet(foe, other)
  other:disk { fail_stores = 1 }
  other:ban(foe, 600)
  sleep(3)
  other:disk "good"
  sleep(5)
  other:kill()
  sleep(1)
  other:restart()
  sleep(3)
  check(greet(foe, other) == nil, "a ban that could not be stored at first is stored later")

  -- Whom a node banned it does not dial.
  local third, calls = alone(net), {}
  local callee = polite(net, nil, calls)
  third:ban(callee, 100)
  third:add_peer(callee)
  sleep(90)
  check(#calls == 0, "a banned address is not dialled", #calls)
  wait("until the ban is over", 150, function() return #calls > 0 end)
end

-- What is over counts no more, though the network has not said so yet; what is being dialled can be banned.
function parts.states(net)
  local node, gone, next_one = alone(net), net:peer(), net:peer()
  local link = greet(gone, node, { node_id = "twin" })
  check(link ~= nil, "one of that name is there")
  local hole = net:blackhole(gone)
  node:disconnect(gone)
  local welcome, why = greet(next_one, node, { node_id = "twin" })
  check(welcome ~= nil, "whose link is over is not in the way", why)
  check(node:ready() == 1, "one link", node:ready())
  hole:heal()

  local caller, silent = alone(net), net:peer()
  net:blackhole(silent)
  caller:add_peer(silent)
  sleep(2)
  check(caller:state(silent) == "connecting", "a dial is under way", caller:state(silent))
  caller:ban(silent)
  sleep(1)
  check(caller:state(silent) == "banned" and caller:info().connecting == 0, "a ban ends it", caller:state(silent))
end

-- So many identities are remembered; the one that came first is forgotten, if it is not banned.
function parts.identities(net)
  local node = alone(net, { known_peers = 1, max_outbound = 0 })
  local peers = {}
  local function visit(i, bad)
    peers[i] = peers[i] or net:peer()
    local link = greet(peers[i], node)
    if not link then return nil end
    if bad then peers[i]:send(link, { kind = "NewTransaction", tx = peers[i]:tx { gas_used = 1 } }) end
    sleep(0.5)
    local points = score(node, peers[i])
    peers[i]:close(link)
    sleep(1)
    return points
  end
  for i = 1, 4 do check(visit(i, true) == -9, "a bad visit", i) end
  check(visit(2) == -8 and visit(1) == -8, "four are remembered")
  check(visit(5, true) == -9, "a fifth comes")
  check(visit(1) == 1, "the first is forgotten for it")
  check(visit(5) == -8 and visit(4) == -8 and visit(3) == -8, "and later ones are not")
  node:ban(peers[3], 100000)
  sleep(1)
  for i = 6, 12 do check(visit(i, true) == -9, "others come", i) end
  check(visit(3) == nil, "a ban is not forgotten")
  check(visit(4) == 1, "who was not banned is")
end

-- ---- whom to dial ----

function parts.anchors(net)
  local node = alone(net, { max_outbound = 3, feeler_interval = 4 })
  local all, calls = {}, {}
  for i = 1, 12 do
    calls[i] = {}
    all[i] = polite(net, nil, calls[i])
    node:add_peer(all[i])
  end
  wait("it has met all of them", 600, function()
    for i = 1, 12 do if #calls[i] == 0 then return false, i end end
    return true
  end)
  local function linked()
    local now_ready = {}
    for i, peer in ipairs(all) do
      local e = entry(node, peer)
      if e and e.state == "ready" and e.class == "peer" then now_ready[#now_ready + 1] = i end
    end
    return now_ready
  end
  -- The two that have been there longest are the anchors; the third is whoever comes.
  wait("three links", 20, function() return #linked() == 3 end)
  local first, again = linked(), {}
  for _, i in ipairs(first) do again[i] = 0 end
  for _ = 1, 6 do
    node:kill()
    sleep(5)
    node:restart()
    sleep(1)
    for _, i in ipairs(linked()) do
      if again[i] then again[i] = again[i] + 1 end
    end
  end
  local always_there = 0
  for _, n in pairs(again) do always_there = always_there + (n == 6 and 1 or 0) end
  check(always_there == 2, "after each restart it dials the same two, and another", always_there)
  check(node:info().known > 9, "and knows the others", node:info().known)
  node:shutdown()
  sleep(2)
  check(node:ready() == 0, "a shutdown ends all", node:ready())
  sleep(100)
  check(node:ready() == 0, "for good", node:ready())
end

-- A feeler that finds a better chain stays, in the place of another.
function parts.feelers(net)
  local forge = net:peer()
  local blocks = grow(forge, 30)
  local node = alone(net, { max_outbound = 1, feeler_interval = 20 })
  local guest = net:peer()
  local link = greet(guest, node)
  local stays = every(20, function() guest:send(link, { kind = "Ping" }) end)
  local dull = polite(net)
  node:add_peer(dull)
  sleep(3)
  local bright = polite(net, blocks)
  node:add_peer(bright)
  wait("a feeler finds the better chain", 300, function() return node:tip() == blocks[30].hash end)
  wait("and stays", 5, function() return node:state(bright) == "ready" and node:info().outbound == 1 end)
  check(node:state(dull) ~= "ready", "in the place of the other", node:state(dull))
  check(node:state(guest) == "ready", "who came by himself stays as well", node:state(guest))
  local calls = {}
  node:add_peer(polite(net, blocks, calls))
  wait("and the next feeler goes out", 600, function() return #calls > 0 end)
  stays:stop()

  -- One at a time, however slow they are.
  local patient, most = alone(net, { max_outbound = 0, feeler_interval = 2, response_timeout = 20 }), 0
  for _ = 1, 10 do
    patient:add_peer(net:peer { on_link = function(self, way) self:send(way, { kind = "Handshake" }) end })
  end
  for _ = 1, 100 do
    local n = 0
    for _, p in ipairs(patient:peers()) do n = n + (p.class == "feeler" and 1 or 0) end
    most = math.max(most, n)
    sleep(0.5)
  end
  check(most == 1, "one feeler at a time", most)

  -- Whom it judges by name it forgets with the name.
  local named = alone(net, { ban_by = "id", known_peers = 3, max_outbound = 0 })
  sleep(1)
  for _ = 1, 6 do
    local peer = polite(net)
    named:connect(peer)
    sleep(1)
    check(named:state(peer) == "ready", "a link by command")
    named:disconnect(peer)
    sleep(1)
  end
  check(named:info().known == 3, "three are known", named:info().known)

  -- Of a full list the worst is forgotten, and no seed.
  local small = alone(net, { max_outbound = 0, known_peers = 4 })
  for i = 1, 2 do small:add_peer(polite(net)) end
  local many = net:peer { on_message = function() end }
  for port = 1, 6 do
    link = many:dial(small)
    many:send(link, { kind = "Handshake", node_id = "p" .. port, listen = "127.0.0.1:" .. 2000 + port })
    sleep(1)
    many:close(link)
    sleep(1)
  end
  local ports, seeds = {}, 0
  for _, p in ipairs(small:peers()) do
    local port = tonumber(p.addr:match(":(%d+)$"))
    if port > 2000 and port < 2010 then ports[#ports + 1] = port - 2000 else seeds = seeds + 1 end
  end
  table.sort(ports)
  check(small:info().known == 4 and seeds == 2, "seeds stay", seeds)
  check(table.concat(ports, " ") == "5 6", "of the others those seen last", table.concat(ports, " "))
end

-- ---- commands ----

function parts.commands(net)
  local node, peer = alone(net), net:peer()
  local function refused(text, ok, why) check(ok == nil and type(why) == "string" and #why > 0, text, why) end
  refused("a link that is not there cannot be ended", node:disconnect(peer))
  local link = greet(peer, node)
  check(node:disconnect(peer) == true, "one that is can")
  sleep(1)
  check(node:state(peer) ~= "ready", "and is over")
  local friend = polite(net)
  check(node:connect(friend) == true, "a link is made by command")
  sleep(1)
  check(node:state(friend) == "ready", "and ready")
  refused("it is not made twice", node:connect(friend))
  refused("no address that cannot be dialled", node:connect "127.0.0.1:0")
  refused("no multicast address", node:connect "224.0.0.1:8765")
  refused("nor one of nothing", node:connect "0.0.0.0:8765")
  refused("they are not known either", node:add_peer "224.0.0.1:8765")
  check(node:add_peer "223.255.255.255:8765" == true, "the last that is no multicast")
  local id = node:submit_tx { sender = WRONG, nonce = 1, timestamp = chain.clock(), value = 1, recipient = WRONG, gas_price = 1, gas_limit = 1, data = "d" }
  check(id and node:has_tx(id) == "pool", "a transaction is taken")
  refused("not twice", node:submit_tx { sender = WRONG, nonce = 1, timestamp = chain.clock(), value = 1, recipient = WRONG, gas_price = 1,
    gas_limit = 1, data = "d" })
  refused("nor an old one", node:submit_tx { timestamp = chain.clock() - 4000 })
  for nonce = 2, 100 do node:submit_tx { sender = WRONG, nonce = nonce } end
  check(node:mempool() == 100, "a hundred of one sender", node:mempool())
  refused("nor one more", node:submit_tx { sender = WRONG, nonce = 101 })
  check(node:mine(3) == true and node:height() == 3, "three blocks", node:height())
  check(node:mempool() == 0, "which take all", node:mempool())
  check(node:unban(peer) == true, "nobody's ban may be lifted")
  check(node:mine_every(5) == true, "it mines by itself")
  sleep(500)
  local height = node:height()
  check(height > 60 and height < 150, "every five seconds or so", height)
  check(node:mine_every(0) == true, "until it is told not to")
  sleep(100)
  check(node:height() == height, "and stops", node:height())

  -- Not more transactions in a block than it may choose, and the oldest first.
  local few = alone(net, { mine_max_txs = 2 })
  local ids = {}
  for i = 1, 5 do ids[i] = few:submit_tx {} end
  few:mine()
  check(few:mempool() == 3 and few:has_tx(ids[1]) == "block" and few:has_tx(ids[2]) == "block" and few:has_tx(ids[3]) == "pool",
    "two at a time, the first ones", few:mempool())

  -- What a node that is shut down does not do.
  few:shutdown()
  sleep(1)
  check(greet(net:peer(), few) == nil, "nobody gets in after a shutdown")
  check(few:info().online == 0 or few:info().online == false or few:info().online == nil, "it is not online")
end

-- Pings by command: each is answered, the last one measures, and who answers what was asked is not blamed.
function parts.pings(net)
  local node, heard = alone(net, { unasked_rate = 1, unasked_burst = 1024 }), 0
  local peer = net:peer {
    on_link = function(self, link) self:send(link, { kind = "Handshake" }) end,
    on_message = function(self, link, msg)
      if msg.kind == "RequestBlock" then self:send(link, { kind = "ResponseBlock" }) end
      if msg.kind == "Ping" then
        heard = heard + 1
        self:send(link, { kind = "Pong", nonce = msg.nonce })
      end
    end,
  }
  local function refused(text, ok, why) check(ok == nil and type(why) == "string" and #why > 0, text, why) end
  refused("nobody is there to ping", node:ping(peer))
  peer:dial(node)
  sleep(2)
  local idle = entry(node, peer).held_bytes
  refused("no Ping is none", node:ping(peer, 0))
  refused("ten thousand and one are too many", node:ping(peer, 10001))
  check(heard == 0, "nothing of that is sent", heard)
  for _, n in ipairs { 1, 2, 100, 10000 } do
    local before = heard
    check(node:ping(peer, n) == true, n .. " Pings by command")
    sleep(5)
    check(heard - before == n, n .. " arrive", heard - before)
    check(node:state(peer) == "ready", "who answers them is not blamed", node:state(peer))
    check(entry(node, peer).held_bytes == idle, "and nothing is left of them", entry(node, peer).held_bytes - idle)
  end
  local rtt = entry(node, peer).rtt
  check(rtt > 0.07 and rtt < 0.2, "the last one measures", rtt)
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
