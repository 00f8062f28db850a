-- Objects as keys of tables: lookups after collections, and traversals with next (manual 6.1) from keys that are
-- only held by the loop.
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local check = require "check"

local makers = {
  { "tables", function(i) return { i } end },
  { "functions", function(i) return function() return i end end },
  { "C functions with upvalues", function(i) return ("word " .. i):gmatch("%a+") end },
  { "coroutines", function(i) return coroutine.create(function() return i end) end },
  { "short strings", function(i) return "key " .. i end },
  { "long strings", function(i) return ("key %d "):format(i):rep(20) end },
  { "floats", function(i) return i + 0.5 end },
  { "sparse integers", function(i) return i * 1000003 end },
}

-- Many keys of a sort: found again after collections, after deletions and after growth.
for _, maker in ipairs(makers) do
  local name, make = maker[1], maker[2]
  local t, keys = {}, {}
  local function add(from, to)
    for i = from, to do
      keys[i] = make(i)
      t[keys[i]] = i
    end
  end
  local function wrong()
    local n, count = 0, 0
    for i, key in pairs(keys) do
      count = count + 1
      if t[key] ~= i then n = n + 1 end
    end
    for key, i in pairs(t) do
      count = count - 1
      if keys[i] ~= key then n = n + 1 end
    end
    return n + math.abs(count)
  end
  add(1, 300)
  check.same(wrong(), 0, name .. ": found at once")
  for round = 1, 3 do
    collectgarbage()
    check.same(wrong(), 0, name .. ": found after a collection")
    check.churn(30)
    for i = round, 300, 7 do
      if keys[i] then t[keys[i]], keys[i] = nil, nil end
    end
    collectgarbage("step")
    check.same(wrong(), 0, name .. ": the others are found after some were deleted")
    add(300 * round + 1, 300 * round + 100)
    check.same(wrong(), 0, name .. ": found after more were added")
  end
  check.age()
  check.same(wrong(), 0, name .. ": found when old")
end

do -- Keys that nothing but the table holds.
  local t = {}
  for i = 1, 200 do
    t[{ i }] = i
    t[function() return i end] = i
    t[coroutine.create(function() coroutine.yield(i) end)] = i
  end
  for _ = 1, 3 do
    collectgarbage()
    check.churn(50)
    local wrong, seen = 0, 0
    for key, i in pairs(t) do
      seen = seen + 1
      local sort = type(key)
      local own = sort == "table" and key[1] or sort == "function" and key() or i
      if own ~= i or t[key] ~= i then wrong = wrong + 1 end
    end
    check.same(wrong, 0, "pairs and lookup agree")
    check.same(seen, 600, "all were seen")
  end
end

do -- Userdata, the global table, library tables, the running coroutine, print.
  local t = { [io.stdin] = "in", [io.stdout] = "out", [io.stderr] = "err", [_G] = "globals", [string] = "string" }
  t[coroutine.running()], t[print], t[t] = "main", "print", "itself"
  local file <close> = assert(io.tmpfile())
  t[file] = "temporary"
  for _ = 1, 3 do
    collectgarbage()
    check.churn(20)
  end
  check.same(t[io.stdin], "in", "stdin")
  check.same(t[io.stdout], "out", "stdout")
  check.same(t[io.stderr], "err", "stderr")
  check.same(t[_G], "globals", "_G")
  check.same(t[_ENV.string], "string", "string")
  check.same(t[coroutine.running()], "main", "main coroutine")
  check.same(t[print], "print", "print")
  check.same(t[t], "itself", "the table itself")
  check.same(t[file], "temporary", "file")
end

-- Traversal that clears each field it meets: next goes on from a key that only the loop still holds, and which is
-- in the table no more. Collections at every step.
for _, maker in ipairs(makers) do
  local name, make = maker[1], maker[2]
  local t = {}
  local function fill()
    for i = 1, 50 do t[make(i)] = i end
    for i = 1, 10 do t[i] = -i end
  end

  fill()
  local seen, sum = 0, 0
  for key, value in pairs(t) do
    t[key] = nil
    collectgarbage(seen % 3 == 0 and "collect" or "step")
    check.churn(2)
    seen, sum = seen + 1, sum + value
  end
  check.same(seen, 60, name .. ": each was met once")
  check.same(sum, 50 * 51 // 2 - 55, name .. ": with its value")
  check.same(next(t), nil, name .. ": the table is empty")

  fill()
  seen = 0
  local key, value = next(t)
  while key ~= nil do
    seen = seen + 1
    if seen % 2 == 0 then t[key] = nil else t[key] = { value } end
    collectgarbage()
    key, value = next(t, key)
  end
  check.same(seen, 60, name .. ": next, clearing and overwriting")
  check.same(check.entries(t), 30, name .. ": half is left")
end

do -- Two traversals of one table at a time, one of them clearing; next from a fixed key again and again.
  local t, keys = {}, {}
  for i = 1, 100 do
    keys[i] = { i }
    t[keys[i]] = i
  end
  local outer, inner = 0, 0
  for key in pairs(t) do
    outer = outer + 1
    t[key] = nil
    collectgarbage("step")
    for other in pairs(t) do
      if other == key then check(false, "a cleared key") end
      inner = inner + 1
    end
    if outer % 10 == 0 then collectgarbage() end
  end
  check.same(outer, 100, "outer loop")
  check.same(inner, 100 * 99 // 2, "inner loops")
end

do -- The order of a traversal stays while nothing is added.
  local t = {}
  for i = 1, 200 do
    t[{}] = i
    t["s" .. i] = -i
  end
  local first = {}
  for _, value in pairs(t) do first[#first + 1] = value end
  local differs = 0
  for _ = 1, 3 do
    collectgarbage()
    check.churn(50)
    local i = 0
    for _, value in pairs(t) do
      i = i + 1
      if first[i] ~= value then differs = differs + 1 end
    end
  end
  check.same(differs, 0, "same order")
end

do -- A traversal that is resumed across collections by a coroutine.
  local t = {}
  for i = 1, 80 do t[{ i }] = i end
  local walker = coroutine.wrap(function()
    for key, value in pairs(t) do
      t[key] = nil
      coroutine.yield(key, value)
    end
  end)
  local seen, wrong = 0, 0
  for key, value in walker do
    seen = seen + 1
    if key[1] ~= value then wrong = wrong + 1 end
    key = nil
    collectgarbage()
  end
  check.same(seen, 80, "coroutine met each")
  check.same(wrong, 0, "with its value")
end

do -- Keys compare by identity, whatever their metamethods say.
  local mt = { __eq = function() return true end, __hash = error, __index = error }
  local a, b = setmetatable({}, mt), setmetatable({}, mt)
  local t = { [a] = "a", [b] = "b" }
  collectgarbage()
  check(a == b, "equal by metamethod")
  check.same(t[a], "a", "but two keys")
  check.same(t[b], "b", "but two keys")
  check.same(rawequal(a, b), false, "not raw equal")
end

do -- A table used as a queue and as a sliding window of object keys.
  local t, window = {}, {}
  local wrong = 0
  for i = 1, 3000 do
    local key = { i }
    window[i], t[key] = key, i
    if i > 64 then
      t[window[i - 64]] = nil
      window[i - 64] = nil
    end
    local probe = window[i - i % 60]
    if probe and t[probe] ~= i - i % 60 then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "sliding window")
  check.same(check.entries(t), 64, "its size")
end

check.done("table-keys")
