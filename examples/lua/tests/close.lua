-- To-be-closed variables (manual 3.3.8, 6.2 coroutine.close), with collections in between.
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local check = require "check"

local log = {}

-- A value whose closing is logged with its name and error, and which collects before and after.
local function closing(name, f)
  local state = { name }
  return setmetatable({}, {
    __close = function(_, e)
      collectgarbage("step")
      log[#log + 1] = state[1] .. (e == nil and "" or ":" .. tostring(e))
      if f then f(e) end
      collectgarbage()
      check.churn(3)
    end,
  })
end

local function logged(expected, message)
  check.same(table.concat(log, " "), expected, message)
  log = {}
end

do -- The ways out of a block.
  do
    local a <close> = closing "a"
    local b <close>, c = closing "b", 1
    local d <const>, e <close> = 2, closing "e"
    collectgarbage()
    log[#log + 1] = "body" .. c .. d
  end
  logged("body12 e b a", "reverse order at the end of a block")

  for i = 1, 3 do
    local x <close> = closing("x" .. i)
    if i == 2 then goto continue end
    collectgarbage()
    log[#log + 1] = "body" .. i
    ::continue::
  end
  logged("body1 x1 x2 body3 x3", "goto out of a block")

  local i = 0
  while true do
    local x <close> = closing("w" .. i)
    i = i + 1
    if i == 3 then break end
  end
  logged("w0 w1 w2", "break")

  local n = 0
  repeat
    local x <close> = closing("r" .. n)
    n = n + 1
    local done = n == 2
  until done
  logged("r0 r1", "repeat")

  local function f(...)
    local x <close> = closing "x"
    local y <close> = closing "y"
    return ..., { "fresh" }, ("str"):rep(20)
  end
  local t = table.pack(f(1, 2))
  logged("y x", "return")
  check.same(t.n, 3, "number of results")
  check.same(t[1], 1, "first result")
  check.same(t[2][1], "fresh", "fresh table survives the collections while closing")
  check.same(t[3], ("str"):rep(20), "fresh string, too")

  local function g(...)
    local x <close> = closing "x"
    return table.unpack({ ... }, 1, select("#", ...))
  end
  check.same(select("#", g(table.unpack({}, 1, 100))), 100, "no tail call, many results")
  logged("x", "closed after the results are there")
end

do -- nil and false are ignored; other values need the metamethod.
  local a <close> = nil
  local b <close> = false
  check.fails("variable 'c' got a non%-closable value", function() local c <close> = {} end)
  check.fails("variable 'd' got a non%-closable value", function() local d <close> = 42 end)
  check.fails("closable", function()
    local before <close> = closing "before"
    local bad <close> = "string"
  end)
  check(log[1]:find("^before:"), "variables before the bad one are closed with the error")
  log = {}
end

do -- Values that only the to-be-closed variable holds, and metatables that only they hold.
  local weak = setmetatable({}, { __mode = "v" })
  local function g()
    local x <close> = closing "x"
    weak[1], weak[2] = x, getmetatable(x)
    collectgarbage()
    check.churn()
    check(weak[1] and weak[2], "held by the variable")
  end
  g()
  logged("x", "closed")
  collectgarbage()
  check.same(weak[1], nil, "and then dead")
  check.same(weak[2], nil, "with its metatable")
end

do -- Errors: passed to every closing, replaced by what these raise.
  local function f()
    local a <close> = closing "a"
    local b <close> = closing("b", function(e) error("B", 0) end)
    local c <close> = closing "c"
    local d <close> = closing("d", function(e) error({ "D", e }) end)
    error("first", 0)
  end
  local ok, e = pcall(f)
  check.same(ok, false, "it failed")
  check.same(e, "B", "with the last error")
  check.same(log[1], "d:first", "the error reaches the last variable")
  check(log[2]:find("^c:table"), "its own error the next")
  check(log[3]:find("^b:table"), "and the next")
  check.same(log[4], "a:B", "whose error reaches the first")
  log = {}

  local function h()
    local a <close> = closing("a", function(e) error(e == nil and "from a" or e, 0) end)
    return "value that is lost"
  end
  check.same(check.fails("^from a$", h), "from a", "an error while returning")
  logged("a", "was closed without an error")

  local messages = {}
  local ok2 = xpcall(function()
    local a <close> = closing("a", function() error("second", 0) end)
    error("first", 0)
  end, function(m)
    messages[#messages + 1] = m
    collectgarbage()
    return m
  end)
  check.same(ok2, false, "xpcall")
  check.same(table.concat(messages, " "), "first second", "the handler saw both")
  log = {}

  -- Fresh error objects survive.
  local ok3, e3 = pcall(function()
    local a <close> = closing "a"
    local b <close> = closing "b"
    error({ text = "fresh " .. #arg, inner = { {} } })
  end)
  check.same(ok3, false, "failed")
  check.same(e3.text, "fresh " .. #arg, "the error object")
  check.same(type(e3.inner[1]), "table", "is whole")
  log = {}
end

do -- Generic for: the fourth value is closed however the loop ends.
  local function numbers(n, name)
    return function(_, i) if i < n then return i + 1 end end, nil, 0, closing(name)
  end
  for i in numbers(3, "whole") do
    collectgarbage("step")
    log[#log + 1] = i
  end
  logged("1 2 3 whole", "loop ran out")
  for i in numbers(10, "broken") do
    if i == 2 then break end
  end
  logged("broken", "break")
  check.fails("in the loop", function()
    for _ in numbers(10, "failed") do error("in the loop", 0) end
  end)
  logged("failed:in the loop", "error")
  local function outer()
    for i in numbers(5, "outer") do
      for j in numbers(5, "inner") do
        if i * j == 6 then return i, j, {} end
      end
    end
  end
  local i, j, t = outer()
  check.same(i * j, 6, "returned from two loops")
  check.same(type(t), "table", "with a fresh table")
  logged("inner inner outer", "closed each")
end

do -- io.lines closes its file; the iterator dropped in the middle.
  local name = os.tmpname()
  local file = assert(io.open(name, "w"))
  for i = 1, 50 do file:write("line ", i, "\n") end
  file:close()
  local n = 0
  for line in io.lines(name) do
    n = n + 1
    if n % 10 == 0 then collectgarbage() end
    check.churn(1)
    if line ~= "line " .. n then check(false, "line") end
    if n == 30 then break end
  end
  check.same(n, 30, "lines")
  local handle
  do
    local f <close> = assert(io.open(name))
    handle = f
    check.same(f:read(), "line 1", "file as a to-be-closed variable")
  end
  check.same(io.type(handle), "closed file", "closed at the end of the block")
  os.remove(name)
end

do -- Many variables, deep recursion between them, and stacks that grow and shrink.
  local order, total = {}, 0
  local function counting(i)
    return setmetatable({ i }, { __close = function(o, e)
      order[#order + 1] = o[1]
      total = total + 1
      if i % 50 == 0 then collectgarbage() end
    end })
  end
  local function deep(n)
    if n == 0 then error({ "bottom" }) end
    local c <close> = counting(n)
    deep(n - 1)
  end
  local ok, e = pcall(deep, 150)
  check.same(ok, false, "error at the bottom")
  check.same(e[1], "bottom", "arrives")
  check.same(total, 150, "all closed")
  local wrong = 0
  for i = 1, 150 do if order[i] ~= i then wrong = wrong + 1 end end
  check.same(wrong, 0, "innermost first")

  order, total = {}, 0
  local function far(n) -- plain recursion, so that the next variable lies far up the stack
    if n == 0 then
      local inner <close> = counting(2)
      error("far", 0)
    end
    return (far(n - 1))
  end
  local ok2, e2 = pcall(function()
    local outer <close> = counting(1)
    far(15000)
  end)
  check.same(e2, "far", "error from far up")
  check.same(table.concat(order, " "), "2 1", "closed both")
  check.same(ok2, false, "failed")

  order, total = {}, 0
  local function wide(n)
    if n == 0 then return end
    local a <close>, b, c = counting(n * 3), n, {}
    local d <close> = counting(n * 3 - 1)
    for _ = 1, 2 do local e <close> = nil end
    return (wide(n - 1))
  end
  wide(60)
  check.same(total, 120, "all closed")
  check.same(order[1], 2, "innermost first")
  check.same(order[120], 180, "outermost last")
end

do -- Coroutines: yields inside blocks and inside __close.
  local co = coroutine.wrap(function()
    local a <close> = closing("a", function() coroutine.yield("closing a") end)
    local b <close> = closing("b", function() coroutine.yield({ "closing b" }) end)
    coroutine.yield("body")
    return "result", { "fresh" }
  end)
  check.same(co(), "body", "yield in the block")
  collectgarbage()
  check.same(co()[1], "closing b", "yield while closing b")
  check.churn()
  collectgarbage()
  check.same(co(), "closing a", "yield while closing a")
  local r, t = co()
  check.same(r, "result", "result")
  check.same(t[1], "fresh", "second result")
  logged("b a", "order")

  local erring = coroutine.wrap(function()
    return pcall(function()
      local a <close> = closing("a", function(e) coroutine.yield("a " .. e) end)
      local b <close> = closing("b", function(e) coroutine.yield("b " .. e); error("from b", 0) end)
      error("start", 0)
    end)
  end)
  check.same(erring(), "b start", "yield while closing with an error")
  collectgarbage()
  check.same(erring(), "a from b", "yield with the next error")
  check.same(select(2, erring()), "from b", "the last error")
  logged("b:start a:from b", "order with errors")

  local protected = coroutine.wrap(function()
    return pcall(function()
      local a <close> = closing("a", function() coroutine.yield("inside pcall") end)
      error({ "object" })
    end)
  end)
  check.same(protected(), "inside pcall", "yield across pcall while closing")
  collectgarbage()
  local ok, e = protected()
  check.same(ok, false, "pcall failed")
  check.same(e[1], "object", "with the error object")
  log = {}
end

do -- coroutine.close.
  local function suspended(f)
    local co = coroutine.create(function()
      local a <close> = closing "a"
      local t = { {}, "upvalue " .. #arg }
      local b <close> = closing("b", f and function(e) f(e, t) end)
      coroutine.yield(function() return t[2] end)
    end)
    return co, select(2, coroutine.resume(co))
  end
  local co, get = suspended()
  collectgarbage()
  check.same(coroutine.close(co), true, "closed")
  logged("b a", "variables of a suspended coroutine")
  check.same(coroutine.status(co), "dead", "it is dead")
  collectgarbage()
  check.same(get(), "upvalue " .. #arg, "its closures live on")
  check.same(coroutine.close(co), true, "closing a dead coroutine")

  co = suspended(function() error("E", 0) end)
  local ok, e = coroutine.close(co)
  check.same(ok, false, "closing that fails")
  check.same(e, "E", "gives the error")
  logged("b a:E", "and goes on with it")
  check.same(coroutine.status(co), "dead", "dead")

  co = coroutine.create(function() local a <close> = closing "never" end)
  check.same(coroutine.close(co), true, "not started")
  logged("", "nothing to close")
  check.same(coroutine.resume(co), false, "cannot be resumed")

  co = coroutine.create(function() error({ "in flight" }) end)
  coroutine.resume(co)
  collectgarbage()
  ok, e = coroutine.close(co)
  check.same(ok, false, "a coroutine in error")
  check.same(e[1], "in flight", "gives its error")

  local self = coroutine.wrap(function() return pcall(coroutine.close, coroutine.running()) end)
  check.same((self()), false, "a running coroutine cannot be closed")
  check.fails("normal", function()
    local outer
    outer = coroutine.create(function()
      local ok, e = coroutine.resume(coroutine.create(function() coroutine.close(outer) end))
      error(e, 0)
    end)
    local _, e = coroutine.resume(outer)
    error(e, 0)
  end)

  -- Closing one after another, many, with garbage in between.
  local list = {}
  for i = 1, 60 do
    list[i] = coroutine.create(function()
      local a <close> = closing(tostring(i))
      local big = table.pack(("x"):rep(i):byte(1, -1))
      coroutine.yield(big)
    end)
    coroutine.resume(list[i])
  end
  for i = 60, 1, -1 do coroutine.close(list[i]) end
  check.same(#log, 60, "each closed")
  check.same(log[1], "60", "in the order of closing")
  log = {}
end

do -- A coroutine that is collected is not closed.
  local gone = setmetatable({}, { __mode = "v" })
  local function start()
    local co = coroutine.create(function()
      local a <close> = closing "a"
      coroutine.yield()
    end)
    coroutine.resume(co)
    gone[1] = co
  end
  start()
  collectgarbage()
  check.same(gone[1], nil, "collected")
  logged("", "without closing")
end

do -- coroutine.wrap closes its coroutine on an error; a close in another coroutine.
  local co = coroutine.wrap(function()
    local a <close> = closing "a"
    error({ "error object" })
  end)
  local ok, e = pcall(co)
  check.same(ok, false, "wrap propagates")
  check.same(e[1], "error object", "the object")
  check(log[1] and log[1]:find("^a:"), "and closes")
  log = {}
  local victim = coroutine.create(function()
    local a <close> = closing("victim", function() log[#log + 1] = tostring(coroutine.isyieldable()) end)
    coroutine.yield()
  end)
  coroutine.resume(victim)
  coroutine.wrap(function()
    local b <close> = closing "closer"
    coroutine.close(victim)
    coroutine.yield()
  end)()
  check.same(log[1], "victim", "closed from another coroutine")
  log = {}
end

do -- os.exit(true, true) closes what is pending in the main thread, then finalizes.
  local output, code = check.child([[
    local function closing(name) return setmetatable({}, { __close = function() print("close " .. name) end }) end
    local a <close> = closing "a"
    local gc = setmetatable({}, { __gc = function() print "gc" end })
    local function f()
      local b <close> = closing "b"
      collectgarbage()
      os.exit(3, true)
    end
    f()
  ]])
  check.same(code, 3, "exit code")
  check.same(output, "close b\nclose a\ngc\n", "output")
end

check.done("close")
