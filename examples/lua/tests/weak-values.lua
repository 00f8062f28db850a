-- Tables with weak values (manual 2.5.4).
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local check = require "check"

local function weak(mode)
  return setmetatable({}, { __mode = mode or "v" })
end

-- What has no other reference goes, whatever its type; each maker leaves nothing in our registers.
local makers = {
  table = function(i) return { i } end,
  ["function"] = function(i) return function() return i end end,
  ["C function with upvalues"] = function(i) return ("word " .. i):gmatch("%a+") end,
  ["wrapped coroutine"] = function(i) return coroutine.wrap(function() return i end) end,
  coroutine = function(i) return coroutine.create(function() return i end) end,
  ["suspended coroutine"] = function(i)
    local co = coroutine.create(function(a) local b = { a }; coroutine.yield(b) end)
    coroutine.resume(co, i)
    return co
  end,
  ["finished coroutine"] = function(i)
    local co = coroutine.create(function() return i end)
    coroutine.resume(co)
    return co
  end,
  ["main function"] = function(i) return load("return " .. i) end,
}

for name, make in pairs(makers) do
  local t, kept = weak(), {}
  local function fill()
    for i = 1, 20 do
      local v = make(i)
      t[i] = v
      if i % 5 == 0 then kept[i] = v end
      t["key " .. i] = make(i)
    end
  end
  fill()
  collectgarbage()
  for i = 1, 20 do
    check.same(t[i], kept[i], name .. " in the array part")
    check(t["key " .. i] == nil, name .. " in the hash part")
  end
  check.same(check.entries(t), 4, name .. ": entries left")
  kept = nil
  collectgarbage()
  check.same(next(t), nil, name .. ": table is empty")
end

do -- Full userdata. There are few file handles, so only a few at a time.
  local t = weak()
  local function fill()
    local files = {}
    for i = 1, 5 do
      files[i] = assert(io.tmpfile())
      t[i] = files[i]
    end
    return files[3]
  end
  local third = fill()
  collectgarbage()
  check.same(check.entries(t), 1, "one file kept")
  check.same(t[3], third, "the kept file")
  check.same(io.type(t[3]), "file", "its type")
  third:close()
  third = nil
  collectgarbage()
  check.same(next(t), nil, "files gone")
end

do -- Strings, numbers, booleans, light userdata and C functions without upvalues are values and stay.
  local t = weak()
  local function fill()
    local function f() return t end
    t.short = "sh" .. #arg .. "ort"
    t.long = ("long %d "):format(#arg):rep(50)
    t.integer, t.float, t.huge = 42, 0.5, math.huge
    t.yes, t.no = true, false
    t.light = debug.upvalueid(f, 1)
    t.c = string.rep
    t[1], t[2], t[3] = "a" .. #arg, 1, true
  end
  fill()
  local light_before = t.light
  for _ = 1, 3 do
    collectgarbage()
    check.churn(20)
  end
  check.same(t.short, "sh" .. #arg .. "ort", "short string stays")
  check.same(t.long, ("long %d "):format(#arg):rep(50), "long string stays")
  check.same(t.integer, 42, "integer stays")
  check.same(t.float, 0.5, "float stays")
  check.same(t.huge, math.huge, "infinity stays")
  check.same(t.yes, true, "true stays")
  check.same(t.no, false, "false stays")
  check.same(type(t.light), "userdata", "light userdata stays")
  check.same(t.light, light_before, "light userdata is unchanged")
  check.same(t.c, string.rep, "light C function stays")
  check.same(t[1], "a" .. #arg, "string in array part")
  check.same(t[2], 1, "number in array part")
  check.same(t[3], true, "boolean in array part")
  check.same(check.entries(t), 12, "all of them")
end

do -- Keys are strong for as long as their value lives, and go with it.
  local t, keys = weak(), weak()
  local value = {}
  local function fill()
    local k1, k2 = { "with live value" }, { "with dead value" }
    t[k1], t[k2] = value, {}
    keys[1], keys[2] = k1, k2
  end
  fill()
  collectgarbage()
  check.same(check.entries(t), 1, "one pair left")
  check.same((next(t))[1], "with live value", "its key")
  check.same(t[keys[1]], value, "lookup by the key that only the table holds")
  collectgarbage()
  check.same(keys[2], nil, "the dead pair's key went too")
  value = nil
  collectgarbage()
  collectgarbage()
  check.same(next(t), nil, "all gone")
  check.same(keys[1], nil, "and the key")
end

do -- A key that refers to its value keeps the pair: keys are strong here (unlike ephemerons).
  local t = weak()
  local function fill()
    local value = { "held by its key" }
    t[{ value }] = value
  end
  fill()
  collectgarbage()
  collectgarbage()
  local k, v = next(t)
  check.same(k[1], v, "the key holds the value")
  check.same(v[1], "held by its key", "value intact")
end

do -- Chains and cycles among values.
  local t = weak()
  local function fill()
    local a, b, c = { "a" }, { "b" }, { "c" }
    a.next, b.next = b, c
    t.a, t.b, t.c = a, b, c
    local x, y = {}, {}
    x.y, y.x = y, x
    t.x, t.y = x, y
    t.self = setmetatable({}, { __mode = "v" })
    t.self.self = t.self
    t.closure = function() return t end
    return b
  end
  local b = fill()
  collectgarbage()
  check.same(t.a, nil, "nothing holds the head")
  check.same(t.b, b, "held from outside")
  check.same(t.c, b.next, "held by b")
  check.same(t.x, nil, "cycle gone")
  check.same(t.y, nil, "cycle gone")
  check.same(t.self, nil, "weak table with itself gone")
  check.same(t.closure, nil, "closure over the table gone")
end

do -- Weakness set on a table that is full already, changed, and removed.
  local t = {}
  local function fill()
    for i = 1, 10 do t[i] = { i } end
    for i = 1, 10 do t["k" .. i] = { i } end
  end
  fill()
  collectgarbage()
  check.same(check.entries(t), 20, "strong at first")
  setmetatable(t, { __mode = "v" })
  collectgarbage()
  check.same(check.entries(t), 0, "weak since setmetatable")

  local mt = {}
  t = setmetatable({}, mt)
  fill()
  collectgarbage()
  check.same(check.entries(t), 20, "a metatable without __mode")
  mt.__mode = "v"
  collectgarbage()
  check.same(check.entries(t), 0, "__mode added to the metatable in use")

  mt.__mode = nil
  collectgarbage()
  fill()
  collectgarbage()
  collectgarbage()
  check.same(check.entries(t), 20, "strong since __mode was removed")
  for i = 1, 10 do check.same(t[i][1], i, "and intact") end

  mt.__mode = "k"
  collectgarbage()
  check.same(check.entries(t), 20, "weak keys that are no objects: stays")
  mt.__mode = "v"
  collectgarbage()
  check.same(check.entries(t), 0, "weak values again")

  setmetatable(t, nil)
  collectgarbage()
  fill()
  collectgarbage()
  check.same(check.entries(t), 20, "strong without a metatable")
  rawset(mt, "__mode", "v")
  collectgarbage()
  check.same(check.entries(t), 20, "not its metatable any more")
end

do -- One metatable for many tables; the metatable is only held by them.
  local tables = {}
  local function fill()
    local mt = { __mode = "v" }
    for i = 1, 50 do
      tables[i] = setmetatable({ {}, {}, x = {}, n = i }, mt)
    end
  end
  fill()
  collectgarbage()
  local fine = true
  for i = 1, 50 do
    fine = fine and check.entries(tables[i]) == 1 and tables[i].n == i
  end
  check(fine, "all cleared but the numbers")
end

do -- A weak table that is itself garbage leaves the values that others hold alone.
  local held = {}
  local function fill()
    for i = 1, 100 do
      held[i] = { i }
      weak()[1] = held[i]
      local w = weak()
      w.me, w.value = w, held[i]
    end
  end
  fill()
  collectgarbage()
  check.churn()
  local fine = true
  for i = 1, 100 do fine = fine and held[i][1] == i end
  check(fine, "values of dead weak tables")
end

do -- Weak tables in weak tables.
  local outer = weak()
  local value = {}
  local function fill()
    local inner = weak()
    inner[1], inner[2] = value, {}
    outer[1], outer[2] = inner, weak()
    return inner
  end
  local inner = fill()
  collectgarbage()
  check.same(outer[1], inner, "inner table held")
  check.same(outer[2], nil, "inner table not held")
  check.same(inner[1], value, "its live value")
  check.same(inner[2], nil, "its dead value")
  inner = nil
  collectgarbage()
  check.same(outer[1], nil, "inner table gone")
end

do -- A resurrected weak table is cleared at the latest by the next cycle.
  local saved
  local function fill()
    local w = weak()
    w[1], w[2], w.x = { "array" }, "string", { "hash" }
    setmetatable({ w = w }, { __gc = function(o) saved = o.w end })
  end
  fill()
  collectgarbage()
  check.same(type(saved), "table", "resurrected")
  check.churn()
  check(saved[1] == nil or saved[1][1] == "array", "cleared or alive in the array part")
  check(saved.x == nil or saved.x[1] == "hash", "cleared or alive in the hash part")
  collectgarbage()
  check.same(saved[1], nil, "cleared in the array part")
  check.same(saved.x, nil, "cleared in the hash part")
  check.same(saved[2], "string", "the string stays")
end

do -- pairs over a table whose entries go in between; keys of every sort.
  local t, held = weak(), {}
  local function fill()
    for i = 1, 40 do
      local v = { i }
      held[i] = v
      t[i], t["s" .. i], t[{ i }] = v, v, v
      t[function() return i end] = v
      t[i + 0.25] = v
    end
  end
  fill()
  local seen, wrong = 0, 0
  for k, v in pairs(t) do
    seen = seen + 1
    if v[1] < 1 or v[1] > 40 or type(k) == "table" and k[1] ~= v[1] then wrong = wrong + 1 end
    held[v[1]] = nil
    v = nil
    if seen % 10 == 0 then
      collectgarbage()
      check.churn(5)
    end
  end
  check(seen >= 40 and seen <= 200, "between one and all of each value's entries")
  check.same(wrong, 0, "keys and values belong together")
  collectgarbage()
  check.same(next(t), nil, "nothing is left")
end

do -- next goes on from a key whose entry has gone, and that nothing else holds.
  local t, held = weak(), {}
  local function fill()
    for i = 1, 60 do
      held[i] = { i }
      t[{ i }] = held[i]
    end
  end
  fill()
  local k, steps = next(t), 0
  while k do
    steps = steps + 1
    held[k[1]] = nil
    collectgarbage()
    if t[k] ~= nil then check(false, "its value went") end
    check.churn(2)
    k = next(t, k)
  end
  check.same(steps, 60, "each key once")
end

do -- Thousands of entries, every other one dropped, refilled, with rehashes in between.
  local t, held = weak(), {}
  local function fill(from, to)
    for i = from, to do
      local v = { i }
      t["n" .. i] = v
      if i % 2 == 0 then held[i] = v end
    end
  end
  for round = 1, 3 do
    fill(round * 1000 + 1, round * 1000 + 1000)
    collectgarbage()
    check.same(check.entries(t), round * 500, "half is left")
  end
  local sum = 0
  for k, v in pairs(t) do
    sum = sum + v[1]
    if held[v[1]] ~= v or k ~= "n" .. v[1] then check(false, "wrong pair") end
  end
  local expected = 0
  for i in pairs(held) do expected = expected + i end
  check.same(sum, expected, "the right half")
  held = {}
  collectgarbage()
  check.same(next(t), nil, "empty in the end")
end

do -- A cache that is emptied by collections that nobody asked for: what is left is right.
  local cache = weak()
  local function get(n)
    local v = cache[n]
    if not v then
      v = { n, tostring(n) }
      cache[n] = v
    end
    return v
  end
  local wrong = 0
  for i = 1, 4000 do
    local n = i * 7919 % 101
    local v = get(n)
    if v[1] ~= n or v[2] ~= tostring(n) then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "cached values")
end

do -- As sequences: the length is a border, and the functions of the table library work.
  local t = weak()
  local held = {}
  for i = 1, 64 do
    local v = { i }
    t[i] = v
    if i <= 20 or i % 3 == 0 then held[i] = v end
  end
  collectgarbage()
  local n = #t
  check(n == 0 and t[1] == nil or t[n] ~= nil and t[n + 1] == nil, "a border")
  for i = 64, 21, -1 do t[i] = nil end
  for i = 21, #held do held[i] = nil end
  check.same(#t, 20, "a sequence again")
  table.sort(t, function(a, b) return a[1] > b[1] end)
  check.same(t[1][1], 20, "sorted")
  table.insert(t, 1, held[3])
  check.same(table.remove(t)[1], 1, "removed last")
  check.same(t[1], held[3], "inserted")
  held = {}
  collectgarbage()
  check.same(next(t), nil, "empty")
  table.insert(t, "string")
  collectgarbage()
  check.same(t[#t], "string", "and used on")
end

do -- Metamethods of weak tables.
  local t = setmetatable({}, {
    __mode = "v",
    __index = function(t, k)
      local v = { k }
      rawset(t, k, v)
      return v
    end,
  })
  for i = 1, 10 do check.same(t[i][1], i, "made on demand") end
  collectgarbage()
  check.same(rawget(t, 3), nil, "and dropped")
  check.same(t[3][1], 3, "and made again")
end

check.in_each_mode(function(mode)
  -- Old tables with young values, and old values that die.
  local t = weak()
  local holder = {}
  check.age()
  local function fill()
    for i = 1, 100 do
      local v = { i }
      t[i] = v
      if i % 10 == 0 then holder[i] = v end
    end
  end
  fill()
  for _ = 1, 4 do collectgarbage("step") end
  check.churn()
  for i = 10, 100, 10 do
    if t[i] ~= holder[i] or t[i][1] ~= i then check(false, mode .. ": young value of an old table") end
  end
  check.age()
  check.same(check.entries(t), 10, mode .. ": held values in an old table")
  holder = nil
  collectgarbage()
  check.same(check.entries(t), 0, mode .. ": old values die")
end)

check.done("weak-values")
