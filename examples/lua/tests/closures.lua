-- Closures and upvalues: shared, fresh, open, closed, joined; closures in C (manual 3.4.11, 6.10).
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local check = require "check"

-- Upvalue identities are addresses and good for comparison at one moment only: no collection in between.
local function same_upvalue(f, i, g, j)
  collectgarbage("stop")
  local same = debug.upvalueid(f, i) == debug.upvalueid(g, j)
  collectgarbage("restart")
  return same
end

do -- Several closures over one variable.
  local function counter(start)
    local n, trail = start, {}
    return function() n = n + 1; trail[#trail + 1] = { n }; return n end,
      function() return n, trail end,
      function(v) n = v end
  end
  local counters = {}
  for i = 1, 100 do counters[i] = table.pack(counter(i * 1000)) end
  collectgarbage()
  local wrong = 0
  for round = 1, 5 do
    for i = 1, 100 do
      local up, get = counters[i][1], counters[i][2]
      if up() ~= i * 1000 + round then wrong = wrong + 1 end
      local n, trail = get()
      if n ~= i * 1000 + round or #trail ~= round or trail[round][1] ~= n then wrong = wrong + 1 end
    end
    collectgarbage(round % 2 == 0 and "collect" or "step")
    check.churn()
  end
  for i = 1, 100 do
    counters[i][3]("x" .. i)
    counters[i][1] = nil
  end
  collectgarbage()
  for i = 1, 100 do
    if counters[i][2]() ~= "x" .. i then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "counters")
end

do -- Loops make fresh variables for every round, and share those outside.
  local shared = 0
  local list = {}
  for i = 1, 50 do
    local fresh = { i }
    list[#list + 1] = function(d)
      i = i + d
      fresh[1] = fresh[1] + d
      shared = shared + d
      return i, fresh[1]
    end
  end
  for k, v in pairs { a = 1, b = 2, c = 3 } do
    list[k] = function() v = v + 1; return k, v end
  end
  local n = 0
  while n < 10 do
    local m = n
    list["w" .. n] = function() m = m + 1; return m, n end
    n = n + 1
  end
  repeat
    local r = n
    list["r" .. n] = function() r = r * 2; return r end
    n = n + 1
  until r == 19 and (function() return r end)() == n - 1
  collectgarbage()
  check.churn()
  local wrong = 0
  for i = 1, 50 do
    list[i](10)
    local a, b = list[i](5)
    if a ~= i + 15 or b ~= i + 15 then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "numeric for")
  check.same(shared, 50 * 15, "the variable outside")
  check.same(select(2, list.b()), 3, "generic for")
  for i = 0, 9 do
    local m, all = list["w" .. i]()
    if m ~= i + 1 or all ~= 20 then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "while")
  check.same(list.r13(), 26, "repeat")
  check.same(list.r13(), 52, "repeat, again")
end

do -- goto backwards makes fresh variables.
  local list = {}
  local i = 1
  do
    ::again::
    local x = { i }
    list[i] = function(v) if v then x = v end; return x[1] end
    i = i + 1
    if i <= 20 then goto again end
  end
  collectgarbage()
  list[7] { "seven" }
  local wrong = 0
  for j = 1, 20 do
    if list[j]() ~= (j == 7 and "seven" or j) then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "goto")
end

do -- Open upvalues: the stack and the closure see one variable, through collections and reallocation of the stack.
  local function deep(n) if n > 0 then return 1 + deep(n - 1) end; collectgarbage(); return 0 end
  local x, t = 1, { "t" }
  local function get() return x, t end
  local function set(v, w) x, t = v, w end
  for i = 1, 20 do
    set(i, { i })
    check.same(x, i, "set by the closure")
    x = x + 100
    t[2] = "both"
    if i % 5 == 0 then deep(i * 60) else collectgarbage("step") end
    local a, b = get()
    if a ~= i + 100 or b ~= t or b[1] ~= i then check(false, "seen by the closure") end
  end
  local function nested()
    local y = { "y" }
    return function()
      local z = { "z" }
      return function()
        return function(v)
          if v then x, y, z = v, { v }, { v } end
          return x, y[1], z[1]
        end
      end
    end
  end
  local innermost = nested()()()
  collectgarbage()
  check.churn()
  local a, b, c = innermost()
  check.same(a, 120, "outer variable through three functions")
  check.same(b, "y", "middle")
  check.same(c, "z", "inner")
  innermost("new")
  check.same(x, "new", "set from inside")
  collectgarbage()
  check.same(select(3, innermost()), "new", "set")
end

do -- debug.upvalueid and debug.upvaluejoin.
  local function pair()
    local a, b = { "a" }, { "b" }
    return function() return a, b end, function() return b, a end
  end
  local f, g = pair()
  local h, k = pair()
  check.same(same_upvalue(f, 1, g, 2), true, "shared")
  check.same(same_upvalue(f, 1, f, 2), false, "different variables")
  check.same(same_upvalue(f, 1, h, 1), false, "different closures")
  check.same(debug.upvalueid(f, 3), nil, "no such upvalue")
  debug.upvaluejoin(f, 1, h, 2)
  collectgarbage()
  check.same(same_upvalue(f, 1, h, 2), true, "joined")
  check.same(same_upvalue(f, 1, g, 2), false, "parted")
  check.same(f(), (select(2, h())), "they see the same value")
  debug.setupvalue(h, 2, { "set through h" })
  h, k = nil, nil
  check.age()
  check.churn()
  check.same(f()[1], "set through h", "alive when the other closures are not")
  check.same(g()[1], "b", "the others are as before")
  check.same(select(2, g())[1], "a", "the others are as before")

  -- The variable that was left is garbage if nobody else has it.
  local weak = setmetatable({}, { __mode = "v" })
  local function make()
    local v = {}
    weak[1] = v
    return function() return v end
  end
  local one, two = make(), make()
  weak[2] = one()
  debug.upvaluejoin(one, 1, two, 1)
  collectgarbage()
  check.same(weak[2], nil, "the old variable's value is gone")
  check.same(one(), two(), "joined")
  -- Join to an open upvalue.
  local open = { "open" }
  local function see() return open end
  debug.upvaluejoin(one, 1, see, 1)
  open = { "changed" }
  collectgarbage()
  check.same(one()[1], "changed", "joined to a variable on the stack")
  local inside = coroutine.wrap(function()
    local own = { "in a coroutine" }
    debug.upvaluejoin(one, 1, function() return own end, 1)
    coroutine.yield()
    own = { "changed in a coroutine" }
    coroutine.yield()
  end)
  inside()
  collectgarbage()
  check.same(one()[1], "in a coroutine", "joined to a variable on a coroutine's stack")
  inside()
  inside = nil
  collectgarbage()
  check.churn()
  check.same(one()[1], "changed in a coroutine", "which died")
end

do -- debug.setupvalue and getupvalue, on Lua and C functions.
  local function make(i)
    local a, b = { i }, "b" .. i
    return function() return a, b end
  end
  local list = {}
  for i = 1, 60 do list[i] = make(i) end
  check.age()
  for i = 1, 60 do
    check.same(debug.setupvalue(list[i], 1, { -i, { i } }), "a", "name of the upvalue")
    debug.setupvalue(list[i], 2, "c" .. i)
    if i % 20 == 0 then collectgarbage("step") end
  end
  check.churn()
  collectgarbage("step")
  local wrong = 0
  for i = 1, 60 do
    local a, b = list[i]()
    if a[1] ~= -i or a[2][1] ~= i or b ~= "c" .. i then wrong = wrong + 1 end
    local name, value = debug.getupvalue(list[i], 1)
    if name ~= "a" or value ~= a then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "young values in old closures")

  local iterator = ("a b c"):gmatch("%a")
  check.same(iterator(), "a", "first match")
  local name, value = debug.getupvalue(iterator, 1)
  check.same(name, "", "upvalues of C functions have no name")
  check(value ~= nil, "but values")
  collectgarbage()
  check.same(iterator(), "b", "second match")
end

do -- C closures alive across collections: gmatch, io.lines, coroutine.wrap, ipairs' and pairs' triples.
  local iterators = {}
  for i = 1, 50 do
    local subject = {}
    for j = 1, 20 do subject[j] = ("%d.%d"):format(i, j) end
    iterators[i] = table.concat(subject, " "):gmatch("(%d+)%.(%d+)")
  end
  local wrong = 0
  for j = 1, 20 do
    for i = 1, 50 do
      local a, b = iterators[i]()
      if tonumber(a) ~= i or tonumber(b) ~= j then wrong = wrong + 1 end
    end
    if j % 5 == 0 then collectgarbage() else collectgarbage("step") end
    check.churn(20)
  end
  check.same(wrong, 0, "gmatch")
  check.same(iterators[1](), nil, "ran out")

  local name = os.tmpname()
  local file = assert(io.open(name, "w"))
  for i = 1, 100 do file:write(i, " ", ("x"):rep(i), "\n") end
  file:close()
  local lines = { io.lines(name), io.lines(name, "n", 1, "l"), io.lines(name, 7), io.lines(name, "L") }
  collectgarbage()
  for i = 1, 100 do
    if i % 10 == 0 then collectgarbage() end
    local n, space, rest = lines[2]()
    if lines[1]() ~= i .. " " .. ("x"):rep(i) or n ~= i or space ~= " " or rest ~= ("x"):rep(i) then wrong = wrong + 1 end
    if lines[4]() ~= i .. " " .. ("x"):rep(i) .. "\n" then wrong = wrong + 1 end
  end
  check.same(lines[3](), "1 x\n2 x", "by 7 bytes")
  check.same(wrong, 0, "io.lines")
  check.same(lines[1](), nil, "end of file")
  check.fails("file is already closed", lines[1])
  lines = nil
  collectgarbage()
  os.remove(name)

  local wraps = {}
  for i = 1, 100 do
    wraps[i] = coroutine.wrap(function(a)
      local all = {}
      while true do
        all[#all + 1] = a
        a = coroutine.yield(all)
      end
    end)
    wraps[i]({ i })
  end
  collectgarbage()
  for i = 1, 100 do
    local all = wraps[i]({ -i })
    if all[1][1] ~= i or all[2][1] ~= -i then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "coroutine.wrap")

  local f, s, k = pairs(setmetatable({}, { __pairs = function() return next, { x = { "x" } }, nil end }))
  collectgarbage()
  local key, value = f(s, k)
  check.same(key .. value[1], "xx", "pairs' triple")
  f, s, k = ipairs(setmetatable({}, { __index = function(_, i) if i < 4 then return { i } end end }))
  collectgarbage()
  local n = 0
  for i, v in f, s, k do
    collectgarbage("step")
    n = n + i + v[1]
  end
  check.same(n, 12, "ipairs' triple")
end

do -- Functions with many upvalues, varargs and constants; functions made by load, dumped, with environments.
  local source = {}
  for i = 1, 100 do source[#source + 1] = ("local u%d = { %d }"):format(i, i) end
  source[#source + 1] = "return function() return {"
  for i = 1, 100 do source[#source + 1] = ("u%d[1],"):format(i) end
  source[#source + 1] = "} end, function(v) u1, u50, u100 = { v }, { v }, { v } end"
  local get, set = load(table.concat(source, "\n"))()
  source = nil
  check.age()
  set("v")
  collectgarbage("step")
  check.churn()
  local t, wrong = get(), 0
  for i = 1, 100 do
    if t[i] ~= ((i == 1 or i == 50 or i == 100) and "v" or i) then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "100 upvalues")

  local env = { result = {} }
  local chunk = load("local n = ...; result[n] = { n }; return function() result[#result + 1] = 'more'; return _ENV end", "=chunk", "t", env)
  for i = 1, 20 do chunk(i) end
  local inner = chunk(21)
  chunk = nil
  collectgarbage()
  check.same(inner(), env, "_ENV")
  check.same(env.result[20][1], 20, "set in the environment")
  check.same(env.result[22], "more", "set by the inner function")
  debug.setupvalue(inner, 1, setmetatable({ result = { "fresh" } }, { __index = env }))
  collectgarbage("step")
  check.churn()
  check.same(inner().result[2], "more", "in a fresh environment")

  local dumped = string.dump(function(a) local t = { a, "constant " .. a }; return t, function() return t end end)
  local f = load(dumped)
  dumped = nil
  collectgarbage()
  local first, second = f(5)
  check.same(first[2], "constant 5", "undumped function")
  check.same(second()[1], 5, "and its closure")
end

do -- Recursive local functions and closures in cycles are garbage when nothing leads to them.
  local weak = setmetatable({}, { __mode = "v" })
  local function fill()
    local first
    for i = 1, 50 do
      local even, odd
      function even(n) if n == 0 then return true end; return odd(n - 1) end
      function odd(n) if n == 0 then return false end; return even(n - 1) end
      weak[i], first = even, first or even
      local t = {}
      t.f = function() return t end
      weak["t" .. i] = t
      if not even(10) or odd(10) then check(false, "recursion") end
    end
    local t = { first }
    return function() return t end
  end
  local held = fill()
  collectgarbage()
  check.same(check.entries(weak), 1, "only the held one is left")
  check.same(held()[1], weak[1], "this one")
  check.same(held()[1](8), true, "and works")
end

check.done("closures")
