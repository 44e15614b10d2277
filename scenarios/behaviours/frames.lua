-- Bytes that are no messages. After each the node has to end the link: a stream cannot be taken up again.
local visit = require "behaviours/visit"

-- A behaviour that shakes hands, sends what make(peer, o) gives, and waits for the door.
local function sends(about, own, make)
  return {
    about = about,
    params = visit.params(own),
    peer = function(o)
      return visit.peer(o, function(peer, link)
        if not visit.greet(peer, link) then return end
        peer:send_raw(link, make(peer, o))
        visit.linger(peer, link, o.stay)
      end)
    end,
  }
end

local function frame(payload)
  return string.pack(">I4", #payload) .. payload
end

return {
  ["garbage"] = sends("Random bytes, in a frame or without one.", {
    size = { 1000, lo = 1, hi = 1e6, unit = "bytes" },
    framed = { true, unit = "whether a true length comes first" },
  }, function(peer, o)
    local noise = peer:random_bytes(o.size)
    return o.framed and frame(noise) or noise
  end),

  ["oversize"] = sends("A length above the limit, and as many bytes as anybody takes.", {
    length = { 10485761, lo = 10485761, hi = 4294967295, unit = "bytes announced" },
    size = { 1000000, lo = 1, hi = 16777212, unit = "bytes sent" },
  }, function(_, o)
    return string.pack(">I4", o.length) .. ("\0"):rep(o.size)
  end),

  ["zero-length"] = sends("Frames without a payload.", {
    count = { 10, lo = 1, hi = 100000, unit = "frames" },
  }, function(_, o)
    return ("\0\0\0\0"):rep(o.count)
  end),

  ["huge-counts"] = sends("A list that announces more elements than there are bytes in the world.", {
    count = { math.maxinteger, lo = 1, hi = 2e19, unit = "elements announced" },
  }, function(peer, o)
    if peer:random(1, 2) == 1 then -- a ResponseBlockRange of so many blocks
      return frame(string.pack("<I4i8", 6, o.count) .. ("\0"):rep(1000))
    end
    -- a NewBlock of so many transactions: kind, height, hash, prev_hash, timestamp, count
    return frame(string.pack("<I4i8", 1, 1) .. ("\0"):rep(64) .. string.pack("<i8i8", 0, o.count) .. ("\0"):rep(1000))
  end),

  ["unknown-kinds"] = sends("Messages of kinds that the protocol does not have.", {
    size = { 100, lo = 0, hi = 1e6, unit = "bytes after the kind" },
  }, function(peer, o)
    return frame(string.pack("<I4", peer:random(10, 4294967295)) .. peer:random_bytes(o.size))
  end),

  ["half-frame"] = sends("A frame that is announced within the limit, begins, and never ends.", {
    length = { 10485760, lo = 1, hi = 10485760, unit = "bytes announced" },
    size = { 100000, lo = 0, hi = 10485759, unit = "bytes sent" },
  }, function(_, o)
    return string.pack(">I4", o.length) .. ("\0"):rep(math.min(o.size, o.length - 1))
  end),
}
