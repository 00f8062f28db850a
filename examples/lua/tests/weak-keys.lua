-- Tables with weak keys: ephemerons (manual 2.5.4).
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local check = require "check"

local function ephemeron()
  return setmetatable({}, { __mode = "k" })
end

-- Objects of every type that only the table holds are removed, with and without a value that leads back to them.
local makers = {
  table = function(i) return { i } end,
  ["function"] = function(i) return function() return i end end,
  ["C function with upvalues"] = function(i) return ("word " .. i):gmatch("%a+") end,
  ["wrapped coroutine"] = function(i) return coroutine.wrap(function() return i end) end,
  coroutine = function(i) return coroutine.create(function() return i end) end,
  ["main function"] = function(i) return load("return " .. i) end,
}

local values = {
  ["a constant"] = function() return true end,
  ["a string"] = function() return "value " .. #arg end,
  ["the key"] = function(key) return key end,
  ["a table with the key"] = function(key) return { { key } } end,
  ["a table with the key as key"] = function(key) return { [key] = key } end,
  ["a closure over the key"] = function(key) return function() return key end end,
  ["a coroutine with the key on its stack"] = function(key)
    local co = coroutine.create(function(k) local l = k; coroutine.yield(); return l end)
    coroutine.resume(co, key)
    return co
  end,
  ["an object whose metatable is the key"] = function(key)
    return type(key) == "table" and setmetatable({}, key) or key
  end,
}

for sort, make in pairs(makers) do
  for what, value in pairs(values) do
    local e, held = ephemeron(), {}
    local function fill()
      for i = 1, 12 do
        local key = make(i)
        e[key] = value(key)
        if i % 4 == 0 then held[#held + 1] = key end
      end
    end
    fill()
    collectgarbage()
    local fine = check.entries(e) == 3
    for i = 1, 3 do fine = fine and type(e[held[i]]) == type(value(held[i])) end
    check(fine, sort .. " with " .. what .. ": the held ones are left")
    held = nil
    collectgarbage()
    check.same(next(e), nil, sort .. " with " .. what .. ": all go")
  end
end

do -- Full userdata as keys.
  local e = ephemeron()
  local function fill()
    local a, b = assert(io.tmpfile()), assert(io.tmpfile())
    e[a], e[b], e[io.stdout] = { a }, "b", { io.stdout }
    return a
  end
  local a = fill()
  collectgarbage() -- runs the finalizer of b
  collectgarbage() -- frees it
  check.same(check.entries(e), 2, "the held file and stdout")
  check.same(e[a][1], a, "lookup by file")
  check.same(e[io.stdout][1], io.stdout, "lookup by stdout")
  a:close()
  a = nil
  collectgarbage()
  collectgarbage()
  check.same(check.entries(e), 1, "only stdout is left")
end

do -- Strings, numbers, booleans, light userdata and C functions without upvalues are never removed as keys, and
  -- hold their values.
  local e = ephemeron()
  local light
  local function fill()
    light = debug.upvalueid(fill, 1)
    local keys = { "sh" .. #arg, ("long %d "):format(#arg):rep(30), 1, 2, 17.5, -3, true, false, print, math.sin, light }
    for i, key in ipairs(keys) do e[key] = { i } end
  end
  fill()
  for _ = 1, 3 do
    collectgarbage()
    check.churn(20)
  end
  check.same(check.entries(e), 11, "all stay")
  check.same(e["sh" .. #arg][1], 1, "short string")
  check.same(e[("long %d "):format(#arg):rep(30)][1], 2, "long string")
  check.same(e[1][1], 3, "integer 1")
  check.same(e[2.0][1], 4, "float 2.0 is integer 2")
  check.same(e[17.5][1], 5, "float")
  check.same(e[-3][1], 6, "negative integer")
  check.same(e[true][1], 7, "true")
  check.same(e[false][1], 8, "false")
  check.same(e[print][1], 9, "light C function")
  check.same(e[math.sin][1], 10, "light C function")
  check.same(e[light][1], 11, "light userdata")
end

-- Chains: each value is the next key. Nothing goes while the head is held; then all of it.
local function chain(n, tables, order)
  local keys = {}
  for i = 1, n do keys[i] = { i } end
  local at = {}
  for i = 1, n do at[i] = i end
  if order == "backward" then
    for i = 1, n do at[i] = n + 1 - i end
  elseif order == "shuffled" then
    local seed = 12345
    for i = n, 2, -1 do
      seed = (seed * 1103515245 + 12345) % 2147483648
      local j = seed % i + 1
      at[i], at[j] = at[j], at[i]
    end
  end
  for _, i in ipairs(at) do tables[i % #tables + 1][keys[i]] = keys[i + 1] or "end" end
  return keys[1]
end

local function walk(head, tables)
  local n = 0
  while head ~= "end" do
    n = n + 1
    if head[1] ~= n then return -n end
    head = tables[n % #tables + 1][head]
    if head == nil then return -n end
  end
  return n
end

for _, order in ipairs { "forward", "backward", "shuffled" } do
  for _, width in ipairs { 1, 3 } do
    local n = 600
    local name = ("chain %s through %d tables"):format(order, width)
    local tables = {}
    for i = 1, width do tables[i] = ephemeron() end
    local head = chain(n, tables, order)
    collectgarbage()
    check.same(walk(head, tables), n, name)
    for _ = 1, 5 do collectgarbage("step") end
    check.churn()
    check.same(walk(head, tables), n, name .. " after steps")
    head = nil
    collectgarbage()
    for i = 1, width do check.same(next(tables[i]), nil, name .. ": all gone") end
  end
end

do -- A long chain, collected a few times: an algorithm that is quadratic in its length is felt here.
  collectgarbage("stop")
  local tables = { ephemeron() }
  local n = 10000
  local head = chain(n, tables, "shuffled")
  collectgarbage()
  check.same(walk(head, tables), n, "long chain")
  head = nil
  collectgarbage()
  check.same(next(tables[1]), nil, "long chain gone")
  collectgarbage("restart")
end

do -- Rings across tables, held at one place or not at all.
  local a, b, c = ephemeron(), ephemeron(), ephemeron()
  local function fill()
    local x, y, z = { "x" }, { "y" }, { "z" }
    a[x], b[y], c[z] = y, z, x
    return y
  end
  local y = fill()
  collectgarbage()
  check.same(a[c[b[y]]], y, "around the ring")
  y = nil
  collectgarbage()
  check(not next(a) and not next(b) and not next(c), "the ring is gone")
end

do -- Tables as their own keys and values, and ephemerons inside ephemerons.
  local e = ephemeron()
  e[e] = e
  local function fill()
    e[{}] = e
    local inner = ephemeron()
    local key, inner_key = {}, {}
    inner[inner_key] = { "deep", inner_key }
    e[key] = inner
    inner[key] = inner_key
    return key
  end
  local key = fill()
  collectgarbage()
  check.same(check.entries(e), 2, "itself and the held one")
  check.same(e[e], e, "itself")
  check.same(e[key][e[key][key]][1], "deep", "through the inner table")
  key = nil
  collectgarbage()
  check.same(check.entries(e), 1, "only itself is left")
  check.same(e[e][e], e, "still itself")
end

do -- The values alone keep nothing, and nothing but keys is dropped.
  local e, value_alive = ephemeron(), setmetatable({}, { __mode = "v" })
  local value = {}
  local function fill()
    e[{}] = value
    local v = {}
    e[value] = v
    value_alive[1] = v
  end
  fill()
  collectgarbage()
  check.same(check.entries(e), 1, "dead key with live value goes")
  check.same(e[value], value_alive[1], "value of a live key is held")
  e[value] = nil
  collectgarbage()
  check.same(value_alive[1], nil, "until the entry is cleared")
  check.same(value ~= nil, true, "the key lives on")
end

do -- Weakness set later, changed, removed.
  local mt, held = {}, {}
  local e = setmetatable({}, mt)
  local function fill()
    for i = 1, 10 do
      local key = { i }
      e[key] = { i }
      if i % 2 == 0 then held[#held + 1] = key end
    end
  end
  fill()
  collectgarbage()
  check.same(check.entries(e), 10, "strong at first")
  mt.__mode = "k"
  collectgarbage()
  check.same(check.entries(e), 5, "weak keys")
  mt.__mode = nil
  collectgarbage()
  fill()
  collectgarbage()
  check.same(check.entries(e), 15, "strong again")
  mt.__mode = "k"
  collectgarbage()
  check.same(check.entries(e), 10, "weak keys again")
  mt.__mode = "kv"
  collectgarbage()
  check.same(check.entries(e), 0, "weak values too, and nothing holds them")
  setmetatable(e, { __mode = "k" })
  fill()
  collectgarbage()
  check.same(check.entries(e), 5, "another metatable")
  setmetatable(e, nil)
  collectgarbage()
  fill()
  collectgarbage()
  check.same(check.entries(e), 15, "no metatable")
end

do -- Keys with finalizers go only in the cycle after their finalizer ran, which can look its object up.
  local e, log = ephemeron(), {}
  local weak = setmetatable({}, { __mode = "v" })
  local function fill()
    local mt = { __gc = function(o) log[#log + 1] = { o.name, e[o].text, weak[o.name], e[o.child] } end }
    for i = 1, 3 do
      local o = setmetatable({ name = "o" .. i, child = {} }, mt)
      e[o] = { text = "about o" .. i }
      e[o.child] = "child of o" .. i
      weak[o.name] = o
    end
  end
  collectgarbage("stop")
  fill()
  collectgarbage()
  check.same(#log, 3, "all finalized")
  for i = 1, 3 do
    check.same(log[i][1], "o" .. 4 - i, "in reverse order")
    check.same(log[i][2], "about o" .. 4 - i, "property found by weak key")
    check.same(log[i][3], nil, "weak value was cut before")
    check.same(log[i][4], "child of o" .. 4 - i, "property of what only it leads to")
  end
  collectgarbage()
  check.same(next(e), nil, "removed in the next cycle")
  collectgarbage("restart")
end

do -- A key that is resurrected for good keeps its entry.
  local e, saved = ephemeron(), {}
  local function fill()
    local o = setmetatable({ part = {} }, { __gc = function(o) saved[1] = o end })
    e[o], e[o.part] = { "whole" }, { "part" }
  end
  fill()
  collectgarbage()
  collectgarbage()
  check.churn()
  check.same(e[saved[1]][1], "whole", "entry of the resurrected key")
  check.same(e[saved[1].part][1], "part", "entry of what it holds")
  saved[1] = nil
  collectgarbage()
  check.same(next(e), nil, "dead at last")
end

do -- A resurrected ephemeron table.
  local saved
  local function fill()
    local e = ephemeron()
    local key = {}
    e[{ "dead" }], e[key] = { "dead" }, "alive"
    setmetatable({ e, key }, { __gc = function(o) saved = o end })
  end
  fill()
  collectgarbage()
  check.churn()
  for k, v in pairs(saved[1]) do
    if k ~= saved[2] and not (k[1] == "dead" and v[1] == "dead") then check(false, "cleared or alive") end
  end
  collectgarbage()
  check.same(check.entries(saved[1]), 1, "cleared by the next cycle")
  check.same(saved[1][saved[2]], "alive", "and the rest is there")
end

do -- An ephemeron table that is garbage holds nothing and harms nothing.
  local keys = {}
  local gone = setmetatable({}, { __mode = "v" })
  local function fill()
    for i = 1, 50 do
      keys[i] = { i }
      local e = ephemeron()
      local v = { i }
      e[keys[i]], e[e] = v, e
      gone[i] = v
    end
  end
  fill()
  collectgarbage()
  check.churn()
  check.same(next(gone), nil, "values of dead tables go though their keys live")
  local fine = true
  for i = 1, 50 do fine = fine and keys[i][1] == i end
  check(fine, "keys of dead tables are intact")
end

do -- Attributes of many objects, added and removed over time, with rehashes in between.
  local attributes, objects = ephemeron(), {}
  local function add(from, to)
    for i = from, to do
      local o = { i }
      objects[i] = o
      attributes[o] = { owner = o, number = i }
    end
  end
  local wrong = 0
  for round = 0, 5 do
    add(round * 200 + 1, round * 200 + 200)
    for i = round * 100 + 1, round * 100 + 100 do objects[i] = nil end
    if round % 2 == 0 then collectgarbage() else collectgarbage("step") end
    for i, o in pairs(objects) do
      local a = attributes[o]
      if not a or a.number ~= i or a.owner ~= o then wrong = wrong + 1 end
    end
  end
  check.same(wrong, 0, "every object has its attributes")
  collectgarbage()
  check.same(check.entries(attributes), 600, "and only they")
end

check.in_each_mode(function(mode)
  -- Old tables, young keys and values; an old key whose entry gets a young value.
  local e = ephemeron()
  local old_keys = {}
  for i = 1, 50 do
    old_keys[i] = { i }
    e[old_keys[i]] = "nothing yet"
  end
  check.age()
  local function fill()
    for i = 1, 50 do
      e[old_keys[i]] = { i, { i } }
      e[{}] = { "young garbage" }
      local link = { i }
      e[old_keys[i]][3] = link
      e[link] = { { -i } }
    end
  end
  fill()
  for _ = 1, 3 do
    collectgarbage("step")
    check.churn(30)
  end
  local wrong = 0
  for i = 1, 50 do
    local v = e[old_keys[i]]
    if v[1] ~= i or v[2][1] ~= i or e[v[3]][1][1] ~= -i then wrong = wrong + 1 end
  end
  check.same(wrong, 0, mode .. ": young values of old keys")
  collectgarbage()
  check.same(check.entries(e), 100, mode .. ": young garbage went")
  old_keys = nil
  check.age()
  check.same(next(e), nil, mode .. ": old entries go")
end)

check.done("weak-keys")
