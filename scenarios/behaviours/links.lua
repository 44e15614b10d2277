-- Links themselves as a weapon: under somebody else's name, too many of them, or never for long.
local visit = require "behaviours/visit"

return {
  ["duplicate-identity"] = {
    about = "Says that it is the node itself, or another node.",
    params = visit.params {
      whose = { "another", unit = "own: that of the node dialled; another: that of another target" },
    },
    peer = function(o)
      return visit.peer(o, function(peer, link, _, target)
        local name = target:id()
        for _, other in pairs(o.targets) do
          if o.whose ~= "own" and other ~= target then name = other:id() end
        end
        if visit.greet(peer, link, { node_id = name }) then visit.linger(peer, link, o.stay) end
      end)
    end,
  },

  ["connection-flood"] = {
    about = "As many links as it can open, silent or under a new name each.",
    params = visit.params {
      links = { 100, lo = 1, hi = 10000, unit = "links to each target" },
      greets = { false, unit = "whether each shakes hands, under a name of its own" },
      keeps = { false, unit = "whether each that was let in says a Ping now and then, to stay" },
      visits = { 1, lo = 1, hi = 1e6, unit = "times that each of them comes" },
    },
    peer = function(o)
      return {
        play = function(peer)
          local number = 0
          local function hold(target)
            number = number + 1
            local name = peer:id() .. "-" .. number
            local gone = now() + o.lasts
            for _ = 1, o.visits do
              if now() >= gone then return end
              local link = peer:dial(target)
              if not o.greets or visit.greet(peer, link, { node_id = name }) then
                peer:ignore(link)
                local ends = now() + o.stay
                while o.keeps and now() + 20 < ends and peer:send(link, { kind = "Ping" }) do sleep(20) end
                visit.linger(peer, link, math.max(0, ends - now()))
              end
              peer:close(link)
              sleep(o.again)
            end
          end
          sleep(o.start)
          for _, target in pairs(o.targets) do
            for _ = 1, o.links do
              at(now(), function() hold(target) end)
            end
          end
        end,
      }
    end,
  },

  ["disconnect-churn"] = {
    about = "Comes, shakes hands, leaves, and comes again.",
    params = visit.params {
      visits = { 200, lo = 1, hi = 1e6, unit = "visits to each target" },
      again = { 0.2, lo = 0.001, hi = 1e6, unit = "seconds between two visits" },
      stay = { 0.0, lo = 0, hi = 1e6, unit = "seconds that it stays" },
    },
    peer = function(o)
      return visit.peer(o, function(peer, link)
        if visit.greet(peer, link) then sleep(o.stay) end
      end)
    end,
  },
}
