-- What bench_record runs: miners and transactions, so that a summary has blocks, arrivals and metrics to write.
scenario {
  name = "record",
  about = "A network that mines and passes transactions on, to weigh what recording costs.",
  duration = 400,
  params = { nodes = 200, miners = 10, interval = 2, transactions = 10, minutes = 1 },
}

function run(net, p)
  net:links { latency = uniform(10 * ms, 100 * ms) }
  local g = net:spawn(p.nodes, { seeds = 8, miners = p.miners, block_interval = p.interval })
  every(1 * s, function()
    for _ = 1, p.transactions do g[math.random(#g)]:submit_tx {} end
  end)
  sleep(p.minutes * 60 * s)
  metric("height", g[1]:height())
  check(g[1]:height() > 0, "blocks were mined")
end
