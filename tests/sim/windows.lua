-- Nobody watches here, so that hosts run apart all the time (transport-sim/sim_window.c); with --verify that is held
-- against a run strictly by time. Nodes come and go, have too few places for all who dial them, and their links lose.
scenario {
  name = "windows",
  about = "Hosts that run apart do what they do by time.",
  duration = 200,
  params = { nodes = 60, loss = 0.02, topology = true },
}

function run(net, p)
  if p.topology then
    net:topology "geo-bitcoin-2019"
  else
    net:links { latency = uniform(20 * ms, 120 * ms), jitter = exponential(5 * ms), loss = p.loss,
                bandwidth = 5 * mbit, queue = 60 * kB }
  end
  local g = net:spawn(p.nodes, { seeds = 6, miners = 8, block_interval = 6,
                                 config = { max_outbound = 4, max_inbound = 6 } })
  every(0.5 * s, function()
    local n = g[math.random(#g)]
    if n:alive() then n:submit_tx {} end
  end)
  for i = 1, 25 do
    sleep(5 * s)
    local n = g[math.random(#g)]
    if n:alive() then n:kill() else n:restart { lose_disk = i % 2 == 0 } end
  end
  local highest = 0
  for _, n in ipairs(g) do
    if n:alive() then highest = math.max(highest, n:height()) end
  end
  check(highest > 5, "blocks were mined")
end
