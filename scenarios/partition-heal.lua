-- The network falls into two halves that mine on; when they meet again, the heavier chain wins everywhere.
scenario {
  name = "partition-heal",
  about = "Two halves mine apart, then heal: one chain remains, and nobody is punished for it.",
  duration = 600,
  params = { nodes = 100, miners = 10, cut = 120, block_interval = 5, latency = 80 },
}

function run(net, p)
  net:links { latency = uniform(p.latency / 2 * ms, p.latency * 2 * ms) }
  local g = net:spawn(p.nodes, { seeds = 6, miners = p.miners, block_interval = p.block_interval })

  wait("the network has formed", 60, function()
    return net:one_tip(g) and g[1]:height() > 0
  end)

  local a, b = net:split(0.5)
  local cut = net:partition(a, b)
  sleep(p.cut)
  local tips, height = net:tips(g)
  log(string.format("apart for %d s: %d tips, the highest at %d", p.cut, tips, height))
  sometimes("the halves built different chains", tips > 1)

  local healed = now()
  cut:heal()
  wait("all nodes agree again", 180, function()
    return net:one_tip(g), net:tips(g) .. " tips"
  end)
  metric("heal_to_one_tip_s", now() - healed)
  check(g[1]:height() >= height, "the chain that remains is at least as high as the highest before")
end
