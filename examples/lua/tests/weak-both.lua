-- Tables whose keys and values are both weak: an entry lives as long as both do (manual 2.5.4).
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local check = require "check"

local function all_weak()
  return setmetatable({}, { __mode = "kv" })
end

local makers = {
  table = function(i) return { i } end,
  ["function"] = function(i) return function() return i end end,
  coroutine = function(i) return coroutine.create(function() return i end) end,
  ["C function with upvalues"] = function(i) return ("word " .. i):gmatch("%a+") end,
}

-- Every sort of key with every sort of value: held both, one, or none of them.
for key_sort, make_key in pairs(makers) do
  for value_sort, make_value in pairs(makers) do
    local t, keys, values = all_weak(), {}, {}
    local function fill()
      for i = 1, 40 do
        local k, v = make_key(i), make_value(i)
        t[k] = v
        if i % 2 == 0 then keys[i] = k end
        if i % 5 == 0 then values[i] = v end
      end
    end
    fill()
    collectgarbage()
    local name = key_sort .. " to " .. value_sort
    local fine = check.entries(t) == 4
    for i = 10, 40, 10 do fine = fine and t[keys[i]] == values[i] end
    check(fine, name .. ": those with both ends held are left")
    values[10], keys[20] = nil, nil
    collectgarbage()
    check.same(check.entries(t), 2, name .. ": one end is not enough")
    keys, values = nil, nil
    collectgarbage()
    check.same(next(t), nil, name .. ": all gone")
  end
end

do -- A key and its value that refer to each other do not hold the entry, from whichever side.
  local t, held = all_weak(), {}
  local function fill()
    local a, b = {}, {}
    a.b, b.a = b, a
    t[a] = b
    local c, d = {}, {}
    c.d, d.c = d, c
    t[c] = d
    held.d = d
    local e = {}
    t[e] = e
    local f = {}
    t[f], held.f = f, f
    t[t] = t
  end
  fill()
  collectgarbage()
  check.same(check.entries(t), 3, "held pairs")
  check.same(t[held.d.c], held.d, "key held by its value, which is held")
  check.same(t[held.f], held.f, "key and value are one")
  check.same(t[t], t, "the table itself")
  held = nil
  collectgarbage()
  check.same(check.entries(t), 1, "only itself")
end

do -- Unlike an ephemeron, a live key does not keep the value.
  local both, ephemeron = all_weak(), setmetatable({}, { __mode = "k" })
  local key = {}
  local function fill()
    both[key], ephemeron[key] = { "value" }, { "value" }
  end
  fill()
  collectgarbage()
  check.same(both[key], nil, "value gone")
  check.same(ephemeron[key][1], "value", "kept by an ephemeron table")
end

do -- Strings, numbers, booleans and light C functions at one end: the other end decides.
  local t, held = all_weak(), {}
  local function fill()
    for i = 1, 20 do
      local o = { i }
      if i % 2 == 0 then held[i] = o end
      t["string " .. i] = o
      t[i] = o
      t[i + 0.5] = o
      t[o] = ("long %d "):format(i):rep(10)
    end
    t.s, t[1000], t[0.25], t[true], t[print] = "a" .. #arg, 2, 3.5, false, math.sin
  end
  fill()
  for _ = 1, 3 do
    collectgarbage()
    check.churn(20)
  end
  check.same(check.entries(t), 10 * 4 + 5, "entries")
  local fine = true
  for i = 2, 20, 2 do
    local o = held[i]
    fine = fine and t["string " .. i] == o and t[i] == o and t[i + 0.5] == o and t[o] == ("long %d "):format(i):rep(10)
  end
  check(fine, "those with a live object")
  check.same(t.s, "a" .. #arg, "string to string")
  check.same(t[1000], 2, "number to number")
  check.same(t[0.25], 3.5, "float to float")
  check.same(t[true], false, "boolean to boolean")
  check.same(t[print], math.sin, "function to function")
end

do -- Full userdata at either end.
  local t = all_weak()
  local function fill()
    local a, b, c = assert(io.tmpfile()), assert(io.tmpfile()), assert(io.tmpfile())
    t[a], t[b], t[io.stdout], t.c = io.stdout, b, io.stderr, c
    return a
  end
  local a = fill()
  collectgarbage() -- finalizes b and c
  check.same(t.c, nil, "cut as a value at once")
  collectgarbage()
  check.same(check.entries(t), 2, "what is held")
  check.same(t[a], io.stdout, "file to stdout")
  check.same(t[io.stdout], io.stderr, "stdout to stderr")
  a:close()
end

do -- A table of unique names: each object once, found by its name and the name by the object.
  local by_name, names = setmetatable({}, { __mode = "v" }), setmetatable({}, { __mode = "k" })
  local both = all_weak()
  local function intern(name)
    local o = by_name[name]
    if not o then
      o = { name = name }
      by_name[name], names[o] = o, name
      both[name], both[o] = o, name
    end
    return o
  end
  local held = {}
  local wrong = 0
  for i = 1, 2000 do
    local name = "name " .. i * 31 % 173
    local o = intern(name)
    if o.name ~= name or names[o] ~= name or both[name] ~= o or both[o] ~= name then wrong = wrong + 1 end
    if i % 100 == 0 then held[name] = o end
    if i % 400 == 0 then collectgarbage() end
  end
  check.same(wrong, 0, "names and objects agree")
  collectgarbage()
  local n = check.entries(held)
  check.same(check.entries(by_name), n, "only held objects by name")
  check.same(check.entries(names), n, "only held objects' names")
  check.same(check.entries(both), 2 * n, "both ways")
  for name, o in pairs(held) do if intern(name) ~= o then wrong = wrong + 1 end end
  check.same(wrong, 0, "held objects are found again")
end

do -- Modes changed back and forth.
  local mt = { __mode = "kv" }
  local t = setmetatable({}, mt)
  local held = {}
  local function fill()
    t, held = setmetatable({}, mt), {}
    for i = 1, 30 do
      local k, v = { i }, { -i }
      t[k] = v
      if i % 2 == 0 then held[k] = true end
      if i % 3 == 0 then held[v] = true end
    end
  end
  local function left(mode)
    mt.__mode = mode
    collectgarbage()
    return check.entries(t)
  end
  for _, expected in ipairs { { "kv", 5 }, { "k", 15 }, { "v", 10 }, { nil, 30 } } do
    mt.__mode = nil
    collectgarbage()
    fill()
    check.same(left(expected[1]), expected[2] or expected[1], "mode " .. tostring(expected[1]))
  end
  mt.__mode = nil
  collectgarbage()
  fill()
  check.same(left "k", 15, "first weak keys")
  check.same(left "v", 5, "then weak values")
  mt.__mode = nil
  fill()
  collectgarbage()
  check.same(left(nil), 30, "then none")
  check.same(left "v", 10, "then weak values")
  check.same(left "kv", 5, "then both")
  check.same(left(nil), 5, "then none")
end

do -- Traversal while entries go.
  local t, held = all_weak(), {}
  local function fill()
    for i = 1, 100 do
      held[i] = { { i }, { i } }
      t[held[i][1]] = held[i][2]
    end
  end
  fill()
  local seen, wrong = 0, 0
  for k, v in pairs(t) do
    seen = seen + 1
    if k[1] ~= v[1] then wrong = wrong + 1 end
    local i = k[1]
    held[i] = nil
    if i % 2 == 0 and held[i + 1] then held[i + 1] = { held[i + 1][1] } end -- its value may go now
    k, v = nil, nil
    if seen % 7 == 0 then
      collectgarbage()
      check.churn(3)
    end
  end
  check.same(wrong, 0, "pairs belong together")
  check(seen >= 50 and seen <= 100, "every key whose value was held, and perhaps others")
  held = nil
  collectgarbage()
  check.same(next(t), nil, "empty")
end

do -- Resurrected objects: cut as values before their finalizers, as keys in the cycle after.
  local t, log = all_weak(), {}
  local function fill()
    local o = setmetatable({ name = "o", part = {} }, { __gc = function(o)
      log[#log + 1] = tostring(t[o]) .. " " .. tostring(t[o.part]) .. " " .. tostring(t.o) .. " " .. tostring(t.part)
    end })
    t[o], t[o.part], t.o, t.part = "key", "part as key", o, o.part
  end
  collectgarbage("stop")
  fill()
  collectgarbage()
  check.same(log[1], "key part as key nil nil", "in the finalizer")
  collectgarbage()
  check.same(next(t), nil, "afterwards")
  collectgarbage("restart")
end

do -- A resurrected table is cleared at the latest by the next cycle; until then what is in it is alive.
  local saved
  local function fill()
    local t, key = all_weak(), { "key" }
    t[key], t.x, t[{ "dead key" }], t.s = { "value" }, { "hash" }, key, "string"
    t[1] = { "array" }
    setmetatable({ t, key }, { __gc = function(o) saved = o end })
  end
  fill()
  collectgarbage()
  check.churn()
  local t, key = saved[1], saved[2]
  check(t[key] == nil or t[key][1] == "value", "cleared or alive as a value")
  check(t.x == nil or t.x[1] == "hash", "cleared or alive in the hash part")
  check(t[1] == nil or t[1][1] == "array", "cleared or alive in the array part")
  collectgarbage()
  check.same(check.entries(t), 1, "cleared")
  check.same(t.s, "string", "but for the string")
end

check.in_each_mode(function(mode)
  -- Old tables with young entries; old entries that die at either end.
  local t, keys, values = all_weak(), {}, {}
  check.age()
  local function fill(from)
    for i = from, from + 49 do
      local k, v = { i }, { i }
      t[k] = v
      if i % 2 == 0 then keys[i], values[i] = k, v end
    end
  end
  for from = 1, 151, 50 do
    fill(from)
    collectgarbage("step")
    check.churn(20)
  end
  local wrong = 0
  for i = 2, 200, 2 do
    if t[keys[i]] ~= values[i] or values[i][1] ~= i then wrong = wrong + 1 end
  end
  check.same(wrong, 0, mode .. ": held pairs")
  check.age()
  check.same(check.entries(t), 100, mode .. ": and no others")
  for i = 4, 200, 4 do values[i] = nil end
  collectgarbage()
  check.same(check.entries(t), 50, mode .. ": old values die")
  keys = nil
  collectgarbage()
  check.same(next(t), nil, mode .. ": old keys die")
end)

check.done("weak-both")
