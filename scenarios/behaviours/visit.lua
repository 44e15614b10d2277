-- What the behaviours have in common: a peer dials each of its targets, shakes hands like anybody, does its worst
-- until the link is over, and comes again.
local visit = {}

-- The parameters of every visitor, and those of its own. A parameter is { default, lo =, hi =, unit = }.
function visit.params(own)
  local params = {
    start = { 0.0, lo = 0, hi = 1e6, unit = "seconds until the first visit" },
    visits = { 3, lo = 1, hi = 1e6, unit = "visits to each target" },
    again = { 5.0, lo = 0.001, hi = 1e6, unit = "seconds between two visits" },
    lasts = { 1e6, lo = 0, hi = 1e6, unit = "seconds from the first visit until it is gone for good" },
    stay = { 60.0, lo = 0.001, hi = 1e6, unit = "seconds that a visit lasts at most, if it is borne" },
  }
  for name, spec in pairs(own or {}) do params[name] = spec end
  return params
end

-- A peer that does talk(peer, link, o, target) on each visit. Those who come to it find it silent.
function visit.peer(o, talk)
  local own = {}
  return {
    on_link = function(peer, link)
      if not own[link] then peer:ignore(link) end
    end,
    play = function(peer)
      for _, target in pairs(o.targets) do
        at(now() + o.start, function()
          local gone = now() + o.lasts
          for _ = 1, o.visits do
            if now() >= gone then return end
            local link = peer:dial(target)
            own[link] = true
            talk(peer, link, o, target)
            peer:close(link)
            own[link] = nil
            sleep(o.again)
          end
        end)
      end
    end,
  }
end

-- Shakes hands; false if the node will not.
function visit.greet(peer, link, changes)
  local hello = { kind = "Handshake" }
  for name, value in pairs(changes or {}) do hello[name] = value end
  peer:send(link, hello)
  return peer:receive(link, 20, "Handshake") ~= nil
end

-- Takes what comes and forgets it, until the link is over or the time is.
function visit.linger(peer, link, seconds)
  peer:ignore(link)
  peer:receive(link, seconds)
end

-- Calls fn(i) `rate` times a second for `seconds`, ten bursts a second at most, until it returns false.
function visit.repeatedly(rate, seconds, fn)
  local pause = math.max(1 / rate, 0.1)
  local burst = math.max(1, math.floor(rate * pause + 0.5))
  local i, ends = 0, now() + seconds
  while now() < ends do
    for _ = 1, burst do
      i = i + 1
      if fn(i) == false then return end
    end
    sleep(pause)
  end
end

-- The newest block that the node shows; nil if it does not. The node asks the same of everybody it meets, and is told
-- what it told; or what shown(tip) gives.
function visit.tip(peer, link, shown)
  local asked, answer = false, nil
  peer:send(link, { kind = "RequestBlock", height = -1 })
  repeat
    answer = peer:receive(link, 20)
    if not answer then return nil end
    asked = asked or answer.kind == "RequestBlock"
  until answer.kind == "ResponseBlock"
  local tip = answer.block
  if tip and asked then peer:send(link, { kind = "ResponseBlock", block = shown and shown(tip) or tip }) end
  return tip
end

-- A hash that nobody has seen.
function visit.random_hash(peer)
  return (peer:random_bytes(32):gsub(".", function(c) return string.format("%02x", c:byte()) end))
end

-- A block as good as any, at that height, on a parent that does not exist. The parent's fields but for its hash
-- follow from the height: a node can tell no difference until it asks for it.
function visit.orphan(peer, like, height)
  local parent = {}
  for name, value in pairs(like) do parent[name] = value end
  parent.height = height - 1
  parent.poh_seq = height - 1
  parent.total_difficulty = like.difficulty * height
  parent.hash = visit.random_hash(peer)
  return peer:mine(parent)
end

return visit
