-- A network in which nobody stays: all the time nodes leave for good, newcomers take their places with an empty disk,
-- and others only look in for a while. The network as a whole must live on: blocks reach whoever is there, a
-- newcomer finds its way in, and addresses of those who are gone do not keep anybody from that.
scenario {
  name = "churn",
  about = "Nodes leave for good and strangers take their places until hardly one of the first is left.",
  duration = 1800,
  params = { nodes = 25, stay = 120, churn = 480, block_interval = 10, latency = 80 },
  better = { worst_share_behind = "less" },
}

function run(net, p)
  net:links { latency = uniform(p.latency / 2 * ms, p.latency * 2 * ms) }
  local founders = net:spawn(p.nodes, { seeds = 5 })
  local core = net:group { founders[1], founders[2], founders[3] } -- a few stay, as well-known nodes do, and mine
  core:each(function(node) node:mine_every(#core * p.block_interval) end)
  -- The protocol passes no addresses on, so everybody is told of the well-known ones.
  founders:each(function(node)
    core:each(function(known) if known ~= node then node:add_peer(known) end end)
  end)
  wait("the network has formed", 120, function()
    return net:one_tip(founders) and core[1]:height() > 1
  end)

  -- Each place is held by a node for a while, drawn anew: many stay briefly, a few very long.
  local lives, slowest, places, since = 0, 0, {}, {}
  local function hold(place, node)
    while now() < p.churn do
      sleep(-math.log(1 - math.random()) * p.stay)
      if now() >= p.churn then return end
      if math.random() < 0.5 then node:shutdown() else node:kill() end
      sleep(math.random() * 5)
      if node:alive() then node:kill() end
      lives = lives + 1
      -- A newcomer knows the well-known ones and one who happens to be there.
      node = net:spawn(1, { seeds = #core, seeds_from = core })[1]
      local other = places[#core + math.random(p.nodes - #core)]
      if other:alive() then node:add_peer(other) end
      places[place], since[place] = node, now()
      local came, there = now(), core[1]:height()
      wait("a newcomer stands where the network stood when it came", 60, function()
        return node:height() >= there
      end)
      slowest = math.max(slowest, now() - came)
    end
  end
  for place = #core + 1, p.nodes do
    places[place], since[place] = founders[place], now()
    at(now(), function() hold(place, founders[place]) end)
  end

  -- What there is must hang together at every moment: blocks mined at the core reach nearly everybody soon.
  local worst = 0
  local watch = every(5, function()
    local height = core[1]:height()
    sleep(4)
    local behind, n = 0, 0
    for place, node in pairs(places) do
      if node:alive() and now() - since[place] >= 30 then
        n = n + 1
        if node:height() < height then behind = behind + 1 end
      end
    end
    if n > 0 then worst = math.max(worst, behind / n) end
  end)

  sleep(p.churn - now())
  watch:stop()
  sleep(70) -- the last newcomers
  local left = net:group(core)
  for place = #core + 1, p.nodes do
    if places[place]:alive() then left = net:group { left, places[place] } end
  end
  wait("whoever is left agrees", 120, function()
    return net:one_tip(left), net:tips(left) .. " tips"
  end)
  local first = 0
  for place = #core + 1, p.nodes do
    if places[place] == founders[place] then first = first + 1 end
  end
  log(string.format("%d came and went, %d of the first %d are left, the slowest newcomer took %.1f s", lives, first,
    p.nodes, slowest))
  metric("lives", lives)
  metric("slowest_newcomer_s", slowest)
  metric("worst_share_behind", worst)
  check(lives >= p.nodes, "the network was replaced at least once over", lives)
  check(worst <= 0.1, "hardly anybody who is settled was ever 4 s behind", worst)
  check(left:all(function(node) return node:ready() >= 2 end), "everyone who is left has its links")
end
