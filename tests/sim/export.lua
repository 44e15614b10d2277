-- A run for what vibesim exports: all ten messages, links that end in each way, faults, peers that behave badly but
-- whose every byte decodes; with `garbage` also some whose bytes do not. See check_pcap.
scenario {
  name = "export",
  about = "All messages of the protocol, and links that end in every way.",
  duration = 300,
  params = { garbage = false, lossy = false },
}

function run(net, p)
  if p.lossy then
    net:links { latency = uniform(20 * ms, 80 * ms), loss = 0.02, bandwidth = 2 * mbit }
  end
  local g = net:spawn(6, { seeds = 3, miners = 2, block_interval = 4 })
  sleep(20)
  for i = 1, 40 do
    g[i % #g + 1]:submit_tx { data = string.rep("x", i * 50) }
  end
  net:peer { behaviour = "ping-flood", rate = 5, targets = g[1] }
  net:peer { behaviour = "request-flood", rate = 2, targets = g[2] }
  if p.garbage then
    for _, name in ipairs { "garbage", "oversize", "zero-length", "huge-counts", "unknown-kinds" } do
      net:peer { behaviour = name, targets = g[3] }
    end
  end
  sleep(10)
  local late = net:spawn(1)
  late[1]:add_peer(g[1])
  late[1]:add_peer(g[2])
  sleep(20)
  local cut = net:partition({ g[1], g[2] }, { g[3], g[4], g[5], g[6], late[1] })
  g[6]:kill()
  g[5]:pause()
  sleep(15)
  g[5]:resume()
  cut:heal()
  g[6]:restart {}
  g[4]:kill { silently = true }
  net:degrade(g, g, { latency = 200 * ms, lasting = 10 })
  sleep(20)
  net:reset_links(g[1], g[2])
  g[4]:restart { lose_disk = true }
  for _, node in ipairs { g[1], g[2] } do
    node:mine()
  end
  sleep(90)
  g[3]:shutdown()
  sleep(5)
  check(g[1]:height() > 10, "the chain grew")
end
