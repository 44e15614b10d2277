-- Lies in answer to a question. To be asked, a peer claims a chain longer than anybody's: its newest block is solved,
-- and its parent is missing. The node then looks for the height where that chain leaves its own, and asks for ranges.
local visit = require "behaviours/visit"

local claim = { claim = { 50, lo = 1, hi = 1e9, unit = "blocks by which its chain is said to be longer" } }

-- Shows a chain that is not there, and answers what is asked by answer(peer, link, msg, o, tip); nothing without one.
local function claims(about, own, answer)
  own = own or {}
  own.claim = claim.claim
  return {
    about = about,
    params = visit.params(own),
    peer = function(o)
      return visit.peer(o, function(peer, link)
        if not visit.greet(peer, link) then return end
        local newest
        local tip = visit.tip(peer, link, function(tip)
          newest = visit.orphan(peer, tip, tip.height + o.claim)
          return newest
        end)
        if not tip then return end
        newest = newest or visit.orphan(peer, tip, tip.height + o.claim)
        peer:send(link, { kind = "NewBlock", block = newest })
        local ends = now() + o.stay
        while now() < ends do
          local msg, why = peer:receive(link, ends - now())
          if not msg then return why end
          if msg.kind == "Ping" then
            peer:send(link, { kind = "Pong", nonce = msg.nonce })
          elseif msg.kind == "RequestBlock" and msg.height == -1 then
            peer:send(link, { kind = "ResponseBlock", block = newest })
          elseif answer then
            answer(peer, link, msg, o, tip)
          end
        end
      end)
    end,
  }
end

-- `count` blocks from that height up, each the parent of the next.
local function line(peer, like, first, count)
  local blocks = {}
  for i = 1, count do
    blocks[i] = i == 1 and visit.orphan(peer, like, first) or peer:mine(blocks[i - 1])
  end
  return blocks
end

-- Answers that do not fit the range asked for.
local wrong = {
  heights = function(peer, tip, first) return line(peer, tip, first + 1, 3) end,
  gaps = function(peer, tip, first)
    local blocks = line(peer, tip, first, 3)
    return { blocks[1], blocks[3] }
  end,
  many = function(peer, tip, first, last) return line(peer, tip, first, last - first + 2) end,
  unlinked = function(peer, tip, first)
    return { visit.orphan(peer, tip, first), visit.orphan(peer, tip, first + 1) }
  end,
}
local ways = { "gaps", "heights", "many", "unlinked" }

local behaviours = {}

behaviours["withholds"] = claims("Shows a longer chain and answers nothing more.")

behaviours["wrong-ranges"] = claims("Ranges of other heights, with gaps, with too many blocks, or unconnected.", {
  how = { "any", unit = "gaps, heights, many, unlinked, or any" },
}, function(peer, link, msg, o, tip)
  if msg.kind == "RequestBlock" then
    peer:send(link, { kind = "ResponseBlock" }) -- not known here: so the node asks from the first block on
  elseif msg.kind == "RequestBlockRange" then
    local how = wrong[o.how] or wrong[ways[peer:random(1, #ways)]]
    peer:send(link, { kind = "ResponseBlockRange", blocks = how(peer, tip, msg.first, msg.last) })
  end
end)

-- What a liar says its chain is.
local lies = {
  -- A chain that is not there: blocks that hang together and hang on nothing.
  nowhere = function(peer, tip, first, last) return line(peer, tip, first, math.min(last - first + 1, 20)) end,

  -- A chain for which no work was done.
  idle = function(peer, _, first, last, below)
    local blocks = {}
    for i = 1, math.min(last - first + 1, 20) do
      blocks[i] = peer:mine(blocks[i - 1] or below, { hash = ("0"):rep(16) .. visit.random_hash(peer):sub(17) })
    end
    return blocks
  end,
}

behaviours["liar"] = claims("Shows a longer chain, and blocks of it that do not exist or were never solved.", {
  how = { "idle", unit = "idle: blocks without work; nowhere: blocks that connect to nothing" },
}, function(peer, link, msg, o, tip)
  if msg.kind == "RequestBlock" then
    peer:send(link, { kind = "ResponseBlock" })
  elseif msg.kind == "RequestBlockRange" then
    local how = lies[o.how] or lies.idle
    local below = chain.genesis() -- it owned nothing else: asked for what follows it
    if msg.first > 1 then below = visit.orphan(peer, tip, msg.first - 1) end
    peer:send(link, { kind = "ResponseBlockRange", blocks = how(peer, tip, msg.first, msg.last, below) })
  end
end)

behaviours["forger"] = {
  about = "Takes the others' blocks, changes a little, and passes them on as new.",
  params = visit.params(),
  peer = function(o)
    return visit.peer(o, function(peer, link)
      if not visit.greet(peer, link) then return end
      local heard = peer:receive(link, o.stay, "NewBlock")
      if not heard then return end
      local block = heard.block
      block.state_root = visit.random_hash(peer)
      peer:send(link, { kind = "NewBlock", block = block })
      visit.linger(peer, link, o.stay)
    end)
  end,
}

behaviours["unsolicited"] = {
  about = "Answers that nobody asked for.",
  params = visit.params {
    rate = { 5.0, lo = 0.001, hi = 10000, unit = "answers a second" },
    blocks = { 10, lo = 1, hi = 1000, unit = "blocks in each" },
  },
  peer = function(o)
    return visit.peer(o, function(peer, link)
      local tip = visit.greet(peer, link) and visit.tip(peer, link)
      if not tip then return end
      local good = { peer:mine(tip) }
      for i = 2, o.blocks do good[i] = peer:mine(good[i - 1]) end
      peer:ignore(link)
      visit.repeatedly(o.rate, o.stay, function(i)
        if i % 2 == 0 then return peer:send(link, { kind = "ResponseBlock", block = good[1] }) end
        return peer:send(link, { kind = "ResponseBlockRange", blocks = good })
      end)
    end)
  end,
}

return behaviours
