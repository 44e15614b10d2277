-- A burst of transactions over slow links: everyone has every one of them, then a block takes them all.
scenario {
  name = "tx-flood",
  about = "1,000 transactions over 300 ms links reach every node, a block takes them, nobody is punished.",
  duration = 300,
  params = { nodes = 20, transactions = 1000, latency = 300 },
}

function run(net, p)
  net:links { latency = p.latency * ms }
  local g = net:spawn(p.nodes, { seeds = 5, config = { mine_max_txs = 10000, mempool_max = 10000 } })
  wait("every node has four ready peers", 60, function()
    return g:all(function(node) return node:ready() >= 4 end)
  end)

  local ids, refused = {}, nil
  for i = 1, p.transactions do
    local id, why = g[(i - 1) % #g + 1]:submit_tx {}
    if id then table.insert(ids, id) else refused = why end
  end
  check(#ids == p.transactions, "every transaction is accepted where it is submitted", refused)
  local began = now()

  wait("every node holds every transaction", 60, function()
    return g:all(function(node) return node:mempool() == #ids end)
  end)
  metric("flood_s", now() - began)
  check(g:all(function(node)
    for _, id in ipairs(ids) do
      if node:has_tx(id) ~= "pool" then return false end
    end
    return true
  end), "every node can name every transaction")

  check(g[1]:mine(), "the first node mines a block")
  wait("the block empties every pool", 60, function()
    return g:all(function(node) return node:height() == 1 and node:mempool() == 0 end)
  end)
  check(g[#g]:has_tx(ids[1]) == "block", "the first transaction is in a block")
  check(g[#g]:has_tx(ids[#ids]) == "block", "the last transaction is in a block")
end
