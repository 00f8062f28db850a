-- collectgarbage: its options, what they return, and what they do to memory (manual 6.1, 2.5).
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local check = require "check"

local function count()
  return collectgarbage("count")
end

-- Live data that is looked at again after whatever was done to the collector.
local function data()
  local t = { numbers = {}, strings = {}, closures = {}, coroutines = {}, weak = setmetatable({}, { __mode = "k" }) }
  for i = 1, 150 do
    local key = { i }
    t.numbers[i] = key
    t.strings["s" .. i] = ("long %d "):format(i):rep(8)
    t.closures[i] = function() key[2] = (key[2] or 0) + 1; return key[1] end
    t.coroutines[i] = coroutine.wrap(function() while true do coroutine.yield(key) end end)
    t.weak[key] = { key, i }
  end
  return t
end

local function whole(t)
  for i = 1, 150 do
    local key = t.numbers[i]
    if key[1] ~= i or t.strings["s" .. i] ~= ("long %d "):format(i):rep(8) or t.closures[i]() ~= i
      or t.coroutines[i]() ~= key or t.weak[key][2] ~= i or t.weak[key][1] ~= key then
      return false
    end
  end
  return true
end

do -- What the options return.
  check.same(collectgarbage(), 0, "no argument")
  check.same(collectgarbage(nil), 0, "nil")
  check.same(collectgarbage("collect"), 0, "collect")
  check.same(collectgarbage("collect", 1, 2, 3), 0, "further arguments are ignored")
  check.same(collectgarbage("stop"), 0, "stop")
  check.same(collectgarbage("isrunning"), false, "stopped")
  check.same(collectgarbage("stop"), 0, "stop twice")
  check.same(collectgarbage("restart"), 0, "restart")
  check.same(collectgarbage("isrunning"), true, "running")
  check.same(collectgarbage("restart"), 0, "restart twice")
  check.same(math.type(collectgarbage("count")), "float", "count")
  check.same(count() * 1024 % 1, 0.0, "count in bytes is whole")
  check(count() > 5 and count() < 1024 * 1024, "count is plausible")
  check.same(type(collectgarbage("step")), "boolean", "step")
  check.same(type(collectgarbage("step", 0)), "boolean", "step 0")
  check.same(type(collectgarbage("step", 100)), "boolean", "step 100")
  check.same(select("#", collectgarbage()), 1, "one result")
  check.same(select("#", collectgarbage("step")), 1, "one result")
  check.same(select("#", collectgarbage("count")), 1, "one result")
  check.fails("invalid option 'everything'", collectgarbage, "everything")
  check.fails("invalid option ''", collectgarbage, "")
  check.fails("invalid option 'Collect'", collectgarbage, "Collect")
  check.fails("string expected", collectgarbage, {})
  check.fails("invalid option", collectgarbage, 1)
  check.fails("number expected", collectgarbage, "step", "much")
  check.fails("number expected", collectgarbage, "incremental", {})
  check.fails("number expected", collectgarbage, "generational", {})
  check.fails("integer representation", collectgarbage, "step", 0.5)
  check.same(collectgarbage("isrunning"), true, "errors change nothing")
end

do -- Modes return the one before; zeros change no parameter.
  local at_start = collectgarbage("incremental")
  check(at_start == "incremental" or at_start == "generational", "the mode at the start")
  check.same(collectgarbage("incremental"), "incremental", "was incremental")
  check.same(collectgarbage("generational"), "incremental", "was incremental")
  check.same(collectgarbage("generational"), "generational", "was generational")
  check.same(collectgarbage("generational", 30, 80), "generational", "with parameters")
  check.same(collectgarbage("generational", 0, 0), "generational", "with zeros")
  check.same(collectgarbage("incremental", 160, 240, 12), "generational", "with parameters")
  check.same(collectgarbage("incremental", 0, 0, 0), "incremental", "with zeros")
  check.same(collectgarbage("setpause", 120), 160, "the pause before")
  check.same(collectgarbage("setpause", 200), 120, "the pause before")
  check.same(collectgarbage("setstepmul", 400), 240, "the multiplier before")
  check.same(collectgarbage("setstepmul", 100), 400, "the multiplier before")
  check.same(collectgarbage("incremental", 200, 100, 13), "incremental", "the defaults")
  check.same(collectgarbage("generational", 20, 100), "incremental", "the defaults")
  -- A mode stays through collections and steps.
  collectgarbage()
  collectgarbage("step")
  check.same(collectgarbage("generational"), "generational", "still generational")
  collectgarbage("incremental")
  collectgarbage()
  collectgarbage("step")
  check.same(collectgarbage(at_start), "incremental", "still incremental")
end

do -- A step of an incremental collector says when it finished a cycle.
  local before = collectgarbage("incremental")
  local live = data()
  for _ = 1, 3 do
    local steps = 0
    repeat
      steps = steps + 1
    until collectgarbage("step", 1) or steps > 100000
    check(steps <= 100000, "small steps come to an end")
  end
  local steps = 0
  repeat
    steps = steps + 1
  until collectgarbage("step") or steps > 100000
  check(steps <= 100000, "basic steps come to an end")
  check.same(collectgarbage("step", 200000), true, "a large step finishes a cycle")
  check(whole(live), "live data")
  collectgarbage("stop")
  steps = 0
  repeat
    steps = steps + 1
  until collectgarbage("step", 1) or steps > 100000
  check(steps <= 100000, "steps come to an end when stopped, too")
  check.same(collectgarbage("isrunning"), false, "and leave it stopped")
  collectgarbage("restart")
  collectgarbage(before)
end

check.in_each_mode(function(mode)
  -- Steps do collect: dead objects go by steps alone.
  local weak = setmetatable({}, { __mode = "v" })
  collectgarbage("stop")
  local function fill() for i = 1, 100 do weak[i] = { i } end end
  fill()
  local steps = 0
  while next(weak) and steps < 100000 do
    collectgarbage("step", 10)
    steps = steps + 1
  end
  check.same(next(weak), nil, mode .. ": steps collect")

  -- Stopped means stopped, except when asked.
  fill()
  for _ = 1, 20 do check.churn(100) end
  check.same(check.entries(weak), 100, mode .. ": nothing is collected when stopped")
  collectgarbage()
  check.same(next(weak), nil, mode .. ": collect works when stopped")
  check.same(collectgarbage("isrunning"), false, mode .. ": and leaves it stopped")
  collectgarbage("restart")
  fill()
  local rounds = 0
  while next(weak) and rounds < 100000 do
    check.churn(20)
    rounds = rounds + 1
  end
  check.same(next(weak), nil, mode .. ": after restart it runs by itself")

  -- Switching modes does not restart.
  collectgarbage("stop")
  local m = collectgarbage("incremental")
  check.same(collectgarbage("isrunning"), false, mode .. ": stopped in incremental mode")
  collectgarbage("generational")
  check.same(collectgarbage("isrunning"), false, mode .. ": stopped in generational mode")
  collectgarbage(m)
  collectgarbage("restart")
end)

-- Bytes in use: grow with what is allocated, exactly enough to be believed, and shrink when it is released.
check.in_each_mode(function(mode)
  collectgarbage()
  collectgarbage()
  local before = count()
  local s = ("x"):rep(1024 * 1024)
  local with = count()
  check(with >= before + 1024, mode .. ": a string of 1 MB counts")
  collectgarbage()
  with = count()
  check(with >= before + 1024 and with < before + 1024 + 64, mode .. ": and nothing else")
  check.same(#s, 1024 * 1024, "alive")
  s = nil
  collectgarbage()
  check(math.abs(count() - before) < 64, mode .. ": released")

  local t = {}
  for i = 1, 4000 do t[i] = { i, tostring(i) } end
  collectgarbage()
  local full = count()
  check(full > before + 4000 * 64 / 1024, mode .. ": 4000 tables count")
  check(full < before + 4000 * 400 / 1024, mode .. ": but not too much")
  for i = 1, 4000, 2 do t[i] = nil end
  collectgarbage()
  local half = count()
  check(half < full - (full - before) * 0.3, mode .. ": half of them")
  t = nil
  collectgarbage()
  check(math.abs(count() - before) < 64, mode .. ": none of them")

  local list = {}
  for i = 1, 300 do
    list[i] = coroutine.create(function(a) local b = { a }; coroutine.yield(b); return b end)
    coroutine.resume(list[i], i)
  end
  collectgarbage()
  check(count() > before + 300 * 0.5, mode .. ": coroutines count with their stacks")
  list = nil
  collectgarbage()
  check(math.abs(count() - before) < 64, mode .. ": and go")

  local big = table.pack(("y"):rep(200):byte(1, -1))
  for i = 1, 100000 do big[i] = i end
  collectgarbage()
  check(count() > before + 100000 * 9 / 1024, mode .. ": an array counts")
  check.same(big[100000], 100000, "alive")
  big = nil
  collectgarbage()
  check(math.abs(count() - before) < 64, mode .. ": and goes")
end)

do -- Deep recursion leaves no large stack behind (in generational mode 5.4.4 never shrinks stacks).
  local start = collectgarbage("incremental")
  collectgarbage()
  local before = count()
  local function deep(n) if n == 0 then return 0 end; return 1 + deep(n - 1) end
  check.same(deep(20000), 20000, "deep")
  for _ = 1, 20 do collectgarbage() end
  check(count() < before + 128, "the stack shrank")
  collectgarbage(start)
end

-- A long run of garbage of any sort stays bounded: 24 MB of each, never more than 16 MB at a time.
local garbage = {
  tables = function() for i = 1, 3000 do local _ = { i, i } end end,
  strings = function() for i = 1, 400 do local _ = ("garbage %d "):format(i):rep(45) end end,
  ["large strings"] = function() for i = 1, 4 do local _ = ("z"):rep(100000) .. i end end,
  closures = function() for i = 1, 2500 do local _ = function() return i end end end,
  coroutines = function() for i = 1, 200 do coroutine.wrap(function() coroutine.yield(i) end)() end end,
  arrays = function() for _ = 1, 8 do local t = {}; for i = 1, 2000 do t[i] = i end end end,
  cycles = function() for _ = 1, 1500 do local a, b = {}, {}; a.b, b.a = b, a end end,
  ephemerons = function()
    for _ = 1, 20 do
      local e = setmetatable({}, { __mode = "k" })
      for i = 1, 40 do local k = {}; e[k] = { k, i } end
    end
  end,
  finalizable = function() for _ = 1, 800 do setmetatable({}, { __gc = function() end }) end end,
}

check.in_each_mode(function(mode)
  if mode == "as started" then return end -- it is one of the others
  collectgarbage()
  for sort, make in pairs(garbage) do
    collectgarbage("stop")
    local before = count()
    make()
    local each = count() - before
    collectgarbage("restart")
    local peak = 0
    for _ = 1, math.ceil(24 * 1024 / each) do
      make()
      peak = math.max(peak, count() - before)
    end
    check(peak < 16 * 1024, ("%s, %s: at most %.0f KB"):format(sort, mode, peak))
    collectgarbage()
    collectgarbage()
    check(count() < before + 128, ("%s, %s: %.0f KB left"):format(sort, mode, count() - before))
  end
end)

do -- Switching modes and parameters with data alive, garbage in between, in every order.
  local start = collectgarbage("incremental")
  local live = data()
  local switches = {
    function() collectgarbage("generational") end,
    function() collectgarbage("incremental") end,
    function() collectgarbage("generational", 5, 50) end,
    function() collectgarbage("incremental", 50, 400, 5) end,
    function() collectgarbage("step") end,
    function() collectgarbage("step", 5) end,
    function() collectgarbage("stop"); check.churn(); collectgarbage("restart") end,
    function() collectgarbage() end,
    function() collectgarbage("generational", 100, 300) end,
    function() collectgarbage("incremental", 1000, 100, 20) end,
  }
  local intact = true
  for a = 1, #switches do
    for b = 1, #switches do
      switches[a]()
      live.numbers[a][3] = { a, b }
      check.churn(30)
      switches[b]()
      check.churn(30)
      intact = intact and live.numbers[a][3][2] == b
      if b % 3 == 0 then intact = intact and whole(live) end
    end
    for i = 1, 150, 10 do -- some of it is renewed
      local key = { i }
      live.numbers[i] = key
      live.closures[i] = function() return key[1] end
      live.coroutines[i] = coroutine.wrap(function() while true do coroutine.yield(key) end end)
      live.weak[key] = { key, i }
    end
  end
  check(intact, "intact all the time")
  check(whole(live), "and at the end")
  collectgarbage()
  check.same(check.entries(live.weak), 150, "the renewed ones are gone")
  collectgarbage("generational", 20, 100)
  collectgarbage("incremental", 200, 100, 13)
  collectgarbage(start)
end

do -- The collector is asked from odd places.
  local t = setmetatable({}, {
    __index = function(_, k) collectgarbage(); return { k } end,
    __len = function() collectgarbage("step"); return 7 end,
    __lt = function() collectgarbage(); return true end,
    __call = function(_, ...) collectgarbage(); return { ... } end,
  })
  check.same(t.x[1], "x", "__index")
  check.same(#t, 7, "__len")
  check.same(t < t, true, "__lt")
  check.same(t({ 1 })[1][1], 1, "__call")
  local sorted = {}
  for i = 1, 60 do sorted[i] = { i * 37 % 61 } end
  table.sort(sorted, function(a, b)
    if a[1] % 10 == 0 then collectgarbage() end
    return a[1] < b[1]
  end)
  local wrong = 0
  for i = 1, 60 do if sorted[i][1] ~= i then wrong = wrong + 1 end end
  check.same(wrong, 0, "a comparison of table.sort")
  check.same(select(2, xpcall(error, function(m) collectgarbage(); return { m } end, "E"))[1], "E", "a message handler")
  check.same(load(function() collectgarbage(); return nil end)(), nil, "a reader of load")
  local hooked = 0
  debug.sethook(function() hooked = hooked + 1; collectgarbage("step") end, "", 100)
  local sum = 0
  for i = 1, 2000 do sum = sum + #{ i, { i } } end
  debug.sethook()
  check.same(sum, 4000, "under a hook")
  check(hooked > 10, "that ran")
  check.same(coroutine.wrap(function() collectgarbage(); return { "co" } end)()[1], "co", "a coroutine")
  local r = table.pack(pcall(collectgarbage, "collect"))
  check.same(r[2], 0, "pcall")
end

check.done("modes")
