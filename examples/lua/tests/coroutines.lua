-- Coroutines as objects: their stacks, the upvalues that point into them, and their deaths (manual 2.6, 6.2).
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local check = require "check"

-- A suspended coroutine with `depth` frames, each with locals; yields accessors to the locals of all of them.
local function nest(depth)
  local co = coroutine.create(function(n)
    local accessors = {}
    local function enter(level)
      local a, b, c = { level }, "local " .. level, level * 1.5
      accessors[level] = function(new)
        if new then a, b, c = { new }, "set " .. new, new * 2.5 end
        return a[1], b, c
      end
      if level < n then return (enter(level + 1)) end
      local give = accessors
      accessors = nil
      coroutine.yield(give)
      return a[1] .. b .. c
    end
    return enter(1)
  end)
  return co, select(2, coroutine.resume(co, depth))
end

local function accessors_wrong(accessors, depth)
  local wrong = 0
  for level = 1, depth do
    local a, b, c = accessors[level]()
    if a ~= level or b ~= "local " .. level or c ~= level * 1.5 then wrong = wrong + 1 end
  end
  return wrong
end

do -- Open upvalues of a coroutine that dies: the closures keep the values.
  local gone = setmetatable({}, { __mode = "v" })
  local function start()
    local co, accessors = nest(30)
    gone[1] = co
    return accessors
  end
  local accessors = start()
  collectgarbage()
  check.same(gone[1], nil, "the coroutine is dead")
  check.churn()
  collectgarbage()
  check.same(accessors_wrong(accessors, 30), 0, "its locals live on in the closures")
  for level = 1, 30 do accessors[level](level + 100) end
  check.age()
  check.churn()
  local wrong = 0
  for level = 1, 30 do
    local a, b, c = accessors[level]()
    if a ~= level + 100 or b ~= "set " .. level + 100 or c ~= (level + 100) * 2.5 then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "and can be set")
end

do -- Some closures held, some dropped, the coroutine dropped or not.
  for _, drop in ipairs { false, true } do
    local co, accessors = nest(20)
    if drop then co = nil end
    for level = 2, 20, 2 do accessors[level] = nil end
    collectgarbage()
    check.churn()
    local wrong = 0
    for level = 1, 20, 2 do
      if accessors[level]() ~= level then wrong = wrong + 1 end
    end
    check.same(wrong, 0, "the held closures")
    if co then
      accessors[1](7)
      local ok, result = coroutine.resume(co)
      check.same(ok, true, "goes on after collections")
      check.same(result, "20local 2030.0", "with its locals")
      check.same(accessors[1](), 7, "upvalue closed with its last value")
    end
  end
end

do -- Closures share one open upvalue with the coroutine and with each other, before and after it died.
  local function start()
    local co = coroutine.wrap(function()
      local shared = 0
      local function get() return shared end
      local function set(v) shared = v end
      local function add() shared = shared + 1 end
      coroutine.yield(get, set, add)
      shared = shared * 10
      coroutine.yield()
      return shared
    end)
    return co, co()
  end
  local co, get, set, add = start()
  set(4)
  add()
  collectgarbage()
  check.same(get(), 5, "open")
  co()
  check.same(get(), 50, "set by the coroutine")
  collectgarbage("step")
  co = nil
  collectgarbage()
  add()
  check.same(get(), 51, "after the death: still shared")
  set({ "table" })
  check.age()
  check.churn()
  check.same(get()[1], "table", "a young value")
end

do -- Closed by the end of the coroutine, by an error, and by coroutine.close.
  local function body(how)
    return function()
      local v = { how }
      coroutine.yield(function() return v end)
      if how == "error" then error("failed", 0) end
    end
  end
  for _, how in ipairs { "end", "error", "close" } do
    local co = coroutine.create(body(how))
    local _, f = coroutine.resume(co)
    if how == "close" then coroutine.close(co) else coroutine.resume(co) end
    check.same(coroutine.status(co), "dead", how)
    collectgarbage()
    check.churn()
    check.same(f()[1], how, how .. ": upvalue")
    co = nil
    collectgarbage()
    check.churn()
    check.same(f()[1], how, how .. ": upvalue when the coroutine is gone")
  end
end

do -- Thousands suspended, with state of every sort; resumed in another order; some dropped.
  local list = {}
  local function body(i)
    local t, s, f = { i }, "text " .. i, function() return i end
    local sum = 0
    while true do
      local x = coroutine.yield(sum)
      if x == "end" then break end
      sum = sum + x + t[1] + f() - tonumber(s:match("%d+"))
      t = { i }
    end
    return s
  end
  local n = 2000
  for i = 1, n do
    list[i] = coroutine.create(body)
    coroutine.resume(list[i], i)
  end
  collectgarbage()
  for i = 1, n, 4 do list[i] = nil end
  local wrong = 0
  for i = n, 1, -1 do
    if list[i] then
      local _, sum = coroutine.resume(list[i], 5)
      if sum ~= 5 + i then wrong = wrong + 1 end
    end
  end
  collectgarbage("step")
  for i = 1, n do
    local j = i * 1009 % n + 1
    if list[j] then
      local _, s = coroutine.resume(list[j], "end")
      if s ~= "text " .. j or coroutine.status(list[j]) ~= "dead" then wrong = wrong + 1 end
    end
  end
  check.same(wrong, 0, "states of " .. n .. " coroutines")
  list = nil
  collectgarbage()
end

do -- Created, run and dropped, without end.
  local sum = 0
  for i = 1, 3000 do
    local co = coroutine.wrap(function(a)
      local b = coroutine.yield({ a })
      return a + b
    end)
    sum = sum + co(i)[1]
    if i % 2 == 0 then sum = sum + co(1) end
  end
  check.same(sum, 3000 * 3001 // 2 + 2 * (1500 * 1501 // 2) + 1500, "short-lived coroutines")
end

do -- Wrapped recursion: coroutines that resume coroutines.
  local function tree(depth)
    if depth == 0 then return nil end
    return { left = tree(depth - 1), depth = depth, right = tree(depth - 1) }
  end
  local function walk(t)
    return coroutine.wrap(function()
      if not t then return end
      for d in walk(t.left) do coroutine.yield(d) end
      coroutine.yield(t.depth)
      for d in walk(t.right) do coroutine.yield(d) end
    end)
  end
  local n, sum = 0, 0
  for d in walk(tree(8)) do
    n, sum = n + 1, sum + d
    if n % 50 == 0 then collectgarbage() end
  end
  check.same(n, 255, "nodes")
  check.same(sum, 502, "sum of depths")

  local function permutations(a, n)
    n = n or #a
    if n <= 1 then coroutine.yield(a) else
      for i = 1, n do
        a[n], a[i] = a[i], a[n]
        permutations(a, n - 1)
        a[n], a[i] = a[i], a[n]
      end
    end
  end
  local seen, count = {}, 0
  for p in coroutine.wrap(function() permutations { "a", "b", "c", "d", "e" } end) do
    local key = table.concat(p)
    if not seen[key] then count = count + 1 end
    seen[key] = true
    if count % 20 == 0 then collectgarbage("step") end
  end
  check.same(count, 120, "permutations")

  local function filter(p, source)
    return coroutine.wrap(function()
      for v in source do if v % p ~= 0 then coroutine.yield(v) end end
    end)
  end
  local source = coroutine.wrap(function() for i = 2, 200 do coroutine.yield(i) end end)
  local primes = {}
  while true do
    local p = source()
    if not p then break end
    primes[#primes + 1] = p
    source = filter(p, source)
  end
  check.same(#primes, 46, "a sieve of coroutines")
  check.same(primes[46], 199, "the last prime")
end

do -- Stacks grow and shrink around collections.
  local function depth(n)
    local a, b, c, d = n, { n }, tostring(n), nil
    if n == 0 then
      collectgarbage()
      return 0
    end
    if n % 500 == 0 then collectgarbage("step") end
    local r = depth(n - 1)
    return r + (a == b[1] and c == tostring(a) and d == nil and 1 or 0)
  end
  for _ = 1, 3 do
    check.same(depth(2000), 2000, "deep in the main coroutine")
    collectgarbage()
    local co = coroutine.create(depth)
    local ok, n = coroutine.resume(co, 1500)
    check.same(ok and n, 1500, "deep in a coroutine")
    collectgarbage()
  end
  local up = coroutine.wrap(function()
    local function rec(n)
      local t = { n }
      if n == 0 then coroutine.yield("bottom") else rec(n - 1) end
      if t[1] ~= n then error("lost") end
      if n % 100 == 0 then coroutine.yield(n) end
    end
    rec(1000)
    return "top"
  end)
  check.same(up(), "bottom", "suspended at the bottom")
  collectgarbage()
  for n = 0, 1000, 100 do
    check.same(up(), n, "on the way up")
    collectgarbage()
    check.churn(10)
  end
  check.same(up(), "top", "and out")

  local vararg = coroutine.wrap(function(...)
    local n = select("#", ...)
    local t = table.pack(coroutine.yield(n, ...))
    return t.n, ...
  end)
  local values = {}
  for i = 1, 200 do values[i] = { i } end
  local r = table.pack(vararg(table.unpack(values)))
  check.same(r.n, 201, "200 values out")
  collectgarbage()
  r = table.pack(vararg(table.unpack(values, 1, 150)))
  check.same(r[1], 150, "150 values in")
  local wrong = 0
  for i = 1, 200 do if r[i + 1] ~= values[i] then wrong = wrong + 1 end end
  check.same(wrong, 0, "varargs survived on the stack")

  check.fails("stack overflow", function()
    local function forever(x) return forever(x) + 1 end -- allocates nothing, so that stress does not take forever
    return forever {}
  end)
  collectgarbage()
  check.same(depth(100), 100, "after a stack overflow")
  check.fails("C stack overflow", function()
    local function again() return coroutine.wrap(again)() end
    return again()
  end)
  collectgarbage()
  check.same(depth(100), 100, "after coroutines inside coroutines overflowed")
end

do -- Yields across pcall, xpcall, metamethods, iterators, table.sort's comparison (which may not), dofile and require.
  local yield = coroutine.yield
  local mt = {}
  for _, event in ipairs { "add", "concat", "eq", "lt", "le", "unm", "len", "index", "call", "band", "idiv", "bnot" } do
    mt["__" .. event] = function(a, b)
      local fresh = { event }
      local r = yield(fresh)
      if event == "eq" or event == "lt" or event == "le" then return r ~= nil end
      return { fresh[1], r }
    end
  end
  mt.__newindex = function(_, k, v) rawset(_, k, { yield { "newindex" }, v }) end
  local function object() return setmetatable({}, mt) end
  local cases = {
    add = function() return object() + { 1 } end,
    concat = function() return "a" .. object() end,
    eq = function() return object() == object() end,
    lt = function() return object() < object() end,
    le = function() return object() <= object() end,
    unm = function() return -object() end,
    len = function() return #object() end,
    index = function() return object().field end,
    call = function() return object()(1, {}) end,
    band = function() return object() & 3 end,
    idiv = function() return 7 // object() end,
    bnot = function() return ~object() end,
    newindex = function() local o = object(); o.x = "v"; return { "newindex", rawget(o, "x")[1] } end,
  }
  for event, f in pairs(cases) do
    local co = coroutine.create(function() return "done", f() end)
    local _, fresh = coroutine.resume(co)
    collectgarbage()
    check.churn(20)
    check.same(fresh[1], event, "yield in __" .. event)
    local ok, done, r = coroutine.resume(co, "resumed")
    check(ok and done == "done", event .. " goes on")
    if type(r) == "table" then
      check.same(r[2], "resumed", "result of __" .. event)
    else
      check.same(r, true, "result of __" .. event)
    end
  end

  local co = coroutine.wrap(function()
    local t = { "kept" }
    local r = table.pack(pcall(function()
      local inner = { "inner" }
      local ok, e = xpcall(function()
        yield(1)
        error({ "thrown", inner })
      end, function(e)
        collectgarbage()
        return { e }
      end)
      yield(2)
      return ok, e[1][1], e[1][2] == inner, t
    end))
    return r
  end)
  check.same(co(), 1, "yield in xpcall in pcall")
  collectgarbage()
  check.same(co(), 2, "yield after the error")
  collectgarbage()
  local r = co()
  check.same(r[1], true, "pcall succeeded")
  check.same(r[2], false, "xpcall failed")
  check.same(r[3], "thrown", "error object")
  check.same(r[4], true, "its content")
  check.same(r[5][1], "kept", "locals")

  local loop = coroutine.wrap(function()
    local out = {}
    local list = setmetatable({}, { __pairs = function() yield { "pairs" }; return next, { b = 2 } end })
    for k, v in pairs(list) do
      out[#out + 1] = k .. v
    end
    for a in function(_, i) if not i or i < 4 then return (yield { i }) end end do
      out[#out + 1] = a
    end
    return table.concat(out, " ")
  end)
  local step, i = loop(), 0
  while type(step) == "table" do
    collectgarbage()
    i = i + 1
    step = loop(i)
  end
  check.same(step, "b2 2 3 4", "yield in __pairs and in an iterator")

  check.fails("yield across a C%-call boundary", coroutine.wrap(function()
    table.sort({ 3, 2, 1 }, function(a, b) yield(); return a < b end)
  end))
  check.fails("outside a coroutine", coroutine.yield)
end

do -- Coroutines in weak tables, as keys and values, in every state.
  local keys = setmetatable({}, { __mode = "k" })
  local values = setmetatable({}, { __mode = "v" })
  local function fill()
    local held = {}
    for i = 1, 30 do
      local co = coroutine.create(function(me)
        local t = { me, i }
        coroutine.yield(t)
        if i % 3 == 0 then error("state") end
      end)
      if i % 2 == 0 then coroutine.resume(co, co) end
      if i % 6 == 0 then coroutine.resume(co) end
      keys[co], values[i] = { co, i }, co
      if i <= 10 then held[i] = co end
    end
    return held
  end
  local held = fill()
  collectgarbage()
  check.same(check.entries(keys), 10, "held as keys")
  check.same(check.entries(values), 10, "held as values")
  local wrong = 0
  for i = 1, 10 do
    if values[i] ~= held[i] or keys[held[i]][2] ~= i then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "the right ones")
  held = nil
  collectgarbage()
  check.same(next(keys), nil, "gone as keys, though they refer to themselves")
  check.same(next(values), nil, "gone as values")
end

do -- A coroutine that drops the last reference to itself while it runs.
  local weak = setmetatable({}, { __mode = "v" })
  local holder = {}
  holder.co = coroutine.create(function()
    holder.co = nil
    collectgarbage()
    local t = { "alive" }
    check.churn()
    weak.self = coroutine.running()
    coroutine.yield(t)
  end)
  local _, t = coroutine.resume(holder.co)
  check.same(t[1], "alive", "ran on")
  collectgarbage()
  check.same(weak.self, nil, "and was collected when suspended")
  check.same(t[1], "alive", "what it gave stays")
end

do -- Normal coroutines (that resumed another) are alive, whoever collects.
  local results = {}
  local function level(n)
    return coroutine.wrap(function()
      local t = { n }
      if n == 0 then
        collectgarbage()
        check.churn()
        collectgarbage()
      else
        level(n - 1)()
      end
      results[#results + 1] = t[1]
      coroutine.yield()
    end)
  end
  level(30)()
  check.same(#results, 31, "all levels")
  local wrong = 0
  for i = 1, 31 do if results[i] ~= i - 1 then wrong = wrong + 1 end end
  check.same(wrong, 0, "their locals")
end

check.in_each_mode(function(mode)
  -- An old suspended coroutine gets young values by every resume; between them minor collections.
  local co = coroutine.wrap(function(v)
    local a, b, list = v, nil, {}
    local function capture() return a, b end
    while true do
      b, a = a, coroutine.yield(capture)
      list[#list + 1] = b
      if #list == 40 then return list end
    end
  end)
  local capture = co { 0 }
  check.age()
  local wrong = 0
  local result
  for i = 1, 40 do
    result = co { i }
    collectgarbage("step")
    check.churn(5)
    local a, b = capture()
    if a[1] ~= i or b[1] ~= i - 1 then wrong = wrong + 1 end
  end
  for i = 1, 40 do if result[i][1] ~= i - 1 then wrong = wrong + 1 end end
  check.same(wrong, 0, mode .. ": young values on an old stack")
end)

check.done("coroutines")
