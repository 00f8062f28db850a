-- luv: libuv's loop calls closures that nothing but the registry holds, from C, any time later.
local check = require "check"
local uv = require "luv"

-- Runs the loop until nothing is left to do, with collections in between.
local function run()
  local rounds = 0
  while uv.run("once") do
    rounds = rounds + 1
    if rounds % 10 == 0 then collectgarbage() else collectgarbage("step") end
    check.churn(2)
    if rounds > 100000 then error("the loop does not end") end
  end
end

local function assert_no(message)
  if message then error(message, 2) end
end

do -- Timers: once, repeated, stopped, closed; their closures and values are held by luv alone.
  local log = {}
  local function start(i)
    local timer = uv.new_timer()
    local value = { i }
    timer:start(i % 5, 0, function()
      log[#log + 1] = value[1]
      timer:close(function() log[#log + 1] = -value[1] end)
    end)
  end
  for i = 1, 40 do start(i) end
  collectgarbage()
  check.churn()
  run()
  check.same(#log, 80, "timers and their close callbacks")
  local sum = 0
  for _, n in ipairs(log) do sum = sum + n end
  check.same(sum, 0, "each once")

  local ticks = {}
  local timer = uv.new_timer()
  timer:start(0, 1, function()
    ticks[#ticks + 1] = { #ticks + 1 }
    if #ticks % 5 == 0 then collectgarbage() end
    if #ticks == 20 then
      timer:stop()
      timer:start(1, 0, function() timer:close() end)
    end
  end)
  run()
  check.same(#ticks, 20, "repeated")
  check.same(ticks[20][1], 20, "values made in callbacks")
  check.same(timer:is_closing(), true, "closed")

  -- Other callbacks of one loop: idle, check and prepare handles.
  local counts = { idle = 0, check = 0, prepare = 0 }
  local function counted(name)
    local handle = uv["new_" .. name]()
    handle:start(function()
      counts[name] = counts[name] + 1
      if counts[name] == 10 then handle:close() end
    end)
  end
  counted "idle"
  counted "check"
  counted "prepare"
  collectgarbage()
  run()
  check.same(counts.idle + counts.check + counts.prepare, 30, "idle, check and prepare")
end

do -- Handles as objects: held by luv until they are closed, then collected.
  local weak = setmetatable({}, { __mode = "v" })
  local function make()
    for i = 1, 10 do
      local timer = uv.new_timer()
      weak[i] = timer
      timer:start(1000000, 0, function() return weak end)
      if i <= 5 then timer:close() end
    end
  end
  make()
  uv.run("nowait")
  collectgarbage()
  collectgarbage()
  local n = 0
  for i = 1, 10 do
    if weak[i] then
      n = n + 1
      if i <= 5 then check(false, "a closed handle is alive") end
      weak[i]:close()
    end
  end
  check.same(n, 5, "handles that were not closed")
  run()
  collectgarbage()
  collectgarbage()
  check.same(next(weak), nil, "and now they are gone")
end

do -- An error in a callback ends the process, as luv has it, with a message (seen from outside).
  local output, code = check.child(([[
    package.cpath = %q
    local uv = require "luv"
    local timer = uv.new_timer()
    timer:start(0, 0, function()
      collectgarbage()
      error("in a callback")
    end)
    collectgarbage()
    uv.run()
    print("not reached")
  ]]):format(package.cpath))
  check(code ~= 0, "exit code")
  check(output:find("in a callback") and not output:find("not reached"), "output: " .. output)
end

do -- An interpreter that ends with active handles, pending requests and a stack of callbacks.
  local output, code = check.child(([[
    package.cpath = %q
    local uv = require "luv"
    for i = 1, 20 do
      local timer = uv.new_timer()
      timer:start(100000, 0, function() print "never" end)
      local server = uv.new_tcp()
      server:bind("127.0.0.1", 0)
      server:listen(4, function() print "never" end)
    end
    uv.fs_stat("/", function() end)
    held = setmetatable({}, { __gc = function() print "finalized" end })
    local timer = uv.new_timer()
    timer:start(0, 0, function() timer:close(); uv.stop() end)
    uv.run()
    print "end"
  ]]):format(package.cpath))
  check.same(code, 0, "exit code")
  check.same(output, "end\nfinalized\n", "output")
end

-- A server that echoes, and n clients that send and compare.
local function echo(listen, connect, n, messages)
  local finished, wrong = 0, 0
  local server = listen()
  server:listen(128, function(e)
    assert_no(e)
    local client = connect(nil)
    server:accept(client)
    client:read_start(function(e2, data)
      assert_no(e2)
      if data then
        client:write({ data }, function(e3) assert_no(e3) end)
      else
        client:shutdown(function() client:close() end)
      end
    end)
  end)
  for i = 1, n do
    local expected, got = {}, {}
    local client
    client = connect(server, function(e)
      assert_no(e)
      client:read_start(function(e2, data)
        assert_no(e2)
        if data then
          got[#got + 1] = data
        else
          if table.concat(got) ~= table.concat(expected) then wrong = wrong + 1 end
          finished = finished + 1
          client:close()
          if finished == n then server:close() end
        end
      end)
      for m = 1, messages do
        local text = ("client %d message %d "):format(i, m):rep(m)
        expected[m] = text
        local part = { text:sub(1, 5), text:sub(6) }
        client:write(m % 2 == 0 and text or part, function(e3)
          assert_no(e3)
          if m == messages then client:shutdown() end
        end)
      end
    end)
  end
  collectgarbage()
  run()
  return finished, wrong
end

do -- TCP on the loopback, all clients at once.
  local finished, wrong = echo(function()
    local server = uv.new_tcp()
    assert(server:bind("127.0.0.1", 0))
    return server
  end, function(server, callback)
    local client = uv.new_tcp()
    if server then client:connect("127.0.0.1", server:getsockname().port, callback) end
    return client
  end, 20, 12)
  check.same(finished, 20, "TCP clients")
  check.same(wrong, 0, "what they got back")
end

do -- The same over a local socket in the file system.
  local name = os.tmpname()
  os.remove(name)
  local finished, wrong = echo(function()
    local server = uv.new_pipe(false)
    assert(server:bind(name))
    return server
  end, function(server, callback)
    local client = uv.new_pipe(false)
    if server then client:connect(name, callback) end
    return client
  end, 10, 12)
  check.same(finished, 10, "pipe clients")
  check.same(wrong, 0, "what they got back")
  os.remove(name)
end

do -- Datagrams.
  local a, b = uv.new_udp(), uv.new_udp()
  a:bind("127.0.0.1", 0)
  b:bind("127.0.0.1", 0)
  local received = {}
  a:recv_start(function(e, data, from)
    assert_no(e)
    if data then
      received[#received + 1] = data
      a:send(data .. " back", from.ip, from.port, function() end)
    end
  end)
  local back = 0
  b:recv_start(function(e, data)
    assert_no(e)
    if data then
      back = back + 1
      if back == 20 then
        a:close()
        b:close()
      else
        b:send("datagram " .. back + 1, "127.0.0.1", a:getsockname().port, function() end)
      end
    end
  end)
  b:send("datagram 1", "127.0.0.1", a:getsockname().port, function() end)
  collectgarbage()
  run()
  check.same(back, 20, "datagrams back")
  check.same(received[20], "datagram 20", "and forth")
end

do -- File system requests, each callback starting the next; done by libuv's threads.
  local directory = assert(uv.fs_mkdtemp((os.getenv("TMPDIR") or "/tmp") .. "/midden-luv-XXXXXX"))
  local done, wrong = 0, 0
  local function work(i)
    local name = ("%s/file %d"):format(directory, i)
    local text = ("text %d "):format(i):rep(i * 20)
    uv.fs_open(name, "w+", 384, function(e, fd)
      assert_no(e)
      uv.fs_write(fd, { text:sub(1, 10), text:sub(11) }, 0, function(e2, n)
        assert_no(e2)
        if n ~= #text then wrong = wrong + 1 end
        uv.fs_fstat(fd, function(e3, stat)
          assert_no(e3)
          if stat.size ~= #text or stat.type ~= "file" then wrong = wrong + 1 end
          uv.fs_read(fd, #text, 0, function(e4, data)
            assert_no(e4)
            if data ~= text then wrong = wrong + 1 end
            uv.fs_close(fd, function()
              uv.fs_unlink(name, function(e5)
                assert_no(e5)
                done = done + 1
              end)
            end)
          end)
        end)
      end)
    end)
  end
  for i = 1, 30 do work(i) end
  collectgarbage()
  run()
  check.same(done, 30, "chains of file system callbacks")
  check.same(wrong, 0, "what they read")

  -- Directories: scandir's request is an iterator; opendir's handle is userdata with __gc.
  for i = 1, 25 do uv.fs_close(assert(uv.fs_open(("%s/f%d"):format(directory, i), "w", 384))) end
  local names, pages = 0, 0
  uv.fs_scandir(directory, function(e, request)
    assert_no(e)
    for name in function() return uv.fs_scandir_next(request) end do
      names = names + (name:find("^f%d+$") and 1 or 0)
      collectgarbage("step")
    end
  end)
  uv.fs_opendir(directory, function(e, dir)
    assert_no(e)
    local function page(e2, entries)
      assert_no(e2)
      if entries then
        pages = pages + #entries
        collectgarbage()
        dir:readdir(page)
      else
        dir:closedir(function() end)
      end
    end
    dir:readdir(page)
  end, 10)
  run()
  check.same(names, 25, "scandir")
  check.same(pages, 25, "readdir")
  for i = 1, 200 do -- left to the collector
    local dir = assert(uv.fs_opendir(directory))
    dir:readdir()
    uv.fs_scandir_next((uv.fs_scandir(directory)))
    if i % 50 == 0 then collectgarbage() end
  end
  collectgarbage()
  for i = 1, 25 do check.same(uv.fs_unlink(("%s/f%d"):format(directory, i)), true, "unlink") end
  check.same(uv.fs_rmdir(directory), true, "rmdir")
  local failed
  uv.fs_stat(directory, function(e) failed = e end)
  run()
  check(failed:find("ENOENT"), "a request that fails")
end

do -- Callbacks that resume coroutines: code in a straight line.
  local function await(f, ...)
    local co = coroutine.running()
    local arguments = table.pack(...)
    arguments[arguments.n + 1] = function(...) assert(coroutine.resume(co, ...)) end
    f(table.unpack(arguments, 1, arguments.n + 1))
    return coroutine.yield()
  end
  local function sleep(ms)
    local timer = uv.new_timer()
    await(timer.start, timer, ms, 0)
    timer:close()
  end
  local finished = {}
  for i = 1, 20 do
    coroutine.wrap(function()
      local state = { i, tostring(i) }
      for round = 1, 3 do
        sleep(i % 3)
        local e, stat = await(uv.fs_stat, "/")
        assert_no(e)
        if stat.type ~= "directory" then error("stat") end
        state[#state + 1] = round
      end
      finished[#finished + 1] = state
    end)()
  end
  collectgarbage()
  check.churn()
  run()
  local wrong = 0
  for _, state in ipairs(finished) do
    if state[2] ~= tostring(state[1]) or #state ~= 5 then wrong = wrong + 1 end
  end
  check.same(#finished, 20, "coroutines")
  check.same(wrong, 0, "their state")
end

do -- async: a callback asked for from elsewhere.
  local got = {}
  local async
  async = uv.new_async(function(...)
    got[#got + 1] = table.pack(...)
    if #got == 5 then async:close() else async:send("again", #got, #got % 2 == 0) end
  end)
  async:send("first", 0.5, true)
  collectgarbage()
  run()
  check.same(#got, 5, "asked five times")
  check.same(got[1][1], "first", "arguments")
  check(got[5][2] == 4, "arguments made in the callback")
end

check.in_each_mode(function(mode)
  local wrong, fired = 0, 0
  local old = {}
  for i = 1, 10 do old[i] = uv.new_timer() end
  check.age()
  for i = 1, 10 do -- old handles get young callbacks
    local young = { i }
    old[i]:start(0, 0, function()
      fired = fired + 1
      if young[1] ~= i then wrong = wrong + 1 end
      old[i]:start(0, 0, function()
        fired = fired + 1
        if young[1] ~= i then wrong = wrong + 1 end
        old[i]:close()
      end)
    end)
    collectgarbage("step")
    check.churn(10)
  end
  run()
  check.same(fired, 20, mode .. ": young callbacks of old handles")
  check.same(wrong, 0, mode .. ": their upvalues")
end)
