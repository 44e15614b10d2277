---@meta vibenet

-- The vocabulary of scenarios for editors that read LuaCATS annotations (lua-language-server):
-- completion, hover texts, types. Never loaded by vibesim. tests/unit/test_luacats.c holds it
-- against what a scenario really finds, name by name. Times are seconds, rates bits/s, sizes bytes.

---@alias vibenet.Time number seconds: `60 * ms`, `5 * minutes`
---@alias vibenet.Rate integer bits/s: `10 * mbit`; 0 is unlimited
---@alias vibenet.Hash string 64 hex digits
---@alias vibenet.Link integer a link of a scripted peer, as `dial` and `on_link` give it
---@alias vibenet.Target vibenet.Node|vibenet.Peer|string a host, or an address "127.0.0.1:8765"
---@alias vibenet.Hosts vibenet.Node|vibenet.Peer|vibenet.Group|table
---@alias vibenet.Distribution number|vibenet.Dist a number is a constant

---A distribution, drawn anew for each segment.
---@class vibenet.Dist

-- ---- units ----

---@type number
us = 1e-6
---@type number
ms = 1e-3
---@type number
s = 1
---@type number
seconds = 1
---@type number
minutes = 60
---@type number
hours = 3600
---@type integer
bit = 1
---@type integer
kbit = 1000
---@type integer
mbit = 1000000
---@type integer
gbit = 1000000000
---@type integer
B = 1
---@type integer
kB = 1000
---@type integer
MB = 1000000
---@type integer
KiB = 1024
---@type integer
MiB = 1048576

-- ---- distributions ----

---@param x number
---@return vibenet.Dist
function constant(x) end

---@param lo number
---@param hi number
---@return vibenet.Dist
function uniform(lo, hi) end

---@param mean number
---@param sd number standard deviation
---@return vibenet.Dist
function normal(mean, sd) end

---@param median number
---@param sigma number of the logarithm
---@return vibenet.Dist
function lognormal(median, sigma) end

---@param min number
---@param shape number
---@return vibenet.Dist
function pareto(min, shape) end

---@param mean number
---@return vibenet.Dist
function exponential(mean) end

---A Pareto distribution less its minimum.
---@param scale number 0 or more
---@param shape number 0.001..1e6
---@return vibenet.Dist
function lomax(scale, shape) end

---The nearest rank: the least value that p % of the list do not exceed; one for each p.
---@param list number[]
---@param p number 0..100
---@param ... number
---@return number ...
function percentile(list, p, ...) end

---Draws one of the values.
---@param values number[]
---@return vibenet.Dist
function empirical(values) end

-- ---- the scenario ----

---Options of `scenario`.
---@class vibenet.ScenarioOptions
---@field name? string [the file's name]
---@field about? string one line
---@field duration number seconds; the run ends then at the latest
---@field params? table<string, number|string|boolean> set by `--param name=value`
---@field cores? string[] builds of the core without which a run is a skip; given by `--core NAME=FILE`
---@field better? table<string, "less"|"more"> which way a metric gets better, for `vibesim check`
---@field swarm? vibenet.SwarmOptions what may happen with `--swarm`

---@alias vibenet.FaultKind
---| "kill" | "pause" | "skew" | "disk" | "partition" | "blackhole" | "flap" | "degrade"
---| "reset_links" | "half_open" | "forget_links" | "peer"

---Options of `swarm`.
---@class vibenet.SwarmOptions
---@field faults table<integer|vibenet.FaultKind, vibenet.FaultKind|vibenet.SwarmFault> names, or name = settings
---@field params? table<string, any[]|vibenet.Dist> lists or distributions to draw parameters from
---@field from? number seconds [30]: faults begin
---@field lasting? number seconds, 1 or more [300]: then the network is healed
---@field settle? number seconds, 1 or more [300]: what must hold eventually has that long after it

---Options of `swarm faults`.
---@class vibenet.SwarmFault
---@field every? number mean seconds between two, 1 or more [30]
---@field lasting? number|vibenet.Dist seconds each, to 3600 [uniform(1, 60)]; not of what is over at once
---@field inject? boolean [true]; false: only the script's own are on or off

---Once, at the top level of the file.
---@param options vibenet.ScenarioOptions
function scenario(options) end

---Options of `pinned`.
---@class vibenet.PinnedOptions
---@field seed? string a whole number
---@field swarm? boolean in swarm mode [false]
---@field audit? boolean with `--audit` [false]
---@field stop_at? number seconds; the run ends then
---@field only? integer[] the decisions that are carried out, ascending; all others are left out
---@field params? table<string, number|string|boolean> the scenario's defaults

---Before `scenario`: what made the run that this file was made from (`vibesim shrink`).
---@param options vibenet.PinnedOptions
function pinned(options) end

---What `require(name)` calls, in place of a file beside the scenario.
---@param name string
---@param fn function
function module(name, fn) end

-- ---- time ----

---Seconds since the start of the run.
---@return number
function now() end

---Waits; simulated time passes.
---@param t vibenet.Time 0..1e9
function sleep(t) end

---@class vibenet.Timer
local Timer = {}

---It does not fire again.
function Timer:stop() end

---Runs fn at second t of the run, in a coroutine of its own.
---@param t vibenet.Time
---@param fn fun()
---@return vibenet.Timer
function at(t, fn) end

---Runs fn each t seconds from now on, each time in a coroutine of its own.
---@param t vibenet.Time at least 1 ns
---@param fn fun()
---@return vibenet.Timer
function every(t, fn) end

-- ---- judgement ----

---Judged here; a failure fails the run and lets it go on. Returns cond.
---@param cond any
---@param text string
---@param detail? any
---@return any
function check(cond, text, detail) end

---Judged now and after every change; the first failure ends the run. fn may look, but not wait, draw
---or act; it returns whether the condition holds, and a detail.
---@param text string
---@param fn fun(): any, any?
function always(text, fn) end

---Must hold within that time.
---@param text string
---@param within vibenet.Time
---@param fn fun(): any, any?
function eventually(text, within, fn) end

---As eventually, and waits for it; the run ends if it does not come.
---@param text string
---@param within vibenet.Time
---@param fn fun(): any, any?
function wait(text, within, fn) end

---Must be hit by a seed of a sweep; fails no single run.
---@param text string
---@param cond any
function sometimes(text, cond) end

---@param name string
---@param value number
---@param node? vibenet.Node
function metric(name, value, node) end

---@param text any
function log(text) end

-- ---- the network ----

---@class vibenet.Net
local Net = {}

---Options of `net:links`.
---@class vibenet.LinkOptions
---@field latency? vibenet.Distribution seconds, one way [50 ms]
---@field jitter? vibenet.Distribution seconds on top of it [0]
---@field loss? number share of segments, 0..0.5 [0]
---@field bandwidth? vibenet.Rate of each direction [0]
---@field queue? integer bytes that may wait before a rate; 0: no bound [0], or 1500 and more
---@field queue_time? vibenet.Time the same in seconds, to 60; one of the two [0]
---@field reorder? number share of deliveries that come later, 0..1 [0]
---@field reorder_by? vibenet.Distribution seconds by which they do [uniform(0, 0.2)]
---@field duplicate? number share of deliveries of which a piece comes twice, 0..1 [0]
---@field corrupt? number share of deliveries with one byte changed, 0..1 [0]

---Options of `net:spawn`.
---@class vibenet.SpawnOptions
---@field seeds? integer other nodes that each starts with, 0..1000 [8, or all others]
---@field seeds_from? vibenet.Hosts where seeds are drawn [the new nodes]
---@field miners? integer how many of the first find blocks [0]
---@field block_interval? vibenet.Time mean, among the miners together [10 s]
---@field version? string at most 31 bytes [the core's: 0.1.0]
---@field core? string the build of the core that the nodes run; given by `--core NAME=FILE` ["built-in"]
---@field uplink? vibenet.Rate of the whole host [0, or the region's]
---@field downlink? vibenet.Rate of the whole host [0, or the region's]
---@field region? string of the topology [drawn]
---@field skew? vibenet.Distribution seconds that wall clocks are off; drawn sizes are ahead or behind [0]
---@field config? vibenet.ConfigOptions

---Options of `net:spawn config`.
---The fields of struct vn_config (core/node.h), times in seconds.
---@class vibenet.ConfigOptions
---@field ban_by? "auto"|"ip"|"id" ["auto"]
---@field max_outbound? integer 0..10000 [8]
---@field max_inbound? integer 0..10000 [32]
---@field known_peers? integer bound of the address list, 1..100000 [1000]
---@field genesis_timestamp? integer s since 1970 [1744067299]
---@field difficulty? integer of the genesis, 1 or more [100]
---@field connect_timeout? vibenet.Time of a dial [10 s]
---@field handshake_timeout? vibenet.Time [10 s]
---@field ping_after? vibenet.Time silence before a Ping [30 s]
---@field idle_timeout? vibenet.Time silence before Timeout [60 s]
---@field response_timeout? vibenet.Time [30 s]
---@field stall_timeout? vibenet.Time output blocked [30 s]
---@field backoff_base? vibenet.Time after a failed dial, doubled five times [2 s]
---@field give_up_after? integer failures in a row [5]
---@field probe_retries? integer sync requests before another peer [3]
---@field retry_failed? vibenet.Time between tries of a peer that was given up [64 s]
---@field feeler_interval? vibenet.Time mean; 0: none [60 s]
---@field sync_interval? vibenet.Time [60 s]
---@field ban? vibenet.Time [3600 s]
---@field mine_interval? vibenet.Time mean; 0: does not mine [0]
---@field mine_max_txs? integer 0..10000 [1000]
---@field mempool_max? integer [10000]
---@field mempool_per_sender? integer [100]
---@field orphans_max? integer [100]
---@field orphan_bytes_max? integer bytes [10 MiB]
---@field outbox_soft? integer bytes per link: above it transactions are shed [1 MiB]
---@field outbox_hard? integer bytes per link: above it the link ends [24 MiB]
---@field cached_blocks? integer newest bodies kept in memory [1024]
---@field peer_bytes_max? integer bytes pooled of what one link brought [16 MiB]
---@field score_half_life? vibenet.Time 0: scores stay [3600 s]
---@field max_pending? integer accepted links in their handshake, 1..10000 [16]
---@field max_inbound_per_ip? integer 0: no limit [8]
---@field accept_rate? integer links a second from one IP address; 0: no limit [2]
---@field accept_burst? integer links [64]
---@field ping_rate? integer a second [1000]
---@field ping_burst? integer [10000]
---@field block_rate? integer bytes/s of NewBlock [2 MiB]
---@field block_burst? integer bytes [64 MiB]
---@field tx_rate? integer bytes/s of NewTransaction [2 MiB]
---@field tx_burst? integer bytes [32 MiB]
---@field serve_rate? integer bytes/s of answers [2 MiB]
---@field serve_burst? integer bytes [64 MiB]
---@field unasked_rate? integer bytes/s of answers nobody asked for [64 KiB]
---@field unasked_burst? integer bytes [16 MiB]

---Options of `net:partition`.
---@class vibenet.PartitionOptions
---@field one_way? boolean only from a to b [false]
---@field lasting? vibenet.Time it heals by itself then [never]

---Options of `net:blackhole`.
---@class vibenet.BlackholeOptions
---@field one_way? boolean only what it sends is lost [false]
---@field lasting? vibenet.Time it heals by itself then [never]

---Options of `net:flap`.
---@class vibenet.FlapOptions
---@field every vibenet.Time seconds from one time down to the next
---@field down vibenet.Time seconds, less than `every`
---@field lasting? vibenet.Time it stops by itself then [never]

---Options of `net:degrade`: what is given replaces it.
---@class vibenet.DegradeOptions
---@field latency? vibenet.Distribution seconds, one way
---@field jitter? vibenet.Distribution seconds on top of it
---@field loss? number share of segments, 0..0.5
---@field bandwidth? vibenet.Rate of each direction
---@field queue? integer bytes that may wait before a rate; 0: no bound, or 1500 and more
---@field queue_time? vibenet.Time the same in seconds, to 60; one of the two
---@field reorder? number share of deliveries that come later, 0..1
---@field reorder_by? vibenet.Distribution seconds by which they do
---@field duplicate? number share of deliveries of which a piece comes twice, 0..1
---@field corrupt? number share of deliveries with one byte changed, 0..1
---@field lasting? vibenet.Time links are restored by themselves then [never]

---Options of `net:peer`.
---@class vibenet.PeerOptions
---@field on_link? fun(peer: vibenet.Peer, link: vibenet.Link, addr: string) up, dialled by either side
---@field on_message? fun(peer: vibenet.Peer, link: vibenet.Link, msg: vibenet.Message) without kind: not decodable
---@field on_bytes? fun(peer: vibenet.Peer, link: vibenet.Link, bytes: string)
---@field play? fun(peer: vibenet.Peer) a coroutine of its own that runs from now on
---@field on_close? fun(peer: vibenet.Peer, link: vibenet.Link, why: string) "remote-closed", "reset" ...
---@field uplink? vibenet.Rate of the whole host [0, or the region's]
---@field downlink? vibenet.Rate of the whole host [0, or the region's]
---@field region? string of the topology [drawn]

---A behaviour of the library, "ping-flood", or a table of the same shape, and what it takes.
---@class vibenet.BehaviourOptions
---@field behaviour string|table
---@field targets? vibenet.Hosts
---@field [string] any the behaviour's own options

---Of links made from now on: the default, or between two groups.
---@param options vibenet.LinkOptions
---@overload fun(self: vibenet.Net, a: vibenet.Hosts, b: vibenet.Hosts, options: vibenet.LinkOptions)
function Net:links(options) end

---@param n integer 1..1000000
---@param options? vibenet.SpawnOptions
---@return vibenet.Group
function Net:spawn(n, options) end

---@param options? vibenet.PeerOptions|vibenet.BehaviourOptions without functions it receives in turn
---@return vibenet.Peer
function Net:peer(options) end

---@return vibenet.Group
function Net:nodes() end

---@param hosts vibenet.Hosts
---@return vibenet.Group
function Net:group(hosts) end

---@param fn fun(node: vibenet.Node, i: integer)
function Net:each(fn) end

---A random share, and the rest.
---@param share number 0..1
---@param group? vibenet.Hosts [all nodes]
---@return vibenet.Group, vibenet.Group
function Net:split(share, group) end

---Nothing passes from a to b, nor back unless one_way.
---@param a vibenet.Hosts
---@param b vibenet.Hosts
---@param options? vibenet.PartitionOptions
---@return vibenet.Partition
function Net:partition(a, b, options) end

---Nothing passes between each host of a and anyone else.
---@param a vibenet.Hosts
---@param options? vibenet.BlackholeOptions
---@return vibenet.Partition
function Net:blackhole(a, options) end

---Links go down and up again, from now on.
---@param a vibenet.Hosts
---@param b vibenet.Hosts
---@param options vibenet.FlapOptions
---@return vibenet.Flap
function Net:flap(a, b, options) end

---Changes links that are up, and those made meanwhile.
---@param a vibenet.Hosts
---@param b vibenet.Hosts
---@param options vibenet.DegradeOptions
---@return vibenet.Degradation
function Net:degrade(a, b, options) end

---Open links end at b alone; a is not told. Returns how many.
---@param a vibenet.Hosts
---@param b vibenet.Hosts
---@return integer
function Net:half_open(a, b) end

---A router forgets open links: nothing passes on them, nobody is told. Returns how many.
---@param a vibenet.Hosts
---@param b vibenet.Hosts
---@return integer
function Net:forget_links(a, b) end

---Resets open links; returns how many.
---@param a vibenet.Hosts
---@param b vibenet.Hosts
---@return integer
function Net:reset_links(a, b) end

---Whether all running nodes stand on one tip.
---@param group? vibenet.Hosts [all nodes]
---@return boolean
function Net:one_tip(group) end

---Regions, latencies, rates and outdegrees of a data set; before all hosts.
---@param name string "geo-bitcoin-2019"
function Net:topology(name) end

---@return string[] the names of all regions
function Net:regions() end

---@param name string
---@return vibenet.Group of the nodes there
function Net:in_region(name) end

---Notes when each block reaches each node; before all hosts.
function Net:watch_blocks() end

---@class vibenet.FoundBlock
---@field hash vibenet.Hash
---@field height integer
---@field transactions integer
---@field miner vibenet.Node
---@field found number seconds
---@field arrivals number[] seconds since it was found, ascending, without its miner's

---The blocks found since watch_blocks, in that order.
---@param group? vibenet.Hosts whose arrivals [all nodes]
---@return vibenet.FoundBlock[]
function Net:blocks(group) end

---How many tips there are, and the greatest height.
---@param group? vibenet.Hosts [all nodes]
---@return integer, integer
function Net:tips(group) end

---@return { events: integer, messages: integer, bytes: integer, links: integer }
function Net:stats() end

---Ends all faults: of links, disks, clocks, pauses; starts what was killed.
function Net:heal() end

---The kinds of faults that this seed has; nil without `--swarm`.
---@return table<vibenet.FaultKind, true>?
function Net:swarm() end

---@class vibenet.Partition
local Partition = {}

function Partition:heal() end

---@class vibenet.Flap
local Flap = {}

function Flap:stop() end

---@class vibenet.Degradation
local Degradation = {}

function Degradation:restore() end

-- ---- groups ----

---`g[i]`, `#g`, `pairs(g)`.
---@class vibenet.Group
---@field [integer] vibenet.Node|vibenet.Peer
local Group = {}

---@param fn fun(host: vibenet.Node, i: integer)
function Group:each(fn) end

---Whether fn holds for all, and the first for which it does not.
---@param fn fun(host: vibenet.Node, i: integer): any
---@return boolean, vibenet.Node?
function Group:all(fn) end

---@param fn fun(host: vibenet.Node, i: integer): any
---@return boolean
function Group:any(fn) end

---@param fn fun(host: vibenet.Node, i: integer): any
---@return integer
function Group:count(fn) end

---@param i integer
---@param j? integer
---@return vibenet.Group
function Group:slice(i, j) end

-- ---- nodes ----

---@class vibenet.Node
local Node = {}

---@return string address
function Node:addr() end

---@return string name, "node-0001"
function Node:id() end

---@return string? the region of the topology
function Node:region() end

---@return string the build of the core that it runs, or ran if it is down: "built-in", "old"
function Node:core() end

---@return boolean
function Node:alive() end

---@return integer? nil while it is down
function Node:height() end

---@return vibenet.Hash?
function Node:tip() end

---@param height integer
---@return vibenet.Hash?
function Node:block_hash(height) end

---How many transactions wait.
---@return integer?
function Node:mempool() end

---@param id vibenet.Hash
---@return "pool"|"block"|nil
function Node:has_tx(id) end

---How many links are ready.
---@return integer?
function Node:ready() end

---@return table[]?
function Node:peers() end

---@param other vibenet.Target
---@return string?
function Node:state(other) end

---@return table?
function Node:info() end

---@param n? integer 1..1000 [1]
---@return true?, string?
function Node:mine(n) end

---@param t vibenet.Time mean; 0 stops
---@return true?, string?
function Node:mine_every(t) end

---Options of `submit_tx`.
---What is left out is drawn.
---@class vibenet.SubmitOptions
---@field sender? vibenet.Hash
---@field recipient? vibenet.Hash
---@field value? integer
---@field gas_price? integer
---@field gas_limit? integer
---@field nonce? integer
---@field timestamp? integer s since 1970
---@field data? string at most 8 MiB

---@param tx? vibenet.SubmitOptions
---@return vibenet.Hash?, string?
function Node:submit_tx(tx) end

---@param x vibenet.Target
---@return true?, string?
function Node:connect(x) end

---@param x vibenet.Target
---@return true?, string?
function Node:disconnect(x) end

---Pings to each ready link with x; one with too many, or without such a link, is refused.
---@param x vibenet.Target
---@param n? integer 1..10000 [1]
---@return true?, string?
function Node:ping(x, n) end

---@param x vibenet.Target
---@param t? vibenet.Time [the node's ban time]
---@return true?, string?
function Node:ban(x, t) end

---@param x vibenet.Target
---@return true?, string?
function Node:unban(x) end

---@param x vibenet.Target
---@return true?, string?
function Node:add_peer(x) end

---@return true?, string?
function Node:shutdown() end

---Options of `kill`.
---@class vibenet.KillOptions
---@field silently? boolean as by a power cut: its peers are not told [false]

---The process goes.
---@param options? vibenet.KillOptions
function Node:kill(options) end

---Options of `restart`.
---@class vibenet.RestartOptions
---@field lose_disk? boolean [false]
---@field core? string it comes back under this build of the core [as it was]

---It comes back.
---@param options? vibenet.RestartOptions
function Node:restart(options) end

---It stands still, as after SIGSTOP.
function Node:pause() end

function Node:resume() end

---@return boolean
function Node:paused() end

---Options of `skew`.
---What is left out is right.
---@class vibenet.SkewOptions
---@field by? number seconds off, both signs, to 1e9 [0]
---@field drift? number parts per million, -1e6 (stands still) to 1e6 [0]
---@field jump? number seconds more at each jump
---@field jump_every? vibenet.Time 1 ms or more

---Its wall clock is off from now on; 0 or "right": right again.
---@param skew number|"right"|vibenet.SkewOptions
function Node:skew(skew) end

---Options of `disk`.
---@class vibenet.DiskOptions
---@field latency? vibenet.Distribution seconds of each STORE and LOAD [1 ms]
---@field slow? number factor 1..1e6 [1]
---@field fail? number share of requests that fail, 0..1 [0]
---@field fail_stores? number the same, of STOREs [0]
---@field fail_loads? number the same, of LOADs [0]
---@field full? boolean every STORE fails [false]
---@field hang? boolean nothing completes [false]
---@field torn? number chance that a kill leaves a part of a STORE, 0..1 [0]
---@field lie? integer STOREs called durable too early, 0..1000 [0]
---@field corrupt? number chance of one wrong bit in what is read, 0..1 [0]

---Its disk is bad until it is good again: {} or "good".
---@param disk "good"|vibenet.DiskOptions
function Node:disk(disk) end

-- ---- scripted peers ----

---@class vibenet.Peer
local Peer = {}

---@return string address
function Peer:addr() end

---@return string name, "peer-0001"
function Peer:id() end

---@return string? the region of the topology
function Peer:region() end

---What is sent before the link is up waits for it.
---@param x vibenet.Target
---@return vibenet.Link
function Peer:dial(x) end

---@param link vibenet.Link
---@param msg vibenet.Message
---@return boolean whether the link still is
function Peer:send(link, msg) end

---@param link vibenet.Link
---@param bytes string 1 B..16 MiB
---@return boolean
function Peer:send_raw(link, bytes) end

---The next message, or the next of that kind; else nil and "closed" or "timeout".
---@param link vibenet.Link
---@param within? vibenet.Time [60 s]
---@param kind? string
---@return vibenet.Message?, string?
function Peer:receive(link, within, kind) end

---Sends what is queued, then closes.
---@param link vibenet.Link
---@return boolean
function Peer:close(link) end

---The bytes that send would send.
---@param msg vibenet.Message
---@return string
function Peer:frame(msg) end

---What comes is taken and forgotten.
---@param link vibenet.Link
function Peer:ignore(link) end

---Whether bytes are taken from the link at all.
---@param link vibenet.Link
---@param on boolean
function Peer:read(link, on) end

---So far: links, bytes, messages by kind, unreadable ones, reasons of Disconnects.
---@return { dialled: integer, up: integer, closed: integer, sent: integer, received: integer, messages: table, unreadable: integer, reasons: table }
function Peer:counts() end

---From dice of the peer's own.
---@param lo integer
---@param hi integer
---@return integer
function Peer:random(lo, hi) end

---@param n integer
---@return string
function Peer:random_bytes(n) end

---A child of the block, valid but for the fields that are given.
---@param parent? vibenet.Block [the genesis]
---@param fields? vibenet.Block
---@return vibenet.Block
function Peer:mine(parent, fields) end

---A transaction, valid but for the fields that are given.
---@param fields? vibenet.Transaction
---@return vibenet.Transaction
function Peer:tx(fields) end

-- ---- tables of blocks and transactions ----

---@class vibenet.Chain
local Chain = {}

---@type vibenet.Chain
chain = Chain

---@param b vibenet.Block
---@return vibenet.Hash
function Chain.hash(b) end

---A copy with nonce and hash that fit.
---@param b vibenet.Block
---@param difficulty? integer
---@return vibenet.Block
function Chain.solve(b, difficulty) end

---The greatest hash that fits.
---@param difficulty integer
---@return vibenet.Hash
function Chain.target(difficulty) end

---@param ids vibenet.Hash[]
---@return vibenet.Hash
function Chain.root(ids) end

---@param timestamp? integer s since 1970
---@param difficulty? integer
---@return vibenet.Block
function Chain.genesis(timestamp, difficulty) end

---@param t vibenet.Transaction
---@return vibenet.Hash
function Chain.tx_id(t) end

---Whole seconds since 1970, by a clock that nothing skews.
---@return integer
function Chain.clock() end

-- ---- messages: PROTOCOL-0.1's fields; 64-bit numbers are integers of the same bits ----

---@alias vibenet.Message vibenet.Handshake|vibenet.NewBlock|vibenet.NewTransaction|vibenet.RequestBlock|vibenet.ResponseBlock|vibenet.RequestBlockRange|vibenet.ResponseBlockRange|vibenet.Ping|vibenet.Pong|vibenet.Disconnect

---Fields of `Handshake`.
---@class vibenet.Handshake
---@field kind "Handshake"
---@field size? integer of a received payload, bytes
---@field version? string [0.1.0]
---@field node_id? string [the peer's name]
---@field listen? string address [the peer's]

---Fields of `NewBlock`.
---@class vibenet.NewBlock
---@field kind "NewBlock"
---@field size? integer
---@field block? vibenet.Block

---Fields of `NewTransaction`.
---@class vibenet.NewTransaction
---@field kind "NewTransaction"
---@field size? integer
---@field tx? vibenet.Transaction

---Fields of `RequestBlock`.
---@class vibenet.RequestBlock
---@field kind "RequestBlock"
---@field size? integer
---@field height? integer -1 asks for the newest

---Fields of `ResponseBlock`.
---@class vibenet.ResponseBlock
---@field kind "ResponseBlock"
---@field size? integer
---@field block? vibenet.Block without one it says "none"

---Fields of `RequestBlockRange`.
---@class vibenet.RequestBlockRange
---@field kind "RequestBlockRange"
---@field size? integer
---@field first? integer
---@field last? integer

---Fields of `ResponseBlockRange`.
---@class vibenet.ResponseBlockRange
---@field kind "ResponseBlockRange"
---@field size? integer
---@field blocks? vibenet.Block[]

---Fields of `Ping`.
---@class vibenet.Ping
---@field kind "Ping"
---@field size? integer
---@field nonce? integer

---Fields of `Pong`.
---@class vibenet.Pong
---@field kind "Pong"
---@field size? integer
---@field nonce? integer

---Fields of `Disconnect`.
---@class vibenet.Disconnect
---@field kind "Disconnect"
---@field size? integer
---@field reason? "Shutdown"|"ProtocolViolation"|"IncompatibleVersion"|"TooManyConnections"|"DuplicateConnection"|"Timeout"|integer

---Fields of `block`.
---@class vibenet.Block
---@field height? integer
---@field hash? vibenet.Hash
---@field prev_hash? vibenet.Hash
---@field timestamp? integer s since 1970
---@field tx_ids? vibenet.Hash[]
---@field state_root? vibenet.Hash
---@field tx_root? vibenet.Hash
---@field nonce? integer
---@field poh_seq? integer
---@field poh_hash? vibenet.Hash
---@field difficulty? integer
---@field total_difficulty? string decimal

---Fields of `transaction`.
---@class vibenet.Transaction
---@field tx_id? vibenet.Hash
---@field sender? vibenet.Hash
---@field recipient? vibenet.Hash
---@field value? integer
---@field gas_price? integer
---@field gas_limit? integer
---@field gas_used? integer
---@field nonce? integer
---@field timestamp? integer s since 1970
---@field block_height? integer
---@field data? string
---@field status? integer
---@field error? integer

-- ---- Lua's own, where a scenario finds more ----

---x to the power y; exact, the same on every machine. A power other than 0..64 needs x above 0.
---@param x number
---@param y number
---@return number
function math.pow(x, y) end
