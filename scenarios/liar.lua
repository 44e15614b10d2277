-- Newcomers meet liars first. Each knows one honest node of a chain that has grown; all others that come to it claim a
-- longer chain: one has done no work for it, one has blocks that hang on nothing, one answers nothing, one gives other
-- ranges than asked for, one passes on the honest blocks with a little changed.
scenario {
  name = "liar",
  about = "Peers that lie about their chain delay a newcomer, but it ends on the true one; who lied provably is banned.",
  duration = 900,
  params = {
    nodes = 6, newcomers = 3, height = 150, claim = 1000, within = 240, latency = 60, block_interval = 4,
    sync_interval = 60, -- of newcomers: how often they look for something newer by themselves
    settle = 120, -- seconds until every liar was caught; 0: not judged
  },
}

local liars = {
  { behaviour = "liar", how = "idle", banned = true },
  { behaviour = "liar", how = "nowhere" },
  { behaviour = "withholds" },
  { behaviour = "wrong-ranges", banned = true },
  { behaviour = "forger", banned = true },
}

function run(net, p)
  net:links { latency = p.latency * ms }
  local honest = net:spawn(p.nodes, { seeds = 4, miners = 2, block_interval = p.block_interval })
  wait("the honest nodes have met", 60, function() return net:one_tip(honest) and honest[1]:height() > 0 end)
  for _ = 1, p.height do
    honest[1]:mine()
    sleep(0.05)
  end
  wait("they have a chain", 60, function() return net:one_tip(honest) and honest[1]:height() >= p.height end)

  -- Nobody leads them to the others at once: the one that they know is dialled after the liars have come.
  local newcomers = net:spawn(p.newcomers, { seeds = 0, config = { sync_interval = p.sync_interval } })
  for _, options in ipairs(liars) do
    options.peer = net:peer {
      behaviour = options.behaviour, how = options.how, targets = newcomers, visits = 1000000, stay = 600,
      claim = options.behaviour ~= "forger" and p.claim or nil, again = 2,
    }
  end
  sleep(5)
  check(newcomers:all(function(node) return node:height() == 0 end), "lies alone move nobody")
  for i, node in pairs(newcomers) do node:connect(honest[i]) end
  local met = now()

  wait("the newcomers stand on the true chain", p.within, function()
    return newcomers:all(function(node)
      return node:height() >= p.height and node:block_hash(p.height) == honest[1]:block_hash(p.height)
    end), newcomers[1]:height()
  end)
  metric("caught_up_s", now() - met)

  for _, options in ipairs(liars) do
    local name = options.behaviour .. (options.how and " (" .. options.how .. ")" or "")
    if options.banned and p.settle > 0 then
      eventually(name .. " is banned by every newcomer", p.settle, function()
        return newcomers:all(function(node) return node:state(options.peer) == "banned" end)
      end)
    end
  end
  eventually("all keep up with the chain", 120, function()
    return net:one_tip() and honest[1]:height() > p.height + 10
  end)
end
