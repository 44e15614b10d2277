-- A young network: nodes find each other through a few seed peers, some mine, and all agree.
scenario {
  name = "first-contact",
  about = "Nodes meet through seed peers, shake hands, mine, and agree on one chain.",
  duration = 120,
  params = { nodes = 50, miners = 5, seeds = 4, latency = 60, block_interval = 10 },
}

function run(net, p)
  net:links { latency = lognormal(p.latency * ms, 0.4), jitter = exponential(2 * ms) }
  local g = net:spawn(p.nodes, { seeds = p.seeds, miners = p.miners, block_interval = p.block_interval })

  wait("every node has a ready peer", 20, function()
    return g:all(function(node) return node:ready() > 0 end)
  end)
  metric("all_connected_s", now())

  local highest = 0
  always("a chain never gets shorter for all", function()
    local _, height = net:tips(g)
    local ok = height >= highest
    highest = math.max(highest, height)
    return ok, "from " .. highest .. " to " .. height
  end)

  sleep(60)
  eventually("the chain has grown and all nodes agree on it", 50, function()
    local tips, height = net:tips(g)
    return tips == 1 and height >= 3, tips .. " tips, height " .. height
  end)
  metric("height", g[1]:height())
end
