-- Memory that runs out (manual 4.4: LUA_ERRMEM). Only with the environment variable LUA_TEST_LIMIT: the heap's limit
-- in MB, which whoever runs this has set in another way, 8 at least. Without it nothing is checked.
--
-- Many small objects are only made while the collector is stopped, so that this does not take forever where every
-- few KB bring a collection.
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local check = require "check"

local limit = tonumber(os.getenv("LUA_TEST_LIMIT"))
if not limit then
  check.done("memory")
  return
end
local megabyte = 1024 * 1024

local function memory_error(f, ...)
  local ok, message = pcall(f, ...)
  return not ok and message == "not enough memory"
end

-- The state still works: objects of every sort can be made and are whole.
local function works()
  local t = {}
  for i = 1, 200 do t[i] = { i, tostring(i), function() return i end } end
  for i = 1, 200 do
    if t[i][1] ~= i or t[i][2] ~= tostring(i) or t[i][3]() ~= i then return false end
  end
  local co = coroutine.wrap(function(a) while true do a = coroutine.yield(a .. "!") end end)
  return co("x") == "x!" and co("y") == "y!" and #("z"):rep(megabyte // 4) == megabyte // 4
    and load("return 1 + 1")() == 2
end

local held -- what fills the memory; dropped after every test
local function recovered(what)
  check(collectgarbage("count") <= limit * 1024, what .. ": never above the limit")
  held = nil
  collectgarbage("restart")
  local mode = collectgarbage("incremental") -- in generational mode 5.4.4 never shrinks stacks
  for _ = 1, 20 do collectgarbage() end -- the table of strings shrinks by half each time
  collectgarbage(mode)
  check(works(), what .. ": everything works again")
  check(collectgarbage("count") < 2 * 1024, what .. ": memory was given back")
end

do -- One request that is far too large; then many in a row.
  check(memory_error(string.rep, "x", 4 * limit * megabyte), "a string too large")
  check(works(), "works at once")
  for _ = 1, 20 do
    if not memory_error(string.rep, "x", 2 * limit * megabyte) then check(false, "again") end
  end
  check(memory_error(function() return { table.unpack({}, 1, 200000), ("y"):rep(2 * limit * megabyte) } end), "an expression")
  recovered("one request")
end

do -- Strings that double, strings in a list, a string built piece by piece.
  check(memory_error(function()
    held = "0123456789abcdef"
    while true do held = held .. held end
  end), "doubling")
  check(#held >= 16 and held:sub(1, 16) == "0123456789abcdef", "the last one is whole")
  recovered("doubling")
  check(memory_error(function()
    held = {}
    while true do held[#held + 1] = ("s%d "):format(#held + 1):rep(20000) end
  end), "a list of strings")
  local wrong = 0
  for i, s in ipairs(held) do
    local word = ("s%d "):format(i)
    if #s ~= #word * 20000 or s:sub(1, #word) ~= word or s:sub(-#word) ~= word then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "all of the list is whole")
  check(#held * 60000 > limit * megabyte // 4, "a good part of the limit was used")
  recovered("a list of strings")
  check(memory_error(function()
    local parts = {}
    local piece = ("p"):rep(limit * megabyte // 64)
    for i = 1, 80 do parts[i] = piece end
    held = table.concat(parts)
  end), "table.concat")
  recovered("table.concat")
  check(memory_error(function()
    held = ("x"):rep(limit * megabyte // 8):gsub("x", ("y"):rep(20))
  end), "gsub")
  recovered("gsub")
end

do -- An array that grows; when growing fails it is as it was, and can be used on.
  local n = 0
  check(memory_error(function()
    held = {}
    while true do
      held[n + 1] = n + 1
      n = n + 1
    end
  end), "an array")
  check.same(#held, n, "its length")
  local wrong = 0
  for i = 1, n do if held[i] ~= i then wrong = wrong + 1 end end
  check.same(wrong, 0, "its content")
  for i = 1, n do held[i] = -i end
  check.same(held[n], -n, "can be overwritten")
  check(memory_error(function() held[n + 1] = 0 end), "but does not grow")
  check.same(held[n + 1], nil, "not even by one")
  recovered("an array")

  -- The hash part likewise.
  n = 0
  check(memory_error(function()
    held = {}
    while true do
      held[n + 0.5] = n
      n = n + 1
    end
  end), "a hash table")
  check.same(check.entries(held), n, "its size")
  for i = 0, n - 1 do if held[i + 0.5] ~= i then wrong = wrong + 1 end end
  check.same(wrong, 0, "its content")
  recovered("a hash table")
end

do -- Small objects without end.
  local makers = {
    tables = function(list, i) list[i] = { i } end,
    closures = function(list, i) list[i] = function() return i end end,
    strings = function(list, i) list[i] = "string number " .. i end,
    coroutines = function(list, i) list[i] = coroutine.wrap(function() coroutine.yield(i) end); list[i]() end,
    ["linked tables"] = function(list, i) list[1] = { list[1], i } end,
    ["loaded functions"] = function(list, i)
      local f, message = load("local a = ...; return a, " .. i)
      list[i] = f or error(message, 0)
    end,
  }
  for sort, make in pairs(makers) do
    for _ = 1, 2 do
      local n = 0
      check(memory_error(function()
        collectgarbage("stop")
        held = {}
        while true do
          make(held, n + 1)
          n = n + 1
        end
      end), sort)
      check(n > 100, sort .. ": many were made")
      recovered(sort)
    end
  end
end

-- What follows asks for large strings by the operator `..`: string.rep and its like have buffers for which lauxlib asks
-- the allocator directly, and no collection happens when that refuses.
local tenth = ("t"):rep(limit * megabyte // 10)

do -- Garbage is collected before an allocation fails, though the collector is stopped.
  collectgarbage("stop")
  local total = 0
  for i = 1, 40 do
    local s = tenth .. i
    total = total + #s
  end
  check(total > 3 * limit * megabyte, "several times the limit")
  collectgarbage("restart")
end

do -- Weak caches are emptied by the emergency collection, so that a large allocation succeeds.
  for _, mode in ipairs { "k", "v", "kv" } do
    collectgarbage()
    collectgarbage("stop")
    local cache = setmetatable({}, { __mode = mode })
    local anchor, unit = {}, tenth:sub(1, #tenth // 20)
    local function fill()
      for i = 1, 100 do
        local item = { i, unit .. i }
        if mode == "k" then cache[item] = { item } else cache[i] = item end
        if i % 25 == 0 then anchor[i] = item end
      end
    end
    fill()
    check(collectgarbage("count") > limit * 1024 * 0.55, mode .. ": the cache fills half of the limit")
    local s = tenth .. tenth .. tenth .. tenth .. tenth .. tenth
    check.same(#s, 6 * #tenth, mode .. ": the large string")
    check.same(check.entries(cache), 4, mode .. ": the anchored items are left")
    local wrong = 0
    for i, item in pairs(anchor) do
      if item[1] ~= i or #item[2] <= #unit or (mode == "k" and cache[item][1] or cache[i]) ~= item then
        wrong = wrong + 1
      end
    end
    check.same(wrong, 0, mode .. ": and whole")
    collectgarbage("restart")
  end
end

do -- No finalizer runs inside an emergency collection; it comes later.
  collectgarbage()
  collectgarbage("stop")
  local calls = 0
  local weak = setmetatable({}, { __mode = "v" })
  local function drop()
    for _ = 1, 20 do
      setmetatable({}, { __gc = function() calls = calls + 1 end })
    end
    weak[1] = {}
    return #(tenth .. tenth .. tenth .. tenth)
  end
  drop()
  local s = tenth .. tenth .. tenth .. tenth .. tenth .. tenth
  check.same(weak[1], nil, "there was a collection")
  check.same(calls, 0, "no finalizer ran")
  check.same(#s, 6 * #tenth, "the string was made")
  s = nil
  collectgarbage()
  check.same(calls, 20, "they run when asked for")
  collectgarbage("restart")

  -- A finalizer that runs out of memory itself.
  local reached, after = false, false
  local function drop_greedy()
    setmetatable({}, { __gc = function()
      reached = true
      local s = ("x"):rep(4 * limit * megabyte)
      after = true
    end })
  end
  drop_greedy()
  collectgarbage()
  check.same(reached, true, "a greedy finalizer ran")
  check.same(after, false, "and failed")
  check(works(), "harmlessly")
end

tenth = nil

do -- The error passes through coroutines, to-be-closed variables and handlers like any other; handlers are not called.
  local closed
  local ok, message = pcall(function()
    local c <close> = setmetatable({}, { __close = function(_, e) closed = e end })
    return ("x"):rep(4 * limit * megabyte)
  end)
  check.same(ok, false, "failed")
  check.same(message, "not enough memory", "message")
  check.same(closed, "not enough memory", "variable was closed")
  local called = false
  ok, message = xpcall(function() return ("x"):rep(4 * limit * megabyte) end, function(m) called = true; return m end)
  check.same(message, "not enough memory", "xpcall")
  check.same(called, false, "without the handler")
  local co = coroutine.create(function()
    local t = { "on its stack" }
    coroutine.yield(function() return t[1] end)
    return ("x"):rep(4 * limit * megabyte)
  end)
  local _, get = coroutine.resume(co)
  ok, message = coroutine.resume(co)
  check.same(ok, false, "coroutine failed")
  check.same(message, "not enough memory", "coroutine's message")
  check.same(coroutine.status(co), "dead", "it is dead")
  co = nil
  collectgarbage()
  check.same(get(), "on its stack", "its closure lives")
  local inside = coroutine.wrap(function()
    local results = {}
    for i = 1, 3 do
      results[i] = memory_error(string.rep, "x", 4 * limit * megabyte)
      coroutine.yield(i)
    end
    return results[1] and results[2] and results[3]
  end)
  check.same(inside() + inside() + inside(), 6, "caught inside a coroutine")
  check.same(inside(), true, "each time")
  recovered("errors")
end

do -- Deep recursion ends with one error or the other.
  local function deep(n) local a, b, c = n, n, n; return deep(n + 1) + a + b + c end
  local ok, message = pcall(deep, 1)
  check.same(ok, false, "endless recursion")
  check(message == "not enough memory" or message:find("stack overflow"), "stack overflow or no memory")
  recovered("recursion")
end

do -- The limit met again and again while live data changes.
  local live, wrong, failures = {}, 0, 0
  for round = 1, 60 do
    local ok = pcall(function()
      live[round % 7 + 1] = { round, ("r%d"):format(round):rep(limit * megabyte // 40) }
      local s = ("x"):rep(limit * megabyte // (round % 4 + 1))
      live.last = #s
    end)
    if not ok then failures = failures + 1 end
    for i = 1, 7 do
      local v = live[i]
      if v and (v[1] % 7 + 1 ~= i or #v[2] ~= #("r" .. v[1]) * (limit * megabyte // 40)) then wrong = wrong + 1 end
    end
  end
  check(failures > 0, "some allocations failed")
  check.same(wrong, 0, "live data is whole")
  live = nil
  recovered("rounds")
end

check.done("memory")
