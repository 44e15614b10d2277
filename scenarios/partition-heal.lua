-- The network falls into two halves that mine on; when they meet again, the heavier chain wins everywhere, and
-- what only the lighter one had confirmed is confirmed again.
scenario {
  name = "partition-heal",
  about = "Two halves mine apart, then heal: one chain remains, no transaction is lost, nobody is punished.",
  duration = 1200,
  params = { nodes = 100, miners = 10, cut = 300, block_interval = 10, latency = 80, tx_rate = 5 },
}

function run(net, p)
  net:links { latency = uniform(p.latency / 2 * ms, p.latency * 2 * ms) }
  local g = net:spawn(p.nodes, { seeds = 6, miners = p.miners, block_interval = p.block_interval })
  wait("the network has formed", 120, function()
    return net:one_tip(g) and g[1]:height() > 1
  end)

  local ids = {}
  local traffic = every(1 / p.tx_rate, function()
    ids[#ids + 1] = g[math.random(#g)]:submit_tx {}
  end)
  sleep(60)

  local a, b = net:split(0.5)
  local cut = net:partition(a, b)
  sleep(p.cut)
  local tips, height = net:tips(g)
  log(string.format("apart for %d s: %d tips, the highest at %d", p.cut, tips, height))
  check(tips > 1, "the halves built different chains")

  cut:heal()
  local healed = now()
  wait("all nodes agree again", 120, function()
    return net:one_tip(g), net:tips(g) .. " tips"
  end)
  metric("heal_to_one_tip_s", now() - healed)
  check(g[1]:height() >= height, "the chain that remains is at least as high as the highest before")

  traffic:stop()
  -- What only the lighter half had confirmed is in that half's pools alone: few miners may have it, and be out of luck.
  wait("every pool runs dry", 600, function()
    return g:all(function(node) return node:mempool() == 0 end) and net:one_tip(g)
  end)
  check(g:all(function(node)
    for _, id in ipairs(ids) do
      if node:has_tx(id) ~= "block" then return false, id end
    end
    return true
  end), "every transaction is in the one chain, wherever it was mined first")
  metric("transactions", #ids)
end
