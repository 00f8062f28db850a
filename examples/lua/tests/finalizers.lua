-- Finalizers: __gc (manual 2.5.3), in a running state. What happens when a state closes is in finalizers-exit.lua.
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local check = require "check"

local function finalized_by(f, object)
  return setmetatable(object or {}, { __gc = f })
end

-- Runs f with automatic collection stopped, so that all that dies in it dies in one cycle.
local function in_one_cycle(f)
  collectgarbage("stop")
  f()
  collectgarbage()
  collectgarbage("restart")
end

do -- Called once, with the object alone, after it died and not before.
  local log = {}
  local mt = { __gc = function(...) log[#log + 1] = { select("#", ...), (...) } end }
  local held = setmetatable({ "held" }, mt)
  in_one_cycle(function() setmetatable({ "dead" }, mt) end)
  check.same(#log, 1, "one call")
  check.same(log[1][1], 1, "one argument")
  check.same(log[1][2][1], "dead", "the object")
  check.same(getmetatable(log[1][2]), mt, "with its metatable")
  log = {}
  collectgarbage()
  collectgarbage()
  check.same(#log, 0, "not again, and not the held one")
  check.same(held[1], "held", "held")
  held = nil
  collectgarbage()
  check.same(#log, 1, "when it died")
  check.same(log[1][2][1], "held", "the same")
end

-- The reverse order of marking, which is setmetatable, not creation, and whatever refers to what.
for _, links in ipairs { "none", "forward", "backward", "ring" } do
  local log = {}
  local mt = { __gc = function(o) log[#log + 1] = o.name end }
  in_one_cycle(function()
    local objects = {}
    for i = 1, 30 do objects[i] = { name = i } end
    for i = 1, 30 do
      if links == "forward" or links == "ring" then objects[i].link = objects[i % 30 + 1] end
      if links == "backward" then objects[i].link = objects[i - 1] end
    end
    if links == "forward" then objects[30].link = nil end
    for i = 1, 30 do setmetatable(objects[i * 7 % 31], mt) end
  end)
  check.same(#log, 30, links .. ": all called")
  local wrong = 0
  for i = 1, 30 do
    if log[i] ~= (31 - i) * 7 % 31 then wrong = wrong + 1 end
  end
  check.same(wrong, 0, links .. ": reverse order of marking")
end

do -- Reverse order among those of one cycle; survivors of that cycle come in their own.
  local log, keep = {}, {}
  local mt = { __gc = function(o) log[#log + 1] = o[1] end }
  in_one_cycle(function()
    for i = 1, 20 do
      local o = setmetatable({ i }, mt)
      if i % 2 == 0 then keep[#keep + 1] = o end
    end
  end)
  check.same(table.concat(log, " "), "19 17 15 13 11 9 7 5 3 1", "the odd ones")
  log = {}
  in_one_cycle(function()
    keep = {}
    for i = 21, 23 do setmetatable({ i }, mt) end
  end)
  check.same(table.concat(log, " "), "23 22 21 20 18 16 14 12 10 8 6 4 2", "old and young in one order")
end

do -- __gc must be there when the metatable is set; then it may change.
  local log = {}
  local function logger(word) return function() log[#log + 1] = word end end
  in_one_cycle(function()
    local mt = {}
    setmetatable({}, mt)
    mt.__gc = logger("added later")
  end)
  check.same(#log, 0, "a __gc added later does not count")
  in_one_cycle(function()
    local mt = {}
    local o = setmetatable({}, mt)
    mt.__gc = logger("set again")
    setmetatable(o, mt)
  end)
  check.same(log[1], "set again", "setting the same metatable again marks")
  log = {}
  in_one_cycle(function()
    local mt = { __gc = true }
    setmetatable({}, mt)
    mt.__gc = logger("from a placeholder")
  end)
  check.same(log[1], "from a placeholder", "the value at the end counts")
  log = {}
  in_one_cycle(function()
    local mt = { __gc = logger("removed") }
    setmetatable({}, mt)
    mt.__gc = nil
  end)
  check.same(#log, 0, "a __gc that was removed is not called")
  in_one_cycle(function()
    local o = finalized_by(logger("first"))
    setmetatable(o, { __gc = logger("second") })
  end)
  check.same(table.concat(log, " "), "second", "the metatable at the end counts")
  log = {}
  in_one_cycle(function()
    setmetatable(finalized_by(logger("no metatable")), nil)
    setmetatable(finalized_by(logger("no metamethod")), {})
  end)
  check.same(#log, 0, "without a metatable nothing is called")
  in_one_cycle(function()
    local o = finalized_by(logger("away"))
    local mt = getmetatable(o)
    setmetatable(o, nil)
    setmetatable(o, mt)
    setmetatable(o, mt)
  end)
  check.same(#log, 1, "marked several times, called once")
  log = {}
  in_one_cycle(function()
    local callable = setmetatable({}, { __call = function(self, o) log[1] = { self ~= o, o.name } end })
    finalized_by(callable, { name = "called through __call" })
  end)
  check.same(log[1][1], true, "a callable table may be __gc")
  check.same(log[1][2], "called through __call", "and gets the object")
  in_one_cycle(function()
    finalized_by(nil)
    finalized_by(false)
    finalized_by(42)
    finalized_by("no function")
    finalized_by({})
  end)
  check(true, "values that cannot be called harm nothing")
end

do -- The metatable and the finalizer die in the same cycle as the object.
  local log = {}
  in_one_cycle(function()
    for i = 1, 10 do
      local upvalue = { i }
      finalized_by(function(o) log[#log + 1] = upvalue[1] + o[1] end, { 100 * i })
    end
  end)
  local sum = 0
  for _, n in ipairs(log) do sum = sum + n end
  check.same(sum, 101 * 55, "all had their upvalues")
end

do -- Resurrection: transient, permanent, and of what only the object leads to.
  local weak = setmetatable({}, { __mode = "v" })
  local saved
  in_one_cycle(function()
    weak[1] = finalized_by(function(o) weak[2] = o end)
    weak[3] = finalized_by(function(o) saved = o end, { part = { "part" }, text = "te" .. #arg .. "xt" })
    weak[4] = weak[3].part
  end)
  check.same(weak[1], nil, "cut before the finalizer")
  check.same(weak[3], nil, "cut before the finalizer")
  check.same(weak[4], nil, "as is what only it leads to")
  check.same(saved.part[1], "part", "but that is alive")
  check.same(saved.text, "te" .. #arg .. "xt", "a string of it, too")
  collectgarbage()
  check.same(weak[2], nil, "the transient one is gone")
  check.churn()
  collectgarbage()
  check.same(saved.part[1], "part", "the permanent one stays")
  weak[1] = saved
  saved = nil
  collectgarbage()
  check.same(weak[1], nil, "and dies like any other, unfinalized")
  check.same(saved, nil, "no second call")
end

do -- Marked again by its finalizer, it is called again in the next cycle.
  local calls = 0
  local mt = {}
  function mt.__gc(o)
    calls = calls + 1
    if calls < 4 then setmetatable(o, mt) end
  end
  collectgarbage("stop")
  local function drop() setmetatable({}, mt) end
  drop()
  for i = 1, 6 do
    collectgarbage()
    check.same(calls, math.min(i, 4), "one call for each cycle")
  end
  collectgarbage("restart")
end

do -- Resurrected and marked again from outside, much later.
  local saved, calls = nil, 0
  local mt = { __gc = function(o) saved, calls = o, calls + 1 end }
  in_one_cycle(function() setmetatable({ 1 }, mt) end)
  check.same(calls, 1, "resurrected")
  collectgarbage()
  setmetatable(saved, mt)
  check.age()
  check.same(calls, 1, "still alive")
  saved = nil
  collectgarbage()
  check.same(calls, 2, "called again")
  check.same(saved[1], 1, "and resurrected again")
  saved = nil
  collectgarbage()
  check.same(calls, 2, "not marked, not called")
end

do -- Cycles: every object is finalized once, and sees the others whole.
  local log = {}
  in_one_cycle(function()
    local mt = { __gc = function(o) log[#log + 1] = o.name .. o.other.name .. o.other.other.name end }
    local a, b = { name = "a" }, { name = "b" }
    a.other, b.other = b, a
    setmetatable(a, mt)
    setmetatable(b, mt)
    local own = setmetatable({ name = "own" }, mt)
    own.other = own
    local leads_to_a = { name = "c", other = a }
    setmetatable(leads_to_a, mt)
  end)
  check.same(table.concat(log, " "), "cab ownownown bab aba", "names")
end

do -- A tree of finalizable objects, the root resurrected: all were finalized, none dies.
  local log, root = {}, nil
  in_one_cycle(function()
    local mt = { __gc = function(o) log[#log + 1] = o.name; if o.name == "root" then root = o end end }
    local function node(name, depth)
      local o = setmetatable({ name = name }, mt)
      if depth > 0 then o.left, o.right = node(name .. "l", depth - 1), node(name .. "r", depth - 1) end
      return o
    end
    node("root", 4)
  end)
  check.same(#log, 31, "all finalized")
  collectgarbage()
  check.churn()
  local function count(o, name)
    if not o then return 0 end
    if o.name ~= name then return -1000 end
    return 1 + count(o.left, name .. "l") + count(o.right, name .. "r")
  end
  check.same(count(root, "root"), 31, "all alive")
end

do -- Errors in a finalizer: not propagated, and the others run (warnings are off here).
  local log = {}
  in_one_cycle(function()
    for i = 1, 10 do
      finalized_by(function()
        log[#log + 1] = i
        if i % 3 == 0 then error("in finalizer " .. i) end
        if i % 3 == 1 then error({ i }) end
        if i % 5 == 0 then local _ = nil + 1 end
      end)
    end
  end)
  check.same(table.concat(log, " "), "10 9 8 7 6 5 4 3 2 1", "all were called")
end

do -- Finalizers that create objects, of every sort and many of them.
  local results = {}
  in_one_cycle(function()
    for i = 1, 5 do
      finalized_by(function()
        local list = {}
        for j = 1, 500 do list[j] = { j, tostring(j), function() return j end } end
        local sum = 0
        for j = 1, 500 do sum = sum + list[j][1] + tonumber(list[j][2]) + list[j][3]() end
        local co = coroutine.wrap(function(a) while true do a = coroutine.yield(a .. "!") end end)
        results[i] = { sum, co("x"), ("y"):rep(1000), table.concat(list[7], " ", 1, 2), co }
      end)
    end
  end)
  for i = 1, 5 do
    check.same(results[i][1], 3 * 500 * 501 // 2, "sum")
    check.same(results[i][2], "x!", "coroutine inside a finalizer")
    check.same(results[i][3], ("y"):rep(1000), "string")
    check.same(results[i][4], "7 7", "concatenation")
    check.same(results[i][5]("z"), "z!", "the coroutine goes on after it")
  end
end

do -- A finalizer cannot run the collector (manual): collectgarbage fails and does nothing.
  local returned, alive
  in_one_cycle(function()
    finalized_by(function()
      local weak = setmetatable({}, { __mode = "v" })
      local function fill() weak[1] = {} end
      fill()
      returned = table.pack(collectgarbage(), collectgarbage("step"), collectgarbage("count"))
      alive = weak[1] ~= nil
    end)
  end)
  check.same(returned.n, 3, "it returned")
  check.same(returned[1], nil, "collect fails")
  check.same(returned[2], nil, "step fails")
  check.same(returned[3], nil, "count fails")
  check.same(alive, true, "nothing was collected")
  check.same(collectgarbage(), 0, "and it works afterwards")
  check.same(collectgarbage("isrunning"), true, "and runs")
end

do -- Finalizers that mark new objects: the new ones are called when they die.
  local log = {}
  in_one_cycle(function()
    finalized_by(function()
      log[#log + 1] = "first"
      finalized_by(function()
        log[#log + 1] = "second"
        finalized_by(function() log[#log + 1] = "third" end)
      end)
    end)
  end)
  collectgarbage()
  collectgarbage()
  check.same(table.concat(log, " "), "first second third", "one for each cycle")
end

do -- It runs without being asked for.
  local calls, mt = 0, {}
  function mt.__gc() calls = calls + 1 end
  for _ = 1, 2000000 do
    setmetatable({}, mt)
    if calls >= 1000 then break end
  end
  check(calls >= 1000, "finalizers of garbage run by themselves")
  local function rearmed() calls = calls + 1; finalized_by(rearmed) end
  calls = 0
  finalized_by(rearmed)
  for i = 1, 2000000 do
    local _ = { i }
    if calls >= 5 then break end
  end
  check(calls >= 5, "as do those that mark others")
  rearmed = function() end
end

do -- A coroutine that collects finds itself finalizing; finalizers cannot yield.
  local log = {}
  local co = coroutine.wrap(function(a)
    local function drop(f) finalized_by(f) end
    drop(function()
      log.yieldable = coroutine.isyieldable()
      log.yield = pcall(coroutine.yield, 1)
      log.running = coroutine.running()
      log.inner = coroutine.wrap(function() coroutine.yield("from inside") end)()
    end)
    collectgarbage()
    log.done = true
    a = coroutine.yield(a + 1)
    drop(function() log.again = a end)
    collectgarbage()
    return "end"
  end)
  check.same(co(1), 2, "the coroutine's own yield")
  check.same(log.done, true, "it went on")
  check.same(log.yieldable, false, "not yieldable in a finalizer")
  check.same(log.yield, false, "yield fails in a finalizer")
  check.same(log.inner, "from inside", "other coroutines may yield")
  check.same(co("second"), "end", "it ended")
  check.same(log.again, "second", "second finalizer")
end

do -- A coroutine with finalizable locals, dropped while suspended.
  local log = {}
  local function start()
    local co = coroutine.create(function()
      local a = finalized_by(function(o) log[#log + 1] = o[1] end, { "local" })
      coroutine.yield()
      return a
    end)
    coroutine.resume(co)
    finalized_by(function(o) log[#log + 1] = coroutine.status(o[1]); coroutine.resume(o[1]) end, { co })
  end
  in_one_cycle(start)
  check.same(table.concat(log, " "), "suspended local", "the finalizer resumed it")
end

do -- Weak keys and values around finalizers.
  local by_value = setmetatable({}, { __mode = "v" })
  local by_key = setmetatable({}, { __mode = "k" })
  local both = setmetatable({}, { __mode = "kv" })
  local seen = {}
  in_one_cycle(function()
    local value = { "value" }
    by_value.held = value
    local o = finalized_by(function(o)
      seen.value, seen.key, seen.both = by_value.o, by_key[o], both[o]
      seen.as_both_value = both.o
    end)
    by_value.o, by_key[o], both[o], both.o = o, value, "string", o
  end)
  check.same(seen.value, nil, "not found as a weak value")
  check.same(seen.key[1], "value", "found as a weak key")
  check.same(seen.both, "string", "found as a key where both are weak")
  check.same(seen.as_both_value, nil, "not found as a value where both are weak")
  seen = {}
  collectgarbage()
  check.same(next(by_key), nil, "its entry went in the next cycle")
  check.same(next(both), nil, "here too")
end

do -- __gc and __close are two things; a closed object is finalized all the same.
  local log = {}
  in_one_cycle(function()
    local mt = { __gc = function() log[#log + 1] = "gc" end, __close = function() log[#log + 1] = "close" end }
    local o <close> = setmetatable({}, mt)
  end)
  check.same(table.concat(log, " "), "close gc", "closed, then finalized")
end

do -- File handles: closed, and so flushed, by their finalizer. Thousands, more than a process may have open.
  local name = os.tmpname()
  in_one_cycle(function()
    local file = assert(io.open(name, "w"))
    file:setvbuf("full", 4096)
    file:write("written and dropped")
  end)
  local file = assert(io.open(name))
  check.same(file:read("a"), "written and dropped", "flushed by the collector")
  file:close()
  local opened = 0
  for i = 1, 3000 do
    if io.open(name) then opened = opened + 1 end
    if i % 100 == 0 then collectgarbage() end
  end
  os.remove(name)
  check.same(opened, 3000, "handles come back")
end

do -- A metamethod of its own on one userdata; __gc of the metatables of basic types means nothing.
  local log = {}
  local close = getmetatable(io.stdout).__gc
  in_one_cycle(function()
    debug.setmetatable(assert(io.tmpfile()), { __gc = function(f) log[#log + 1] = type(f); close(f) end })
  end)
  check.same(table.concat(log, " "), "userdata", "called for a userdata")
  debug.setmetatable(0, { __gc = function() log[#log + 1] = "number" end })
  debug.setmetatable(print, { __gc = function() log[#log + 1] = "function" end })
  in_one_cycle(function() local _ = { 1, function() return log end } end)
  debug.setmetatable(0, nil)
  debug.setmetatable(print, nil)
  check.same(#log, 1, "not for numbers and functions")
end

do -- Many: each is called exactly once.
  local calls, twice = {}, 0
  local mt = { __gc = function(o)
    if calls[o[1]] then twice = twice + 1 end
    calls[o[1]] = true
  end }
  local held = {}
  for i = 1, 3000 do
    local o = setmetatable({ i, { i } }, mt)
    held[i % 100] = o
    if i % 500 == 0 then collectgarbage("step") end
  end
  check(#calls <= 2900, "the held ones are not called")
  held = nil
  collectgarbage()
  check.same(#calls, 3000, "all called")
  check.same(twice, 0, "once")
end

check.in_each_mode(function(mode)
  -- Young garbage is finalized by steps; old objects by full collections.
  local calls = 0
  local mt = { __gc = function() calls = calls + 1 end }
  local function drop() for _ = 1, 10 do setmetatable({}, mt) end end
  drop()
  for _ = 1, 100 do
    if calls == 10 then break end
    collectgarbage("step", 100)
    check.churn(10)
  end
  check.same(calls, 10, mode .. ": steps come to it")
  local old = {}
  for i = 1, 10 do old[i] = setmetatable({}, mt) end
  check.age()
  check.same(calls, 10, mode .. ": old ones live")
  old = nil
  collectgarbage()
  check.same(calls, 20, mode .. ": old ones die")
end)

check.done("finalizers")
