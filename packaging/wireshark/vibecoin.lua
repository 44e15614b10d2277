-- Wireshark's dissector for VibeCoin's peer-to-peer protocol 0.1: frames on TCP port 8765, on any other
-- port by Decode As or where a stream looks like it. For Lua 5.2 to 5.4 (Wireshark 4.0 and later).
--
-- The happy path: TCP's segments are put together to frames (a length, big-endian, and a payload), a
-- cursor reads the payload field by field, as bincode 1.3 wrote it. Whatever a peer sent, nothing here
-- raises an error: a cursor that runs out of bytes, or finds what cannot be, is marked and reads no more.
-- Section numbers are those of the protocol's document.

local vibecoin = Proto("vibecoin", "VibeCoin")

local FRAME_MAX = 10485760 -- 1
local HASH = 32
local BLOCK_MIN = 224      -- 3

local KINDS = {
  [0] = "Handshake", "NewBlock", "NewTransaction", "RequestBlock", "ResponseBlock", "RequestBlockRange",
  "ResponseBlockRange", "Ping", "Pong", "Disconnect",
}
local REASONS = {
  [0] = "Shutdown", "ProtocolViolation", "IncompatibleVersion", "TooManyConnections", "DuplicateConnection",
  "Timeout",
}
local STATUSES = { [0] = "Pending", "Included", "Confirmed", "Failed" }
local ERRORS = {
  [0] = "InsufficientBalance", "InvalidNonce", "OutOfGas", "ExecutionError", "InvalidSignature", "Other",
}
local FAMILIES = { [0] = "IPv4", "IPv6" }
local OPTIONS = { [0] = "none", "some" }

-- ---- fields, experts ----

local f = {}

local function field(kind, name, text, ...)
  f[name] = ProtoField[kind]("vibecoin." .. name, text, ...)
end

field("uint32", "length", "Payload length", base.DEC)
field("uint32", "msg", "Message", base.DEC, KINDS)
field("string", "version", "Version")
field("string", "node_id", "Node id")
field("uint32", "listen.family", "Listen address family", base.DEC, FAMILIES)
field("ipv4", "listen.ip", "Listen address")
field("ipv6", "listen.ip6", "Listen address")
field("uint16", "listen.port", "Listen port", base.DEC)
field("uint64", "height", "Height", base.DEC)
field("uint64", "start", "First height", base.DEC)
field("uint64", "end", "Last height", base.DEC)
field("uint64", "nonce", "Nonce", base.HEX)
field("uint32", "reason", "Reason", base.DEC, REASONS)
field("uint8", "option", "Answer", base.DEC, OPTIONS)
field("uint64", "blocks", "Blocks", base.DEC)
field("bytes", "trailing", "Trailing bytes")

field("none", "block", "Block")
field("uint64", "block.height", "Height", base.DEC)
field("bytes", "block.hash", "Hash")
field("bytes", "block.prev_hash", "Previous hash")
field("uint64", "block.timestamp", "Timestamp", base.DEC)
field("uint64", "block.tx_count", "Transactions", base.DEC)
field("bytes", "block.tx", "Transaction id")
field("bytes", "block.state_root", "State root")
field("bytes", "block.tx_root", "Transaction root")
field("uint64", "block.nonce", "Nonce", base.DEC)
field("uint64", "block.poh_seq", "PoH sequence", base.DEC)
field("bytes", "block.poh_hash", "PoH hash")
field("uint64", "block.difficulty", "Difficulty", base.DEC)
field("uint64", "block.total_difficulty", "Total difficulty", base.DEC)
field("uint64", "block.total_difficulty_high", "Total difficulty, upper 64 bits", base.DEC)

field("none", "tx", "Transaction")
field("bytes", "tx.id", "Id")
field("bytes", "tx.sender", "Sender")
field("bytes", "tx.recipient", "Recipient")
field("uint64", "tx.value", "Value", base.DEC)
field("uint64", "tx.gas_price", "Gas price", base.DEC)
field("uint64", "tx.gas_limit", "Gas limit", base.DEC)
field("uint64", "tx.gas_used", "Gas used", base.DEC)
field("uint64", "tx.nonce", "Nonce", base.DEC)
field("uint64", "tx.timestamp", "Timestamp", base.DEC)
field("uint64", "tx.block_height", "Block height", base.DEC)
field("uint8", "tx.has_data", "Data", base.DEC, OPTIONS)
field("uint64", "tx.data_length", "Data length", base.DEC)
field("bytes", "tx.data", "Data")
field("uint32", "tx.status", "Status", base.DEC, STATUSES)
field("uint32", "tx.error", "Error", base.DEC, ERRORS)

vibecoin.fields = f

local expert_malformed = ProtoExpert.new("vibecoin.malformed", "The message does not decode",
  expert.group.MALFORMED, expert.severity.ERROR)
local expert_trailing = ProtoExpert.new("vibecoin.trailing.note",
  "Bytes behind the message: receivers ignore them", expert.group.PROTOCOL, expert.severity.NOTE)
vibecoin.experts = { expert_malformed, expert_trailing }

-- ---- the cursor: what fails once stays failed ----

local Cursor = {}
Cursor.__index = Cursor

local function cursor_new(tvb, at, stop)
  return setmetatable({ tvb = tvb, at = at, stop = stop }, Cursor)
end

function Cursor:left()
  return self.stop - self.at
end

function Cursor:fail(why)
  self.failed = self.failed or why
end

-- The next `count` bytes; nil where there are fewer.
function Cursor:take(count, what)
  if self.failed then
    return nil
  end
  if count > self:left() then
    self:fail(what .. ": " .. count .. " bytes wanted, " .. self:left() .. " left")
    return nil
  end
  local range = self.tvb(self.at, count)
  self.at = self.at + count
  return range
end

function Cursor:u16(tree, name)
  local range = self:take(2, name)
  if range then
    tree:add_le(f[name], range)
    return range:le_uint()
  end
end

-- A u32 that must be one of the names; the name comes first.
function Cursor:variant(tree, name, names)
  local range = self:take(4, name)
  if not range then
    return nil
  end
  tree:add_le(f[name], range)
  local v = range:le_uint()
  if not names[v] then
    self:fail(name .. ": there is no variant " .. v)
    return nil
  end
  return names[v], v
end

function Cursor:option(tree, name)
  local range = self:take(1, name)
  if not range then
    return nil
  end
  tree:add(f[name], range)
  local v = range:uint()
  if v > 1 then
    self:fail(name .. ": an option is 0 or 1, not " .. v)
  end
  return v == 1
end

-- Returns the tree's item too, for a remark.
function Cursor:u64(tree, name)
  local range = self:take(8, name)
  if range then
    return range:le_uint64(), tree:add_le(f[name], range)
  end
end

function Cursor:hash(tree, name)
  local range = self:take(HASH, name)
  if range then
    tree:add(f[name], range)
    return range
  end
end

-- A count of things of at least `size` bytes, which must fit what is left.
function Cursor:count(range, what, size)
  local n = range:le_uint64():tonumber() -- above 2^53 not exact, and far too many anyway
  if n * size > self:left() then
    self:fail(what .. ": " .. tostring(range:le_uint64()) .. " do not fit " .. self:left() .. " bytes")
    return nil
  end
  return math.floor(n) -- from Lua 5.3 on a whole number, not "5.0"
end

-- Strict: no overlong forms, surrogates, or code points above U+10FFFF.
local function is_utf8(s)
  local at = s:find("[\128-\255]")
  while at do
    local b, c = s:byte(at, at + 1)
    local more = b >= 0xc2 and b <= 0xdf and 1 or b >= 0xe0 and b <= 0xef and 2
      or b >= 0xf0 and b <= 0xf4 and 3
    if not more or at + more > #s or not s:sub(at + 1, at + more):find("^[\128-\191]+$") then
      return false
    end
    if b == 0xe0 and c < 0xa0 or b == 0xed and c > 0x9f or b == 0xf0 and c < 0x90 or b == 0xf4 and c > 0x8f then
      return false
    end
    at = s:find("[\128-\255]", at + more + 1)
  end
  return true
end

function Cursor:text(tree, name)
  local length = self:take(8, name)
  local n = length and self:count(length, name, 1)
  if not n then
    return nil
  end
  if n == 0 then
    tree:add(f[name], length, "")
    return ""
  end
  local range = self:take(n, name)
  if not is_utf8(range:raw()) then
    self:fail(name .. ": is not UTF-8")
    return nil
  end
  tree:add_packet_field(f[name], range, ENC_UTF_8)
  return range:string(ENC_UTF_8)
end

-- ---- parts of messages (3) ----

local YEAR_10000 = 253402300800

local function timestamp(c, tree, name)
  local seconds, item = c:u64(tree, name)
  local n = seconds and seconds:tonumber()
  if n and n < YEAR_10000 then
    item:append_text(os.date("! (%Y-%m-%d %H:%M:%S UTC)", n))
  end
end

local function short(range)
  return range and tostring(range(0, 4):bytes()):lower() or "?"
end

-- Returns the height, for a remark.
local function block(c, parent)
  local from = c.at
  local tree = parent:add(f.block, c.tvb(from, c:left()))
  local height = c:u64(tree, "block.height")
  local hash = c:hash(tree, "block.hash")
  c:hash(tree, "block.prev_hash")
  timestamp(c, tree, "block.timestamp")
  local range = c:take(8, "block.tx_count")
  local n = range and c:count(range, "block.tx_count", HASH)
  if range then
    tree:add_le(f["block.tx_count"], range)
  end
  for _ = 1, n or 0 do
    c:hash(tree, "block.tx")
  end
  c:hash(tree, "block.state_root")
  c:hash(tree, "block.tx_root")
  c:u64(tree, "block.nonce")
  c:u64(tree, "block.poh_seq")
  c:hash(tree, "block.poh_hash")
  c:u64(tree, "block.difficulty")
  c:u64(tree, "block.total_difficulty")
  c:u64(tree, "block.total_difficulty_high")
  tree:set_len(c.at - from)
  tree:append_text(" " .. tostring(height or "?") .. ", " .. short(hash) .. ", " .. (n or "?") .. " transactions")
  return tostring(height or "?")
end

local function transaction(c, parent)
  local from = c.at
  local tree = parent:add(f.tx, c.tvb(from, c:left()))
  local id = c:hash(tree, "tx.id")
  c:hash(tree, "tx.sender")
  c:hash(tree, "tx.recipient")
  for _, name in ipairs({ "value", "gas_price", "gas_limit", "gas_used", "nonce" }) do
    c:u64(tree, "tx." .. name)
  end
  timestamp(c, tree, "tx.timestamp")
  c:u64(tree, "tx.block_height")
  if c:option(tree, "tx.has_data") and not c.failed then
    local range = c:take(8, "tx.data_length")
    local n = range and c:count(range, "tx.data_length", 1)
    if range then
      tree:add_le(f["tx.data_length"], range)
    end
    local data = n and n > 0 and c:take(n, "tx.data")
    if data then
      tree:add(f["tx.data"], data)
    end
  end
  local _, status = c:variant(tree, "tx.status", STATUSES)
  if status == 3 then
    c:variant(tree, "tx.error", ERRORS)
  end
  tree:set_len(c.at - from)
  tree:append_text(" " .. short(id))
  return short(id)
end

-- ---- messages: each returns what the info column says of it ----

local function handshake(c, tree)
  local version = c:text(tree, "version")
  local id = c:text(tree, "node_id")
  local _, family = c:variant(tree, "listen.family", FAMILIES)
  local ip = family and c:take(family == 0 and 4 or 16, "listen.ip")
  if ip then
    tree:add(f[family == 0 and "listen.ip" or "listen.ip6"], ip)
  end
  c:u16(tree, "listen.port")
  return (id or "?") .. " " .. (version or "?")
end

local function one_u64(name)
  return function(c, tree)
    return tostring(c:u64(tree, name) or "?")
  end
end

local function nonce(c, tree)
  local v = c:u64(tree, "nonce")
  return v and "0x" .. v:tohex() or "?"
end

local NEWEST = UInt64(0xffffffff, 0xffffffff)

local function request_block(c, tree)
  local height, item = c:u64(tree, "height")
  if height == NEWEST then
    item:append_text(" (the newest)")
    return "newest"
  end
  return tostring(height or "?")
end

local function request_range(c, tree)
  local first = c:u64(tree, "start")
  local last = c:u64(tree, "end")
  return tostring(first or "?") .. ".." .. tostring(last or "?")
end

local function response_block(c, tree)
  if not c:option(tree, "option") or c.failed then
    return "none"
  end
  return block(c, tree)
end

local function response_range(c, tree)
  local range = c:take(8, "blocks")
  local n = range and c:count(range, "blocks", BLOCK_MIN)
  local first, last
  if range then
    tree:add_le(f.blocks, range)
  end
  for _ = 1, n or 0 do
    if c.failed then
      break
    end
    last = block(c, tree)
    first = first or last
  end
  return n == 0 and "none" or (first or "?") .. ".." .. (last or "?")
end

local function disconnect(c, tree)
  return (c:variant(tree, "reason", REASONS)) or "?"
end

local BODIES = {
  [0] = handshake, block, transaction, request_block, response_block, request_range, response_range, nonce, nonce,
  disconnect,
}

-- ---- frames (1) ----

local function told(pinfo, text, first)
  if first then
    pinfo.cols.protocol = "VibeCoin"
    pinfo.cols.info = text
  else
    pinfo.cols.info:append(", " .. text)
  end
end

-- A frame in a buffer of its own. Returns what the info column says of it.
local function frame(tvb, parent)
  local tree = parent:add(vibecoin, tvb())
  if tvb:len() < 4 then
    tree:add_proto_expert_info(expert_malformed, "The frame ends in its length")
    return "[cut off]"
  end
  local length = tvb(0, 4):uint()
  tree:add(f.length, tvb(0, 4))
  if length > FRAME_MAX then
    tree:add_proto_expert_info(expert_malformed,
      "A frame of " .. length .. " bytes: at most " .. FRAME_MAX .. " are allowed")
    return "[frame too long]"
  end
  local c = cursor_new(tvb, 4, tvb:len())
  local name, kind = c:variant(tree, "msg", KINDS)
  local said = name or "[unknown message]"
  tree:append_text(", " .. said)
  if name then
    said = name .. " " .. BODIES[kind](c, tree)
  end
  if c.failed then
    tree:add_proto_expert_info(expert_malformed, "The message does not decode: " .. c.failed)
    return said .. " [malformed]"
  end
  if c:left() > 0 then
    local item = tree:add(f.trailing, tvb(c.at, c:left()))
    item:add_proto_expert_info(expert_trailing)
  end
  return said
end

-- A frame that is too long is not waited for: its connection ends. Nor is one of which Wireshark knows that no
-- more will come; then the length itself may be cut off.
local function frame_length(tvb, _, offset)
  if tvb:len() - offset < 4 then
    return 4
  end
  local length = tvb(offset, 4):uint()
  if length > FRAME_MAX then
    return tvb:len() - offset
  end
  return 4 + length
end

function vibecoin.dissector(tvb, pinfo, tree)
  local first = true
  dissect_tcp_pdus(tvb, tree, 4, frame_length, function(pdu, _, parent)
    told(pinfo, frame(pdu, parent), first)
    first = false
    return pdu:len()
  end)
  return tvb:len()
end

-- ---- which streams ----

-- Payload bytes of messages of one length.
local FIXED = { [3] = 12, [5] = 20, [7] = 12, [8] = 12, [9] = 8 }

-- A stream begins with a handshake; one that is met later, with a message of its right length.
local function looks_like_it(tvb)
  if tvb:len() < 12 then
    return false
  end
  local length = tvb(0, 4):uint()
  local kind = tvb(4, 4):le_uint()
  if kind == 0 then
    local version = tvb(8, 4):le_uint()
    return length >= 30 and length <= 4096 and version <= 64 and tvb:len() >= 20 + version and
      tvb(12, 4):uint() == 0 and (version == 0 or tvb(16, version):raw():find("^[%w%.%-+]+$") ~= nil)
  end
  return FIXED[kind] == length and tvb:len() >= 4 + length
end

vibecoin:register_heuristic("tcp", function(tvb, pinfo, tree)
  if not looks_like_it(tvb) then
    return false
  end
  pinfo.conversation = vibecoin
  vibecoin.dissector(tvb, pinfo, tree)
  return true
end)

DissectorTable.get("tcp.port"):add(8765, vibecoin)
