-- Finalizers when a state closes, and the warnings that errors in finalizers give: seen from outside, in the output
-- of child interpreters (manual 2.5.3, lua_close, warn, os.exit).
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local check = require "check"

-- `expected` is the whole output, or a pattern if it begins with "^".
local function child(what, source, expected, code)
  local output, exit = check.child([[
    local function finalized(name, more)
      return setmetatable({ name = name }, { __gc = more or function(o) print(o.name) end })
    end
  ]] .. source)
  check.same(exit, code or 0, what .. ": exit code")
  if expected:sub(1, 1) == "^" then
    check(output:find(expected), ("%s: output %q, expected like %s"):format(what, output, expected))
  else
    check.same(output, expected, what .. ": output")
  end
end

child("the end of the script", [[
  a = finalized "first"
  local b = finalized "second"
  c = { finalized "third", [finalized "fourth"] = true }
  local function f() return finalized end
  d = coroutine.create(function() local x = finalized "fifth"; coroutine.yield(x) end)
  coroutine.resume(d)
  print "end"
]], "end\nfifth\nfourth\nthird\nsecond\nfirst\n")

child("reverse order of marking, whatever holds what", [[
  local log = {}
  local bottom = finalized("", function()
    for i = 1, 200 do assert(log[i] == 201 - i) end
    print(#log)
  end)
  held = {}
  for i = 1, 200 do held[i] = setmetatable({ i }, { __gc = function(o) log[#log + 1] = o[1] end }) end
  for i = 1, 200, 3 do held[i].back = held[(i + 50) % 200 + 1] end
]], "200\n")

child("collected and closed: each once", [[
  local n = 0
  local bottom = finalized("", function() print("finalized " .. n) end)
  held = {}
  for i = 1, 1000 do
    local o = setmetatable({}, { __gc = function() n = n + 1 end })
    if i % 10 == 0 then held[#held + 1] = o end
    if i % 100 == 0 then collectgarbage() end
  end
]], "finalized 1000\n")

child("os.exit(true, true) closes the state", [[
  local a = finalized "finalizer"
  local function deep(n) if n == 0 then os.exit(true, true) end deep(n - 1) return n end
  deep(50)
]], "finalizer\n")

child("os.exit(true, true) in a coroutine", [[
  local a = finalized "outside"
  coroutine.wrap(function() local b = finalized "inside"; os.exit(true, true) end)()
]], "inside\noutside\n")

child("os.exit(7, true)", [[ local a = finalized "finalizer"; os.exit(7, true) ]], "finalizer\n", 7)

child("os.exit without closing runs none", [[
  local a = finalized "finalizer"
  io.stdout:write("exit\n")
  os.exit(true)
]], "exit\n")

child("an error that ends the script", [[
  local a = finalized "finalizer"
  error("the end", 0)
]], "^[^\n]*: the end\n.*finalizer\n$", 1)

child("objects made while closing are not finalized", [[
  local n = 0
  local bottom = finalized("", function() print("made " .. n) end)
  local function again()
    n = n + 1
    finalized("", again)
    local late = finalized "late"
    keep = { late, keep }
  end
  local top = finalized("", again)
]], "made 1\n")

child("marking again while closing has no effect", [[
  local mt = {}
  local calls = 0
  local bottom = finalized("", function() print("calls " .. calls) end)
  function mt.__gc(o)
    calls = calls + 1
    setmetatable(o, mt)
    setmetatable(o, nil)
    setmetatable(o, mt)
  end
  local o = setmetatable({}, mt)
]], "calls 1\n")

child("finalizers that allocate while the state closes", [[
  for i = 1, 20 do
    finalized("", function()
      local t = {}
      for j = 1, 2000 do t[j] = { j, tostring(j) } end
      local sum = 0
      for j = 1, 2000 do sum = sum + t[j][1] + tonumber(t[j][2]) end
      assert(sum == 2000 * 2001)
      local co = coroutine.wrap(function() for k = 1, 10 do coroutine.yield(k) end end)
      for k = 1, 5 do assert(co() == k) end
      total = (total or 0) + 1
      if total == 20 then print "all" end
    end)
  end
  collectgarbage("stop")
  for i = 1, 20 do local keep = finalized("", function() end); _G[i] = keep end
]], "all\n")

child("strings, files and libraries work in the last finalizers", [[
  local name = os.tmpname()
  local file = assert(io.open(name, "w"))
  file:setvbuf("full")
  local last = finalized("", function()
    file:write(("x"):rep(10), " ", #table.pack(("a b c"):find("b")), "\n")
    file:close()
    for line in io.lines(name) do print(line) end
    os.remove(name)
    print(require "string" == string, string.format("%5.1f|%s", 1.25, tostring(nil)))
  end)
]], "xxxxxxxxxx 2\ntrue\t  1.2|nil\n")

child("collectgarbage while closing", [[
  local last = finalized("", function()
    local before = {}
    for i = 1, 100 do before[i] = { i } end
    collectgarbage()
    collectgarbage("step")
    for i = 1, 100 do assert(before[i][1] == i) end
    print "done"
  end)
]], "done\n")

child("a stopped collector still finalizes at the end", [[
  collectgarbage("stop")
  finalized "dropped"
  local kept = finalized "kept"
]], "kept\ndropped\n")

for _, mode in ipairs { "incremental", "generational" } do
  child("closing in the middle of a cycle, " .. mode, [[
    collectgarbage("]] .. mode .. [[")
    held = {}
    for i = 1, 300 do held[i] = finalized("", function() count = (count or 0) + 1 end) end
    local bottom_first
    for i = 1, 20 do collectgarbage("step", 1); held[#held + 1] = { {}, tostring(i) } end
    local top = finalized("", function() assert(count == nil) end)
    setmetatable(_G, { __gc = function() print "globals" end })
    setmetatable(held, { __gc = function() print "held" end })
  ]], "held\nglobals\n")
end

-- Warnings (off unless asked for).
child("errors give no warning by default", [[
  finalized("", function() error("secret") end)
  collectgarbage()
  print "quiet"
]], "quiet\n")

child("a warning names __gc and the message", [[
  warn("@on")
  finalized("", function() error("the message", 0) end)
  collectgarbage()
  print "goes on"
]], "^Lua warning: [^\n]*__gc[^\n]*the message[^\n]*\ngoes on\n$")

child("one warning for each error, and the others run", [[
  warn("@on")
  io.stdout:setvbuf("no")
  collectgarbage("stop")
  for i = 1, 4 do finalized("", function() if i % 2 == 0 then error("E" .. i) else print("fine " .. i) end end) end
  collectgarbage()
]], "^Lua warning: [^\n]*E4[^\n]*\nfine 3\nLua warning: [^\n]*E2[^\n]*\nfine 1\n$")

child("error objects that are no strings", [[
  warn("@on")
  finalized("", function() error({}) end)
  collectgarbage()
  finalized("", function() error(nil) end)
  collectgarbage()
]], "^Lua warning: [^\n]*__gc[^\n]*\nLua warning: [^\n]*__gc[^\n]*\n$")

child("a __gc that cannot be called", [[
  warn("@on")
  finalized("", 42)
  collectgarbage()
]], "^Lua warning: [^\n]*__gc[^\n]*number[^\n]*\n$")

child("yielding is an error", [[
  warn("@on")
  coroutine.wrap(function()
    local function drop() finalized("", function() coroutine.yield() end) end
    drop()
    collectgarbage()
    print "not left"
  end)()
]], "^Lua warning: [^\n]*__gc[^\n]*yield[^\n]*\nnot left\n$")

child("a warning while the state closes", [[
  warn("@on")
  io.stdout:setvbuf("no")
  local below = finalized "below"
  local bad = finalized("", function() error("at close") end)
  local above = finalized "above"
]], "^above\nLua warning: [^\n]*at close[^\n]*\nbelow\n$")

child("a stack overflow in a finalizer", [[
  warn("@on")
  local function recurse() return 1 + recurse() end
  finalized("", recurse)
  collectgarbage()
  print "survived"
]], "^Lua warning: [^\n]*stack overflow.*survived\n$")

child("an error in flight is not disturbed by finalizers", [[
  local function f(n)
    if n == 0 then error({ code = 42 }) end
    finalized("", function() error("other") end)
    local t = setmetatable({}, { __close = function() collectgarbage() end })
    local c <close> = t
    f(n - 1)
  end
  local ok, e = pcall(f, 20)
  print(ok, e.code)
]], "false\t42\n")

check.done("finalizers-exit")
