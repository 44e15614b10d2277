-- Wall clocks are off by minutes, drift, jump; a few are wrong beyond the two hours that a block's time may
-- be ahead. The chain goes on among those who can agree, and a clock that is right again catches up.
scenario {
  name = "clock-skew",
  about = "Clocks off by minutes to hours, drifting and jumping: the chain goes on, no honest node is punished.",
  duration = 3000,
  params = { nodes = 24, miners = 4, block_interval = 10, spread = 20, latency = 60, tx_rate = 1 },
}

local LIMIT = 7200 -- of a block's time ahead of the clock, in seconds (PROTOCOL-0.1, B3)

local function agree(net, group, text)
  wait(text, 300, function()
    return net:one_tip(group), net:tips(group) .. " tips"
  end)
end

function run(net, p)
  net:links { latency = uniform(p.latency / 2 * ms, p.latency * 2 * ms) }
  -- Off by up to `spread` minutes to either side: everybody is within the limit of everybody.
  local config = { max_outbound = 8 }
  local g = net:spawn(p.nodes, {
    seeds = 6, miners = p.miners, block_interval = p.block_interval,
    skew = uniform(0, p.spread * minutes), config = config,
  })
  wait("the chain grows", 200, function() return net:one_tip(g) and g[1]:height() > 3 end)
  local traffic = every(1 / p.tx_rate, function() g[math.random(#g)]:submit_tx {} end)

  -- Two run away, one slowly back and forth, all within the limit; one of them mines.
  g[2]:skew { by = 600, drift = 50000 }
  g[6]:skew { by = -600, drift = -50000 }
  g[7]:skew { by = 30, jump = -1, jump_every = 7 }
  sleep(300)
  local before = g[1]:height()
  sleep(120)
  check(g[1]:height() > before, "the chain goes on under drift and jumps")
  agree(net, g, "all within the limit agree")

  -- One is hours behind: every new block is from its future, and it stands still.
  local behind, ahead = g[8], g[3]
  behind:skew(-3 * LIMIT)
  -- One miner is hours ahead: nobody takes its blocks, and it follows those of the others.
  ahead:skew(3 * LIMIT)
  local stood = behind:height()
  sleep(300)
  local most = g:slice(4, 7)
  agree(net, net:group { g[1], g[2], most, g:slice(9, #g) }, "those within the limit agree, whoever is not")
  check(behind:height() <= stood + 1, "a clock far behind takes nothing new")
  check(g[1]:height() > stood + 5, "the chain goes on without those beyond the limit")
  check(behind:ready() > 0 and ahead:ready() > 0, "they keep their peers: a wrong clock is no offence")

  behind:skew "right"
  ahead:skew "right"
  local righted = now()
  wait("who was behind catches up when its clock is right again", 180, function()
    return behind:height() >= g[1]:height() - 1, behind:height() .. " of " .. g[1]:height()
  end)
  metric("caught_up_s", now() - righted)
  agree(net, g, "all agree when the worst clocks are right again")

  -- Every clock jumps at once, as after a leap of a time server.
  g:each(function(node) node:skew { by = math.random(-1800, 1800), drift = math.random(-200, 200) } end)
  sleep(120)
  g:each(function(node) node:skew(0) end)
  traffic:stop()
  agree(net, g, "all agree in the end")
  check(g:all(function(node) return node:info().banned == 0 end), "nobody is banned")
end
