-- Bad blocks, one behaviour for each rule of a block (PROTOCOL-0.1 section 7): valid but for that rule, and solved,
-- so that nothing else gives them away. And good blocks in bad company: unconnected, outdated, repeated.
local visit = require "behaviours/visit"

local broken = {
  B1 = function(peer, tip, o) return peer:mine(tip, { height = tip.height + o.above }) end,

  -- A parent that nobody knows is no offence: the node asks for it, and waits in vain.
  B2 = function(peer, tip) return visit.orphan(peer, tip, tip.height + 2) end,

  B3 = function(peer, tip, o)
    if o.ahead then return peer:mine(tip, { timestamp = chain.clock() + 7200 + 600 }) end
    return peer:mine(tip, { timestamp = tip.timestamp - 1 })
  end,

  B4 = function(peer, tip, o)
    local ids = {}
    for i = 1, o.ids do ids[i] = string.format("%064x", i) end
    if o.ids <= 10000 then ids[#ids + 1] = ids[1] end
    return peer:mine(tip, { tx_ids = ids })
  end,

  B5 = function(peer, tip) return peer:mine(tip, { tx_root = visit.random_hash(peer) }) end,

  B6 = function(peer, tip)
    return peer:mine(tip, { difficulty = tip.difficulty + 1, total_difficulty = tip.total_difficulty + tip.difficulty + 1 })
  end,

  B7 = function(peer, tip) return peer:mine(tip, { total_difficulty = tip.total_difficulty }) end,

  -- A hash that looks like work, but is not that of the text.
  B8 = function(peer, tip) return peer:mine(tip, { hash = ("0"):rep(16) .. visit.random_hash(peer):sub(17) }) end,

  -- The true hash, and no work done.
  B9 = function(peer, tip)
    local block = peer:mine(tip)
    repeat
      block.nonce = block.nonce + 1
      block.hash = chain.hash(block)
    until block.hash > chain.target(tip.difficulty)
    return block
  end,

  B10 = function(peer, tip, o)
    if o.seq then return peer:mine(tip, { poh_seq = tip.poh_seq + 2 }) end
    return peer:mine(tip, { poh_hash = visit.random_hash(peer) })
  end,
}

local own = {
  B1 = { above = { 2, lo = -1, hi = 1e9, unit = "how far above the parent's is the height that is said; 1 is right" } },
  B3 = { ahead = { false, unit = "whether they are ahead of the clock, instead of behind the parent" } },
  B4 = { ids = { 2, lo = 1, hi = 20000, unit = "transaction ids, the first twice; above 10000 each once" } },
  B10 = { seq = { false, unit = "whether poh_seq is wrong, instead of poh_hash" } },
}

local behaviours = {}

for rule, make in pairs(broken) do
  behaviours["bad-block-" .. rule] = {
    about = "Blocks that break rule " .. rule .. " and no other.",
    params = visit.params(own[rule]),
    peer = function(o)
      return visit.peer(o, function(peer, link)
        local tip = visit.greet(peer, link) and visit.tip(peer, link)
        if not tip then return end
        peer:send(link, { kind = "NewBlock", block = make(peer, tip, o) })
        visit.linger(peer, link, o.stay)
      end)
    end,
  }
end

behaviours["orphan-flood"] = {
  about = "Solved blocks on parents that do not exist.",
  params = visit.params {
    rate = { 10.0, lo = 0.001, hi = 10000, unit = "blocks a second" },
    ids = { 100, lo = 0, hi = 10000, unit = "transaction ids in each: 32 bytes" },
    above = { 1, lo = 1, hi = 1e6, unit = "how far above the tip they claim to be" },
  },
  peer = function(o)
    return visit.peer(o, function(peer, link)
      local tip = visit.greet(peer, link) and visit.tip(peer, link)
      if not tip then return end
      local ids = {}
      for i = 1, o.ids do ids[i] = string.format("%064x", i) end
      peer:ignore(link)
      visit.repeatedly(o.rate, o.stay, function()
        local block = visit.orphan(peer, tip, tip.height + o.above)
        if o.ids > 0 then
          block.tx_ids, block.tx_root = ids, chain.root(ids)
          block = chain.solve(block)
        end
        return peer:send(link, { kind = "NewBlock", block = block })
      end)
    end)
  end,
}

behaviours["old-chain"] = {
  about = "A fork from deep below the tip: valid, and too light to win.",
  params = visit.params {
    depth = { 10, lo = 2, hi = 10000, unit = "blocks below the tip where it leaves the chain" },
    pause = { 0.1, lo = 0.001, hi = 3600, unit = "seconds between two blocks" },
  },
  peer = function(o)
    return visit.peer(o, function(peer, link)
      local tip = visit.greet(peer, link) and visit.tip(peer, link)
      if not tip or tip.height < 2 then return end
      local depth = math.min(o.depth, tip.height)
      peer:send(link, { kind = "RequestBlock", height = tip.height - depth })
      local answer = peer:receive(link, 20, "ResponseBlock")
      local block = answer and answer.block
      peer:ignore(link)
      for _ = 1, block and depth - 1 or 0 do
        block = peer:mine(block)
        peer:send(link, { kind = "NewBlock", block = block })
        sleep(o.pause)
      end
      visit.linger(peer, link, o.stay)
    end)
  end,
}

behaviours["replay"] = {
  about = "A good block, again and again.",
  params = visit.params {
    rate = { 10.0, lo = 0.001, hi = 100000, unit = "times a second" },
  },
  peer = function(o)
    return visit.peer(o, function(peer, link)
      local tip = visit.greet(peer, link) and visit.tip(peer, link)
      if not tip then return end
      peer:ignore(link)
      visit.repeatedly(o.rate, o.stay, function()
        return peer:send(link, { kind = "NewBlock", block = tip })
      end)
    end)
  end,
}

return behaviours
