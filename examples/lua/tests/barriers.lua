-- What a generational or incremental collector must notice: old objects of every sort that are given young ones, in
-- every way that Lua offers. After each store collections of part of the heap, then everything must be whole.
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local check = require "check"

-- Young values of every sort, and whether a value is the whole one that was made from `i`.
local sorts = {
  {
    "table",
    function(i) return { i, "text " .. i, { i } } end,
    function(v, i) return v[1] == i and v[2] == "text " .. i and v[3][1] == i end,
  },
  {
    "closure",
    function(i)
      local a, b = { i }, "text " .. i
      return function() return a, b end
    end,
    function(v, i)
      local a, b = v()
      return a[1] == i and b == "text " .. i
    end,
  },
  {
    "coroutine",
    function(i)
      local co = coroutine.create(function(a)
        local t = { a }
        while true do coroutine.yield(t) end
      end)
      coroutine.resume(co, i)
      return co
    end,
    function(v, i) return select(2, coroutine.resume(v))[1] == i end,
  },
  { "short string", function(i) return "s" .. i end, function(v, i) return v == "s" .. i end },
  {
    "long string",
    function(i) return ("long %d "):format(i):rep(10) end,
    function(v, i) return v == ("long %d "):format(i):rep(10) end,
  },
  {
    "iterator", -- a C closure with a userdata as upvalue
    function(i) return ("n%d "):format(i):rep(40):gmatch("n(%d+)") end,
    function(v, i) return v() == tostring(i) end,
  },
  {
    "loaded function",
    function(i) return load(("local t = { %d }; return 'constant %d', t[1]"):format(i, i)) end,
    function(v, i)
      local a, b = v()
      return a == "constant " .. i and b == i
    end,
  },
}

-- The ways. `old` makes the object that becomes old; store(old, v) gives it a value; get(old) finds it again.
local ways = {}
local function way(name, old, store, get)
  ways[#ways + 1] = { name = name, old = old, store = store, get = get }
end

local function tables() return { 0, 0, 0, name = 0 } end
local function first(t) return t[1] end

way("t[1] = v", tables, function(t, v) t[1] = v end, first)
way("t[n] = v in the hash part", tables, function(t, v) t[1000] = v end, function(t) return t[1000] end)
way("t.name = v", tables, function(t, v) t.name = v end, function(t) return t.name end)
way("a new field", function() return {} end, function(t, v) t.new = v end, function(t) return t.new end)
way("a new field that makes it grow", function() return { a = 1, b = 2, c = 3, d = 4 } end, function(t, v)
  t.e = v
end, function(t) return t.e end)
way("rawset", tables, function(t, v) rawset(t, 1, v) end, first)
way("table.insert at the end", function() return { 1, 2, 3 } end, function(t, v) table.insert(t, v) end, function(t)
  return t[#t]
end)
way("table.insert in the middle", function() return { 1, 2, 3 } end, function(t, v) table.insert(t, 2, v) end, function(t)
  return t[2]
end)
way("table.move", tables, function(t, v) table.move({ v, v }, 1, 2, 2, t) end, function(t) return t[3] end)
way("table.move inside", tables, function(t, v)
  t[1] = v
  table.move(t, 1, 1, 3)
  t[1] = 0
end, function(t) return t[3] end)
way("table.sort", function() return {} end, function(t, v)
  t[1], t[2], t[3] = { n = 2 }, { n = 1 }, { n = 0, v = v }
  table.sort(t, function(a, b) return a.n < b.n end)
end, function(t) return t[1].v end)
way("table.remove gives it to another", tables, function(t, v)
  local other = { v }
  t[2] = table.remove(other)
end, function(t) return t[2] end)
way("multiple assignment", tables, function(t, v) t[1], t[2] = v, t[1] end, first)
way("__newindex function", function()
  return setmetatable({}, { __newindex = function(t, k, v) rawset(t, k, { v }) end })
end, function(t, v)
  rawset(t, "x", nil)
  t.x = v
end, function(t) return rawget(t, "x")[1] end)
way("__newindex table", function()
  local store = {}
  return { setmetatable({}, { __newindex = store }), store }
end, function(o, v) o[1].x = v end, function(o) return o[2].x end)
way("__index that caches", function()
  local o = { made = false }
  return setmetatable(o, { __index = function(t, k) rawset(t, k, t.source); return t.source end })
end, function(o, v)
  o.source, o.cached = v, nil
  local _ = o.cached
  o.source = false
end, function(o) return rawget(o, "cached") end)
way("setmetatable", function() return {} end, function(t, v)
  setmetatable(t, { __index = { x = v } })
end, function(t) return t.x end)
way("a metatable's field", function() return setmetatable({}, {}) end, function(t, v)
  getmetatable(t).__index = { x = v }
end, function(t) return t.x end)
way("debug.setmetatable", function() return {} end, function(t, v)
  debug.setmetatable(t, { v = v })
end, function(t) return debug.getmetatable(t).v end)
way("a weak key's value", function()
  local key = {}
  return { setmetatable({}, { __mode = "k" }), key }
end, function(o, v) o[1][o[2]] = v end, function(o) return o[1][o[2]] end)
way("a young weak key", function() return { setmetatable({}, { __mode = "k" }) } end, function(o, v)
  o[2] = {}
  o[1][o[2]] = v
end, function(o) return o[1][o[2]] end)
way("the key of a table", function() return {} end, function(t, v)
  for k in pairs(t) do t[k] = nil end
  t[{ inner = v }] = true
end, function(t) return next(t).inner end)

way("upvalue of an old closure", function()
  local u
  return { get = function() return u end, set = function(v) u = v end }
end, function(c, v) c.set(v) end, function(c) return c.get() end)
way("upvalue shared by several", function()
  local u
  local function set(v) u = v end
  return { function() return (function() return u end)() end, function(v) set(v) end }
end, function(c, v) c[2](v) end, function(c) return c[1]() end)
way("debug.setupvalue", function()
  local u
  return function() return u end
end, function(f, v) debug.setupvalue(f, 1, v) end, function(f) return f() end)
way("debug.upvaluejoin", function()
  local u
  return function() return u end
end, function(f, v)
  local young = v
  debug.upvaluejoin(f, 1, function() return young end, 1)
end, function(f) return f() end)
way("upvalue of a C function", function() return coroutine.wrap(function() end) end, function(f, v)
  local co = coroutine.create(function() coroutine.yield(v) end)
  debug.setupvalue(f, 1, co)
end, function(f) return (select(2, debug.getupvalue(f, 1))) and f() end)
way("_ENV", function() return load("return x") end, function(f, v)
  debug.setupvalue(f, 1, { x = v })
end, function(f) return f() end)
way("a field of _ENV", function()
  local env = {}
  return { load("x = ...", "=set", "t", env), load("return x", "=get", "t", env) }
end, function(f, v) f[1](v) end, function(f) return f[2]() end)
way("a global variable", function() return {} end, function(_, v) barriers_global = v end, function()
  return barriers_global
end)

local function suspended()
  local co = coroutine.wrap(function()
    local slot, other
    while true do
      local what, v = coroutine.yield(slot)
      if what == "set" then slot, other = v, slot end
      what, v = nil, nil
    end
  end)
  co()
  return co
end
way("local of a suspended coroutine by resume", suspended, function(co, v) co("set", v) end, function(co)
  return co("get")
end)
way("varargs of a suspended coroutine", function() return {} end, function(o, v)
  o[1] = coroutine.wrap(function(...)
    coroutine.yield()
    while true do coroutine.yield((select(2, ...))) end
  end)
  o[1](1, v)
end, function(o) return o[1]() end)
way("debug.setlocal in a suspended coroutine", function()
  local co = coroutine.create(function()
    local slot = 0
    while true do coroutine.yield(slot) end
  end)
  coroutine.resume(co)
  return co
end, function(co, v) debug.setlocal(co, 1, 1, v) end, function(co) return select(2, debug.getlocal(co, 1, 1)) end)
way("an upvalue open on a suspended coroutine's stack", function()
  local co = coroutine.wrap(function()
    local slot
    coroutine.yield(function() return slot end, function(v) slot = v end)
    return slot
  end)
  local get, set = co()
  return { co, get, set }
end, function(o, v) o[3](v) end, function(o) return o[2]() end)

way("registry", function() return {} end, function(_, v) debug.getregistry().barriers_test = v end, function()
  return debug.getregistry().barriers_test
end)
way("package.loaded", function() return {} end, function(_, v) package.loaded["barriers.module"] = { v } end, function()
  return require("barriers.module")[1]
end)
way("package.preload", function() return {} end, function(_, v)
  package.loaded["barriers.preloaded"] = nil
  package.preload["barriers.preloaded"] = function() return { v } end
end, function() return require("barriers.preloaded")[1] end)
way("metatable of numbers", function() return {} end, function(_, v)
  debug.setmetatable(0, { __index = { x = v } })
end, function() return (1).x end)
way("metatable of functions", function() return {} end, function(_, v)
  debug.setmetatable(print, { __index = { x = v } })
end, function() return print.x end)
way("metatable of booleans and nil", function() return {} end, function(_, v)
  debug.setmetatable(true, { __index = { x = v } })
  debug.setmetatable(nil, { __index = { y = v } })
end, function()
  local y = (nil).y
  return y == (false).x and y
end)
way("metatable of coroutines", function() return {} end, function(_, v)
  debug.setmetatable(coroutine.running(), { __index = { x = v } })
end, function() return coroutine.running().x end)
way("metatable of strings", function() return {} end, function(_, v)
  getmetatable("").barriers_test = v
end, function() return getmetatable("").barriers_test end)
way("the string library", function() return {} end, function(_, v) string.barriers_test = { v } end, function()
  return ("any").barriers_test[1]
end)
way("metatable of files", function() return {} end, function(_, v)
  getmetatable(io.stdout).barriers_test = { v }
end, function() return getmetatable(io.stdin).barriers_test[1] end)
way("metatable of one file", function()
  local f = assert(io.tmpfile())
  return f
end, function(f, v)
  local mt = {}
  for key, value in pairs(getmetatable(io.stdout)) do mt[key] = value end
  mt.mine = { v }
  debug.setmetatable(f, mt)
end, function(f) return getmetatable(f).mine[1] end)
way("hook", function() return {} end, function(_, v)
  local kept = { v }
  debug.sethook(function() return kept end, "", 1000000)
end, function()
  local hook = debug.gethook()
  return hook()[1]
end)

-- Every way with every sort of value. `collect` stands for the part of a collection that follows a store.
local function try(collect, mode)
  for _, sort in ipairs(sorts) do
    local make, whole = sort[2], sort[3]
    local olds = {}
    for w, way in ipairs(ways) do olds[w] = way.old() end
    check.age()
    local wrong = {}
    for round = 1, 3 do
      for w, way in ipairs(ways) do
        local function store() way.store(olds[w], make(round * 1000 + w)) end
        store()
        if w % 8 == 0 then collect() end
      end
      collect()
      check.churn(20)
      for w, way in ipairs(ways) do
        local v = way.get(olds[w])
        if v == nil or not whole(v, round * 1000 + w) then wrong[#wrong + 1] = way.name end
        v = nil
      end
      collect()
    end
    debug.sethook()
    check.same(table.concat(wrong, ", "), "", sort[1] .. ", " .. mode)
  end
end

check.in_each_mode(function(mode)
  try(function() collectgarbage("step") end, mode .. ", steps")
  try(function() collectgarbage("step", 2) end, mode .. ", steps of 2 KB")
  try(function() check.churn(40) end, mode .. ", garbage only")
end)

-- Stores between the small steps of one incremental cycle, at every phase of it. With these parameters a basic step
-- looks at about one object.
do
  local before = collectgarbage("incremental", 100, 8, 6)
  for _, sort in ipairs(sorts) do
    local make, whole = sort[2], sort[3]
    local n, wrong = 120, 0
    local old = {}
    for i = 1, n do old[i] = { 0 } end
    local big = {}
    for i = 1, 300 do big[i] = { i, tostring(i) } end
    collectgarbage()
    for i = 1, n do
      -- Move values from one container to another, so that a marker in between could miss them.
      local from, to = old[i], old[(i + 60) % n + 1]
      from[1] = make(i)
      for _ = 1, i % 40 do collectgarbage("step") end
      to[2], from[1] = from[1], 0
      for _ = 1, i % 29 do collectgarbage("step") end
      from[3], to[2] = to[2], 0
      from, to = nil, nil
    end
    collectgarbage()
    check.churn()
    for i = 1, n do
      if not whole(old[i][3], i) then wrong = wrong + 1 end
    end
    check.same(wrong, 0, sort[1] .. ": moved around during incremental cycles")
    for i = 1, 300 do if big[i][1] ~= i or big[i][2] ~= tostring(i) then wrong = wrong + 1 end end
    check.same(wrong, 0, "what was there before")
  end
  -- A coroutine is born during a cycle, a closure over its local is looked at, the local changes (no barrier can
  -- tell), and the coroutine dies before it was looked at itself. `holders` are old closures: what they are given is
  -- looked at soon; what only the stack holds is looked at last.
  local big = {}
  for i = 1, 300 do big[i] = { i, tostring(i) } end
  local n, wrong, holders = 400, 0, {}
  for i = 1, n do
    local u
    holders[i] = function() return u end
  end
  collectgarbage()
  for i = 1, n do
    local co = coroutine.wrap(function()
      local v = { 0 }
      coroutine.yield(function() return v end)
      v = { i, tostring(i) }
      coroutine.yield()
      return v
    end)
    debug.setupvalue(holders[i], 1, co())
    for _ = 1, i % 11 do collectgarbage("step") end
    co()
    co = nil
    for _ = 1, i % 37 do collectgarbage("step") end
    if i > 40 then
      local v = holders[i - 40]()()
      if v[1] ~= i - 40 or v[2] ~= tostring(i - 40) then wrong = wrong + 1 end
    end
    check.churn(2)
  end
  check.same(wrong, 0, "locals of coroutines that died during a cycle")
  collectgarbage("incremental", 200, 100, 13)
  collectgarbage(before)
end

check.in_each_mode(function(mode)
  -- A value that passes from an old table to a register, to another old table, the first being cleared.
  local a, b = {}, {}
  for i = 1, 50 do a[i] = { i, { i } } end
  check.age()
  local wrong = 0
  for i = 1, 50 do
    local v = a[i]
    a[i] = nil
    collectgarbage("step", i % 3)
    b[i] = v
    v = nil
    collectgarbage("step", 1)
  end
  check.churn()
  for i = 1, 50 do if b[i][2][1] ~= i then wrong = wrong + 1 end end
  check.same(wrong, 0, mode .. ": passed through a register")

  -- Chains that grow at their young end, one collection for each link; at their old end, too.
  local head = { 0 }
  local tail = head
  check.age()
  for i = 1, 100 do
    tail.next = { i }
    tail = tail.next
    if i % 2 == 0 then collectgarbage("step") end
    check.churn(2)
  end
  local n, at = 0, head
  while at do
    if at[1] ~= n then wrong = wrong + 1 end
    n, at = n + 1, at.next
  end
  check.same(n, 101, mode .. ": chain growing at its end")
  for i = 1, 100 do
    head = { -i, next = head }
    if i % 2 == 0 then collectgarbage("step") end
    check.churn(2)
  end
  n, at = 0, head
  while at do
    if at[1] ~= n - 100 then wrong = wrong + 1 end
    n, at = n + 1, at.next
  end
  check.same(n, 201, mode .. ": chain growing at its head")
  check.same(wrong, 0, mode .. ": its links")

  -- An old table that gets young values again and again, so that remembering it once is not enough.
  local t = {}
  check.age()
  for i = 1, 200 do
    t[i % 10 + 1] = { i, tostring(i) }
    if i % 3 == 0 then collectgarbage("step") end
    local v = t[(i - 5) % 10 + 1]
    if v and (v[1] > i or v[2] ~= tostring(v[1])) then wrong = wrong + 1 end
  end
  check.same(wrong, 0, mode .. ": the same table again and again")

  -- A young object between two old ones: old -> young -> old, the second only reachable through the first.
  local outer, inner = {}, { "inner" }
  check.age()
  outer.young = { inner }
  inner = nil
  collectgarbage("step")
  check.churn()
  check.same(outer.young[1][1], "inner", mode .. ": an old object behind a young one")
  outer.young[1].more = { "younger" }
  collectgarbage("step")
  check.churn()
  check.same(outer.young[1].more[1], "younger", mode .. ": and behind that")

  -- Old objects that die while young ones are looked at.
  local weak = setmetatable({}, { __mode = "v" })
  local function fill()
    for i = 1, 20 do
      weak[i] = { i }
      outer[i] = weak[i]
    end
  end
  collectgarbage("stop")
  fill()
  collectgarbage("restart")
  check.age()
  for i = 1, 20 do outer[i] = nil end
  for _ = 1, 3 do collectgarbage("step") end
  collectgarbage()
  check.same(check.entries(weak), 0, mode .. ": dead old objects")
end)

do -- A coroutine that died by an error keeps its stack for inspection; given its values when it was old.
  local wrong = 0
  for i = 1, 20 do
    local co = coroutine.create(function(v)
      local slot = v
      v = nil
      error("dead")
    end)
    check.age()
    local function kill() coroutine.resume(co, { i }) end
    kill()
    collectgarbage("step")
    check.churn(10)
    -- Level 0 is the function error itself.
    local name, v = debug.getlocal(co, 1, 2)
    if name ~= "slot" or v[1] ~= i then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "stack of a coroutine in error")
end

do -- debug.setuservalue fails for userdata without user values (files have none); see hosts/api.c for the others.
  local f <close> = assert(io.tmpfile())
  check.same(debug.setuservalue(f, {}, 1), nil, "no user value")
  check.same(debug.getuservalue(f, 1), nil, "no user value")
end

for _, value in ipairs { 0, print, true, coroutine.running() } do debug.setmetatable(value, nil) end
debug.setmetatable(nil, nil)
check.done("barriers")
