-- Bad transactions, one behaviour for each rule (PROTOCOL-0.1 section 8), and too many good ones.
local visit = require "behaviours/visit"

local broken = {
  T1 = function(peer) return peer:tx { tx_id = visit.random_hash(peer) } end,

  T2 = function(peer)
    local how = peer:random(1, 3)
    if how == 1 then return peer:tx { status = 2 } end
    if how == 2 then return peer:tx { block_height = 5 } end
    return peer:tx { gas_used = 21000 }
  end,

  T3 = function(peer) return peer:tx { value = 1, gas_price = -1, gas_limit = 1 } end, -- 2^64 - 1, and one more

  -- No offence: the clock that is off may be the node's own.
  T4 = function(peer, o)
    if o.ahead then return peer:tx { timestamp = chain.clock() + 7200 + 600 } end
    return peer:tx { timestamp = chain.clock() - 3600 - 600 }
  end,
}

local behaviours = {}

-- A behaviour that sends make(peer, o) `rate` times a second.
local function sends(about, rate, own, make)
  own.rate = { rate, lo = 0.001, hi = 100000, unit = "transactions a second" }
  return {
    about = about,
    params = visit.params(own),
    peer = function(o)
      return visit.peer(o, function(peer, link)
        if not visit.greet(peer, link) then return end
        peer:ignore(link)
        visit.repeatedly(o.rate, o.stay, function()
          return peer:send(link, { kind = "NewTransaction", tx = make(peer, o) })
        end)
      end)
    end,
  }
end

for rule, make in pairs(broken) do
  local own = rule == "T4" and { ahead = { false, unit = "whether they are ahead of the clock, instead of too old" } }
  behaviours["bad-tx-" .. rule] = sends("Transactions that break rule " .. rule .. " and no other.", 2.0, own or {}, make)
end

behaviours["tx-flood"] = sends("Valid transactions of nobody, more than any pool holds.", 200.0, {
  data = { 100, lo = 0, hi = 1e6, unit = "bytes of data in each" },
  one_sender = { false, unit = "whether all say that they are from the same sender" },
}, function(peer, o)
  return peer:tx { data = peer:random_bytes(o.data), sender = o.one_sender and ("ab"):rep(32) or nil }
end)

behaviours["tx-replay"] = {
  about = "A good transaction, again and again.",
  params = visit.params {
    rate = { 10.0, lo = 0.001, hi = 100000, unit = "times a second" },
  },
  peer = function(o)
    return visit.peer(o, function(peer, link)
      if not visit.greet(peer, link) then return end
      local tx = peer:tx()
      peer:ignore(link)
      visit.repeatedly(o.rate, o.stay, function()
        return peer:send(link, { kind = "NewTransaction", tx = tx })
      end)
    end)
  end,
}

return behaviours
