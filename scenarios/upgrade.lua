-- A release reaches a network as releases do: one operator after the other stops a node and starts it again, with the
-- same disk, under another build of the core, while blocks are found and transactions flow. Then some find the old
-- build to be the better one, and go back.
--
--     vibesim run scenarios/upgrade.lua --core old=path/to/libvibenet.so
--
-- `old` is any build with the same version of the door (VN_API_VERSION): a release, a branch, another compiler's.
scenario {
  name = "upgrade",
  about = "A network moves from an old build of the core to this one, node by node, and some go back: one chain.",
  duration = 3600,
  params = { nodes = 20, miners = 4, back = 0.3, pause = 10, block_interval = 8, tx_rate = 1 },
  cores = { "old" },
}

function run(net, p)
  net:links { latency = uniform(20 * ms, 120 * ms) }
  local g = net:spawn(p.nodes, { core = "old", seeds = 6, miners = p.miners, block_interval = p.block_interval })
  wait("the old network has formed", 120, function()
    return net:one_tip(g) and g[1]:height() > 1
  end)
  check(g:all(function(node) return node:core() == "old" end), "all begin with the old build")

  local ids = {}
  local traffic = every(1 / p.tx_rate, function()
    local node = g[math.random(#g)]
    ids[#ids + 1] = node:alive() and node:submit_tx {} or nil
  end)

  -- A node that is stopped in peace has on disk what it shows. The time that its operator needs is drawn.
  local forgot, moved = nil, 0
  local function move(node, core)
    local from, height = node:core(), node:height()
    sleep(1)
    node:kill()
    sleep(1 + 5 * math.random())
    node:restart { core = core }
    sleep(50 * ms) -- the disk is read, and no peer has said anything yet
    moved = moved + (node:core() == core and from ~= core and 1 or 0)
    if node:height() < height then
      forgot = string.format("%s at %d under %s, had %d under %s", node:id(), node:height(), core, height, from)
    end
  end

  -- How many ends of links have a node of the other build behind them: the two must really talk.
  local function mixed()
    local links = 0
    g:each(function(node)
      for _, peer in ipairs(node:alive() and node:peers() or {}) do
        if peer.state == "ready" and peer.node and peer.node:core() ~= node:core() then links = links + 1 end
      end
    end)
    return links
  end

  local order = {}
  for i = 1, #g do table.insert(order, math.random(#order + 1), g[i]) end
  local half
  for i, node in ipairs(order) do
    move(node, "built-in")
    sleep(p.pause * math.random())
    if i == #g // 2 then
      half = mixed()
      wait("half way, both builds stand on one tip", 300, function()
        return net:one_tip(g), net:tips(g) .. " tips"
      end)
    end
  end
  check(half > 0, "half way, nodes of both builds are linked", half)
  metric("mixed_links_half_way", half)
  check(g:all(function(node) return node:core() == "built-in" end), "all are upgraded")
  local upgraded = g[1]:height()

  local some = net:split(p.back, g)
  some:each(function(node) move(node, "old") end)
  sleep(60)
  local old = g:count(function(node) return node:core() == "old" end)
  check(old == #some and moved == #g + old, "those that went back run the old build", old)
  metric("downgraded", old)
  traffic:stop()

  check(not forgot, "every node comes back with its chain", forgot)
  wait("all nodes agree", 300, function()
    return net:one_tip(g), net:tips(g) .. " tips"
  end)
  check(g[1]:height() > upgraded, "blocks were found all the while", g[1]:height())
  wait("the miners' pools run dry", 300, function()
    return g:slice(1, p.miners):all(function(node) return node:mempool() == 0 end) and net:one_tip(g)
  end)

  -- What only a node had that was stopped may be gone.
  local gone = 0
  for _, id in ipairs(ids) do
    if g[1]:has_tx(id) ~= "block" then gone = gone + 1 end
  end
  metric("transactions", #ids)
  metric("transactions_lost", gone)
  check(gone <= #ids / 20, "transactions outlive the change", gone .. " of " .. #ids)
end
