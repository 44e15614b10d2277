-- What the gate is calibrated with (check_calibration): cheap, since it runs some thousand times, and propagation
-- depends on `latency` alone, so that a network slower by a known share can be made.
scenario {
  name = "calibrate",
  about = "Twelve nodes and forty blocks.",
  duration = 3600,
  params = { nodes = 12, blocks = 40, latency = 100 },
}

function run(net, p)
  net:links { latency = uniform(0.5 * p.latency * ms, 1.5 * p.latency * ms) }
  local g = net:spawn(p.nodes, { seeds = 3, miners = 4, block_interval = 5 })
  wait("the chain grows", 3000, function() return g[1]:height() >= p.blocks end)
end
