-- A network that fails in half of its seeds: it is cut in two, and is too slow to agree again where the halves have
-- mined much. What it says holds markup, which the page must show as it is.
scenario {
  name = "halves",
  about = "Two halves mine apart; whether they agree in time is a matter of luck. </script><script>alert(1)</script>",
  duration = 300,
  params = { nodes = 24, miners = 6, cut = 40, block_interval = 8, patience = 2.5 },
}

function run(net, p)
  net:links { latency = uniform(20 * ms, 160 * ms) }
  local g = net:spawn(p.nodes, { seeds = 4, miners = p.miners, block_interval = p.block_interval })
  wait("the network has formed", 60, function() return net:one_tip(g) and g[1]:height() > 1 end)
  local evil = net:peer { behaviour = "garbage" }
  evil:dial(g[3])
  sleep(10)
  local a, b = net:split(0.5)
  local cut = net:partition(a, b)
  sleep(p.cut / 2)
  g[5]:kill()
  sleep(p.cut / 2)
  local tips, height = net:tips(g)
  log(string.format("apart for %g s: %d tips, the highest at %d <b>bold</b>", p.cut, tips, height))
  metric("height_apart", height)
  cut:heal()
  g[5]:restart {}
  local healed = now()
  eventually("all agree </script><img src=x onerror=alert(1)>", p.patience, function()
    return net:one_tip(g), net:tips(g) .. " tips, node-0003 at " .. g[3]:height()
  end)
  sleep(20)
  metric("agreed_after_s", now() - healed)
  metric("height", g[1]:height())
end
