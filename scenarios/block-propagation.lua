-- How long blocks take to reach everybody in a network like Bitcoin's, and how many are lost to forks for it.
--
-- Decker and Wattenhofer (Information Propagation in the Bitcoin Network, IEEE P2P 2013) explain forks by delay: while
-- a block spreads, the miners that do not have it yet work on the old tip. If f(t) is the share of the mining
-- power that has a block t after it was found, and blocks are found every T seconds, then a competitor is found
-- meanwhile with the probability 1 - exp(-D / T), where D, the integral of 1 - f(t), is the mean over the mining
-- power of the time until it has the block, the finder's own 0 included. Here all miners are equally strong: D is a plain
-- mean over them. They measured D = 12.6 s and T = 600 s: 2.1 % of forks predicted, 1.7 % seen.
scenario {
  name = "block-propagation",
  about = "Blocks spread over the regions of a real network: percentiles of arrival, and forks as delay predicts.",
  duration = 36000,
  params = { nodes = 80, blocks = 300, block_interval = 1, block_kb = 10, topology = "geo-bitcoin-2019" },
  better = { fork_rate = "less" },
}

local SHARES = { 50, 75, 90, 95, 99 }

-- Sums of what blocks say about delay: all arrivals, those by region of the finder, and D.
local function delays(blocks, miners)
  local all, regions, sum = {}, {}, 0
  for _, block in ipairs(blocks) do
    local region = block.miner:region()
    regions[region] = regions[region] or {}
    for _, t in ipairs(block.arrivals) do
      all[#all + 1] = t
      table.insert(regions[region], t)
      sum = sum + t
    end
  end
  return all, regions, sum / (#blocks * miners)
end

local function row(name, times)
  return string.format("%-12s %9d  %6.3f %6.3f %6.3f %6.3f %6.3f", name, #times,
    percentile(times, table.unpack(SHARES)))
end

function run(net, p)
  net:topology(p.topology)
  net:watch_blocks()
  local g = net:spawn(p.nodes)
  sleep(30)
  check(g:all(function(node) return node:ready() > 0 end), "every node has found a peer")

  g:each(function(node) node:mine_every(p.block_interval * #g) end)
  local traffic = every(p.block_interval, function()
    g[math.random(#g)]:submit_tx { data = string.rep("x", p.block_kb * 1000) }
  end)
  while g[1]:height() < p.blocks do sleep(p.block_interval) end -- a condition would be judged at every arrival
  traffic:stop()
  g:each(function(node) node:mine_every(0) end)
  sleep(60)

  local blocks = net:blocks()
  local reached = 0
  for _, block in ipairs(blocks) do
    if #block.arrivals == #g - 1 then reached = reached + 1 end
  end
  check(reached == #blocks, "every block found reaches every node", reached .. " of " .. #blocks)

  g[1]:mine() -- settles a tie between two last blocks
  sleep(60)
  check(net:one_tip(g), "all nodes agree")
  local stale = 0
  for _, block in ipairs(blocks) do
    if g[1]:block_hash(block.height) ~= block.hash then stale = stale + 1 end
  end

  local all, regions, delay = delays(blocks, #g)
  log("found in     arrivals      p50    p75    p90    p95    p99  s")
  for _, region in ipairs(net:regions()) do
    if regions[region] then log(row(region, regions[region])) end
  end
  log(row("all", all))
  for i, share in ipairs(SHARES) do
    metric("arrival_p" .. share .. "_s", (select(i, percentile(all, table.unpack(SHARES)))))
  end

  -- Each of the n blocks found is lost or not, nearly independently: the number lost has a binomial distribution,
  -- whose standard deviation as a share is sqrt(f (1 - f) / n). It strays from its mean by more than 4.5 of them
  -- less than once in 100,000 runs; its steps are 1 / n. The formula itself holds to the first order of x = D / T:
  -- it counts pairs of competitors, but a block may lose to one that loses again. With all delays at their worst the
  -- chain still grows by a share 1 / (1 + x) of the blocks (Sompolinsky and Zohar 2015), so that the share lost
  -- differs from 1 - exp(-x) by x^2 / 2 at most, to the second order.
  local x = delay / p.block_interval
  local predicted, seen, n = 1 - math.exp(-x), stale / #blocks, #blocks
  local bound = 4.5 * math.sqrt(predicted * (1 - predicted) / n) + x * x / 2 + 1 / n
  log(string.format("%d blocks, %d lost to forks: %.2f %%; a mean delay of %.3f s predicts %.2f %% +- %.2f", n, stale,
    100 * seen, delay, 100 * predicted, 100 * bound))
  metric("mean_delay_s", delay)
  metric("fork_rate", seen)
  metric("fork_rate_predicted", predicted)
  check(math.abs(seen - predicted) <= bound, "forks are as frequent as the delay predicts",
    string.format("%.4f seen, %.4f predicted, %.4f apart at most", seen, predicted, bound))
end
