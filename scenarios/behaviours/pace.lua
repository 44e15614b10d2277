-- Messages that are right, at a pace that is not: too slow, too fast, or in one direction only.
local visit = require "behaviours/visit"

return {
  ["silent"] = {
    about = "Connects and never says a thing.",
    params = visit.params(),
    peer = function(o)
      return visit.peer(o, function(peer, link)
        visit.linger(peer, link, o.stay)
      end)
    end,
  },

  ["slowloris"] = {
    about = "A handshake byte by byte, so slowly that it never ends.",
    params = visit.params {
      pause = { 1.0, lo = 0.001, hi = 3600, unit = "seconds between two bytes" },
    },
    peer = function(o)
      return visit.peer(o, function(peer, link)
        local hello = peer:frame { kind = "Handshake" }
        peer:ignore(link)
        for i = 1, #hello do
          if not peer:send_raw(link, hello:sub(i, i)) then return end
          sleep(o.pause)
        end
      end)
    end,
  },

  ["never-reads"] = {
    about = "Asks for all blocks, again and again, and takes none of the answers.",
    params = visit.params {
      rate = { 50.0, lo = 0.001, hi = 100000, unit = "requests a second" },
    },
    peer = function(o)
      return visit.peer(o, function(peer, link)
        if not visit.greet(peer, link) then return end
        peer:read(link, false)
        visit.repeatedly(o.rate, o.stay, function()
          return peer:send(link, { kind = "RequestBlockRange", first = 0, last = 99 })
        end)
      end)
    end,
  },

  ["request-flood"] = {
    about = "Asks for all blocks, again and again, and takes the answers.",
    params = visit.params {
      rate = { 50.0, lo = 0.001, hi = 100000, unit = "requests a second" },
    },
    peer = function(o)
      return visit.peer(o, function(peer, link)
        if not visit.greet(peer, link) then return end
        peer:ignore(link)
        visit.repeatedly(o.rate, o.stay, function()
          return peer:send(link, { kind = "RequestBlockRange", first = 0, last = 99 })
        end)
      end)
    end,
  },

  ["ping-flood"] = {
    about = "Pings without pause.",
    params = visit.params {
      rate = { 1000.0, lo = 0.001, hi = 1e6, unit = "Pings a second" },
    },
    peer = function(o)
      return visit.peer(o, function(peer, link)
        if not visit.greet(peer, link) then return end
        peer:ignore(link)
        visit.repeatedly(o.rate, o.stay, function(i)
          return peer:send(link, { kind = "Ping", nonce = i })
        end)
      end)
    end,
  },
}
