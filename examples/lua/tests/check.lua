-- What the tests in this folder share: counting checks, child interpreters, garbage.
--
-- A test begins with
--   package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
--   local check = require "check"
-- and ends with check.done("NAME"), which prints "NAME: N checks".
--
-- Tests may not depend on addresses, nor on when collections happen unless they ask for one. Objects that are
-- to become garbage are made in functions of their own, so that no register of the test still holds them.
local check = { count = 0 }

-- check(condition, message): counts, and ends the test if the condition does not hold.
setmetatable(check, {
  __call = function(_, condition, message)
    check.count = check.count + 1
    if not condition then
      error("check failed: " .. tostring(message or "(no message)"), 2)
    end
    return condition
  end,
})

local function shown(value)
  return type(value) == "string" and ("%q"):format(value):sub(1, 300) or tostring(value)
end

-- Raw equality, and the same mathematical type for numbers.
function check.same(actual, expected, message)
  check.count = check.count + 1
  if not rawequal(actual, expected) or math.type(actual) ~= math.type(expected) then
    error(("check failed: %s: got %s, expected %s"):format(message or "same", shown(actual), shown(expected)), 2)
  end
end

-- Calling f(...) raises an error whose message matches the pattern; returns the error value.
function check.fails(pattern, f, ...)
  check.count = check.count + 1
  local ok, message = pcall(f, ...)
  if ok then
    error("check failed: no error, expected one like " .. pattern, 2)
  elseif not tostring(message):find(pattern) then
    error(("check failed: error %s, expected one like %s"):format(shown(message), pattern), 2)
  end
  return message
end

-- The number of entries in a table.
function check.entries(t)
  local n = 0
  for _ in next, t do
    n = n + 1
  end
  return n
end

-- Allocates garbage of many sizes, so that memory that was freed too early is written over.
function check.churn(rounds)
  for i = 1, rounds or 100 do
    local text = ("churn %d"):format(i)
    local t = { i, { text }, [i + 0.5] = i, [text] = {} }
    local f = function()
      t = text
      return t
    end
    f()
  end
end

-- Makes everything that is alive old, in whatever way the collector counts age.
function check.age()
  collectgarbage()
  collectgarbage("step")
  collectgarbage("step")
  collectgarbage()
end

-- Calls f as it is, then in both modes, and restores the mode that was in force.
function check.in_each_mode(f)
  f("as started")
  local before = collectgarbage("incremental")
  f("incremental")
  collectgarbage("generational")
  f("generational")
  collectgarbage(before)
end

-- The interpreter that runs this test, found at the lowest index of arg.
function check.interpreter()
  local lowest = 0
  while arg[lowest - 1] do
    lowest = lowest - 1
  end
  return arg[lowest]
end

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- Runs `source` as the script of another interpreter of the same sort. Returns all that it printed, on either
-- stream, and its exit code, or "signal N".
function check.child(source)
  local name = os.tmpname()
  local file = assert(io.open(name, "w"))
  file:write(source)
  file:close()
  local pipe = assert(io.popen(quoted(check.interpreter()) .. " " .. quoted(name) .. " 2>&1", "r"))
  local output = pipe:read("a")
  local _, how, code = pipe:close()
  os.remove(name)
  return output, how == "exit" and code or "signal " .. code
end

function check.done(name)
  print(("%s: %d checks"):format(name, check.count))
end

return check
