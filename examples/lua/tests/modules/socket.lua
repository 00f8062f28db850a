-- LuaSocket: sockets are userdata with __gc; buffers are in C; waiting is never longer than a second. Client and
-- server are in one process, on 127.0.0.1.
local check = require "check"
local socket = require "socket"

local function server()
  local s = assert(socket.bind("127.0.0.1", 0, 16))
  s:settimeout(0)
  local address, port = s:getsockname()
  check.same(address, "127.0.0.1", "address of the server")
  return s, tonumber(port)
end

-- Both ends of a new connection, neither blocking.
local function pair(s, port)
  local client = assert(socket.tcp())
  client:settimeout(0)
  client:connect("127.0.0.1", port)
  assert(socket.select({ s }, nil, 1)[1] == s, "nobody connects")
  local other = assert(s:accept())
  local _, writable = socket.select(nil, { client }, 1)
  assert(writable[1] == client, "not connected")
  other:settimeout(0)
  return client, other
end

do -- Lines echoed, one at a time.
  local s, port = server()
  check.same((s:accept()), nil, "nobody there yet")
  check.same(select(2, s:accept()), "timeout", "accept does not wait")
  local client, other = pair(s, port)
  check.same(select(2, client:receive()), "timeout", "receive does not wait")
  local wrong = 0
  for i = 1, 150 do
    local line = ("line %d "):format(i) .. ("x"):rep(i)
    assert(client:send(line .. "\n"))
    assert(socket.select({ other }, nil, 1)[1] == other)
    local got = assert(other:receive("*l"))
    assert(other:send(got:upper() .. "\n"))
    assert(socket.select({ client }, nil, 1)[1] == client)
    if client:receive() ~= line:upper() then wrong = wrong + 1 end
    if i % 50 == 0 then collectgarbage() end
  end
  check.same(wrong, 0, "echoed lines")
  client:close()
  assert(socket.select({ other }, nil, 1)[1] == other)
  check.same(select(2, other:receive()), "closed", "the end is seen")
  other:close()
  check.fails("closed", function() assert(other:send("x")) end)
  s:close()
end

do -- Large transfers in both directions at once, by coroutines that wait in select; partial results.
  local s, port = server()
  local client, other = pair(s, port)
  local readers, writers = {}, {}
  local function receive(from, bytes)
    local parts, n = {}, 0
    while n < bytes do
      local data, message, partial = from:receive(math.min(bytes - n, 20000))
      data = data or partial
      if data ~= "" then
        parts[#parts + 1] = data
        n = n + #data
      end
      if message == "timeout" then
        readers[from] = true
        coroutine.yield()
        readers[from] = nil
      elseif message then
        error(message)
      end
    end
    return table.concat(parts)
  end
  local function send(to, data)
    local at = 1
    while at <= #data do
      local last, message, partial = to:send(data, at)
      at = (last or partial) + 1
      if message == "timeout" then
        writers[to] = true
        coroutine.yield()
        writers[to] = nil
      elseif message then
        error(message)
      end
    end
  end
  local function text(salt)
    local parts = {}
    for i = 1, 20000 do parts[i] = ("%d:%d "):format(salt, i) end
    return table.concat(parts)
  end
  local results = {}
  local tasks = {
    coroutine.create(function() send(client, text(1)) end),
    coroutine.create(function() send(other, text(2)) end),
    coroutine.create(function() results[1] = receive(other, #text(1)) end),
    coroutine.create(function() results[2] = receive(client, #text(2)) end),
  }
  local rounds = 0
  repeat
    local alive = false
    rounds = rounds + 1
    for i = 1, 4 do
      if coroutine.status(tasks[i]) == "suspended" then
        local ok, message = coroutine.resume(tasks[i])
        if not ok then error(message) end
        alive = true
      end
    end
    if rounds % 10 == 0 then collectgarbage() end
    local r, w = {}, {}
    for sock in pairs(readers) do r[#r + 1] = sock end
    for sock in pairs(writers) do w[#w + 1] = sock end
    if #r + #w > 0 then socket.select(r, w, 1) end
  until not alive or rounds > 100000
  check.same(results[1], text(1), "client to server")
  check.same(results[2], text(2), "server to client")
  check(client:getstats() == #text(2), "statistics")
  client:shutdown("send")
  socket.select({ other }, nil, 1)
  check.same(select(2, other:receive(1)), "closed", "shut down")
  client:close()
  other:close()
  s:close()
end

do -- Sockets that are dropped are closed by the collector; sockets as keys of tables that select makes.
  local s, port = server()
  local wrong = 0
  for i = 1, 150 do
    local client, other = pair(s, port)
    local r, w = socket.select({ client, other }, { client, other }, 0)
    if #r ~= 0 or not w[client] or not w[other] then wrong = wrong + 1 end
    if i % 2 == 0 then client:close() end
    client, other = nil, nil
    if i % 25 == 0 then collectgarbage() end
  end
  check.same(wrong, 0, "150 connections")
  local client, other = pair(s, port)
  client = nil
  collectgarbage()
  collectgarbage()
  assert(socket.select({ other }, nil, 1)[1] == other)
  check.same(select(2, other:receive()), "closed", "closed by the collector")
  other:close()
  s:close()
end

do -- Sources, sinks and filters: closures over closures.
  local ltn12, mime, url = require "ltn12", require "mime", require "socket.url"
  local data = {}
  for i = 1, 3000 do data[i] = ("line %d\n"):format(i) end
  data = table.concat(data)
  local encoded = {}
  ltn12.pump.all(
    ltn12.source.string(data),
    ltn12.sink.chain(ltn12.filter.chain(mime.encode("base64"), mime.wrap("base64")), (ltn12.sink.table(encoded)))
  )
  collectgarbage()
  local decoded = {}
  local count = 0
  ltn12.pump.all(
    ltn12.source.string(table.concat(encoded)),
    ltn12.sink.chain(mime.decode("base64"), function(chunk, e)
      count = count + 1
      if count % 10 == 0 then collectgarbage("step") end
      if chunk then decoded[#decoded + 1] = chunk end
      return 1, e
    end)
  )
  check.same(table.concat(decoded), data, "base64 and back")
  check.same((mime.unb64((mime.b64("some data")))), "some data", "low level")
  local wrong = 0
  for i = 1, 100 do
    local u = url.parse(("http://user:%d@host%d.example:80/path/%d?query=%d#f"):format(i, i, i, i))
    if u.password ~= tostring(i) or u.host ~= ("host%d.example"):format(i) or u.query ~= "query=" .. i then wrong = wrong + 1 end
    if url.unescape(url.escape("a b/" .. i)) ~= "a b/" .. i then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "urls")

  -- The same through a connection.
  local s, port = server()
  local client, other = pair(s, port)
  client:settimeout(1)
  other:settimeout(1)
  local received = {}
  local small = data:sub(1, 8000)
  assert(ltn12.pump.all(ltn12.source.string(small), socket.sink("close-when-done", client)))
  assert(ltn12.pump.all(socket.source("until-closed", other), (ltn12.sink.table(received))))
  check.same(table.concat(received), small, "source and sink of sockets")
  s:close()
end

do -- newtry and protect: errors through C with a finalizer function of their own.
  local finalized = 0
  local try = socket.newtry(function()
    finalized = finalized + 1
    collectgarbage()
  end)
  local f = socket.protect(function(n)
    local t = { try(n) }
    try(n < 5 and n or nil, "too large: " .. n)
    return t, n
  end)
  local wrong = 0
  for i = 1, 8 do
    local t, e = f(i)
    if i < 5 and (t[1] ~= i or e ~= i) or i >= 5 and (t ~= nil or e ~= "too large: " .. i) then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "protected calls")
  check.same(finalized, 4, "their finalizer")
end

do -- Datagrams.
  local a, b = assert(socket.udp()), assert(socket.udp())
  a:setsockname("127.0.0.1", 0)
  b:setsockname("127.0.0.1", 0)
  a:settimeout(1)
  b:settimeout(1)
  local ip, port = a:getsockname()
  local wrong = 0
  for i = 1, 50 do
    assert(b:sendto(("datagram %d"):format(i), ip, tonumber(port)))
    local data, from, from_port = a:receivefrom()
    if data ~= "datagram " .. i or from ~= "127.0.0.1" then wrong = wrong + 1 end
    a:sendto(data .. " back", from, from_port)
    if b:receive() ~= "datagram " .. i .. " back" then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "datagrams")
end

check.in_each_mode(function(mode)
  -- LuaSocket's userdata have a user value that it does not use: old ones are given young values.
  local sockets = {}
  for i = 1, 10 do sockets[i] = assert(socket.tcp()) end
  check.age()
  local settable = debug.setuservalue(sockets[1], { 0 }, 1) ~= nil
  local wrong = 0
  for round = 1, 5 do
    for i = 1, 10 do debug.setuservalue(sockets[i], { round, { i } }, 1) end
    collectgarbage("step")
    check.churn(30)
    for i = 1, 10 do
      local v = debug.getuservalue(sockets[i], 1)
      if settable and (v[1] ~= round or v[2][1] ~= i) then wrong = wrong + 1 end
    end
  end
  check.same(wrong, 0, mode .. ": young user values of old userdata")
  for i = 1, 10 do sockets[i]:close() end
end)
