-- Two nodes shake hands; then strangers knock, one for each refusal that the protocol knows.
scenario {
  name = "first-contact",
  about = "Handshakes, and each way to be refused: version, silence, bad manners, doubles, no room, a ban.",
  duration = 120,
  params = { latency = 60 },
}

local HELLO = { kind = "Handshake", version = "0.1.0", node_id = "stranger", listen = "127.0.0.1:8765" }

local function hello(changes)
  local msg = {}
  for key, value in pairs(HELLO) do msg[key] = value end
  for key, value in pairs(changes or {}) do msg[key] = value end
  return msg
end

-- A new stranger, unless banned before, dials the node, says its lines, and hears how that ends.
local function knock(net, node, lines, banned)
  local heard = {}
  local stranger = net:peer {
    on_link = function(self, link)
      for _, line in ipairs(lines) do self:send(link, line) end
    end,
    on_message = function(_, _, msg)
      if msg.kind == "Handshake" then heard.welcome = true end
      if msg.kind == "Disconnect" then heard.reason = msg.reason end
    end,
    on_close = function() heard.closed = now() end,
  }
  if banned then node:ban(stranger) end
  heard.dialled = now()
  stranger:dial(node)
  return heard
end

local function refused(heard, reason, text)
  wait(text .. ": " .. reason, 15, function() return heard.closed ~= nil end)
  check(heard.reason == reason, text .. " is told " .. reason, "told " .. tostring(heard.reason))
  check(not heard.welcome, text .. " gets no Handshake")
end

function run(net, p)
  net:links { latency = p.latency * ms }
  local pair = net:spawn(2, { seeds = 1 })
  wait("two nodes are ready for each other", 5, function()
    return pair:all(function(node) return node:ready() == 1 end)
  end)
  check(pair[1]:state(pair[2]) == "ready", "both dialled, one connection stays")
  local host = pair[1]

  refused(knock(net, host, { hello { version = "1.0.0" } }), "IncompatibleVersion", "another major version")
  refused(knock(net, host, { hello { node_id = host:id() } }), "DuplicateConnection", "our own id")
  refused(knock(net, host, { hello { node_id = pair[2]:id() } }), "DuplicateConnection", "a ready peer's id")
  refused(knock(net, host, { { kind = "RequestBlock", height = 0 } }), "ProtocolViolation", "a request first")

  local silent = knock(net, host, {})
  refused(silent, "Timeout", "silence")
  check(silent.closed - silent.dialled >= 10, "silence is borne for ten seconds")

  local chatty = knock(net, host, { hello(), hello() })
  wait("a second handshake ends the link", 5, function() return chatty.closed ~= nil end)
  check(chatty.welcome and chatty.reason == "ProtocolViolation", "welcomed once, then sent away")

  local narrow = net:spawn(1, { config = { max_inbound = 1 } })[1]
  local first = knock(net, narrow, { hello { node_id = "first" } })
  wait("the first guest is welcome", 5, function() return first.welcome end)
  refused(knock(net, narrow, { hello { node_id = "second" } }), "TooManyConnections", "one guest too many")

  refused(knock(net, host, { hello() }, true), "ProtocolViolation", "a banned address")

  local foreign = net:spawn(1, { version = "2.0.0" })[1]
  foreign:connect(host)
  sleep(5)
  check(foreign:ready() == 0, "nodes of different major versions do not meet")
  check(pair[1]:state(pair[2]) == "ready", "after all that, the two are still friends")
end
