-- LPeg: patterns are userdata that keep Lua values in a user value, and get memory from the state's own allocator;
-- match-time captures call Lua, which collects, while C code holds on to the subject.
local check = require "check"
local lpeg = require "lpeg"
local P, R, S, V, C, Ct, Cc, Cs, Cf, Cg, Cmt, Cp, Cb, Carg =
  lpeg.P, lpeg.R, lpeg.S, lpeg.V, lpeg.C, lpeg.Ct, lpeg.Cc, lpeg.Cs, lpeg.Cf, lpeg.Cg, lpeg.Cmt, lpeg.Cp, lpeg.Cb, lpeg.Carg

local space = S(" \n\t") ^ 0

do -- A calculator, over many inputs.
  local number = C(P("-") ^ -1 * R("09") ^ 1 * (P(".") * R("09") ^ 1) ^ -1) * space / tonumber
  local function operation(a, op, b)
    if op == "+" then return a + b elseif op == "-" then return a - b elseif op == "*" then return a * b end
    return a / b
  end
  local grammar = P {
    "expression",
    expression = Cf(V("term") * Cg(C(S("+-")) * space * V("term")) ^ 0, operation),
    term = Cf(V("factor") * Cg(C(S("*/")) * space * V("factor")) ^ 0, operation),
    factor = number + P("(") * space * V("expression") * P(")") * space,
  }
  grammar = space * grammar * -1
  collectgarbage()
  local seed, wrong = 7, 0
  local function random(n)
    seed = (seed * 1103515245 + 12345) % 2147483648
    return seed // 65536 % n + 1
  end
  local function expression(depth)
    if depth == 0 or random(5) == 1 then return tostring(random(99)) end
    local a, b = expression(depth - 1), expression(depth - 1)
    return ("(%s %s %s)"):format(a, ("+-*"):sub(random(3), -1):sub(1, 1), b)
  end
  for i = 1, 300 do
    local text = expression(5)
    if grammar:match(text) ~= load("return " .. text)() then wrong = wrong + 1 end
    if i % 100 == 0 then collectgarbage() end
  end
  check.same(wrong, 0, "calculator")
  check.same(grammar:match("1 + "), nil, "no match")
  check.same(grammar:match("((1.5))"), 1.5, "a float")
end

do -- Every sort of capture in one pattern that is made anew each time, matched after everything else was dropped.
  local function make(i)
    local name = "name" .. i
    return Ct(
      Cg(C(R("az") ^ 1), name) * P(" ") * Cp() * C(R("09") ^ 1) / function(...) return ... end
        * Cc({ i }, "constant " .. i) * (P(" ") * C(P(1)) / { x = "was x " .. i, y = { i } }) ^ 0
    )
  end
  local patterns, wrong = {}, 0
  for i = 1, 60 do patterns[i] = make(i) end
  collectgarbage()
  check.churn()
  collectgarbage()
  for i = 1, 60 do
    local t = patterns[i]:match("abc 123 x y z")
    local fine = t[1] == 5 and t[2] == "123" and t[3][1] == i and t[4] == "constant " .. i
      and t[5] == "was x " .. i and t[6][1] == i and t[7] == nil
    if not fine then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "values that only patterns hold")
  for i = 1, 60, 2 do patterns[i] = nil end
  collectgarbage()
  for i = 2, 60, 2 do
    if patterns[i]:match("z 1 y")[5][1] ~= i then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "half of them")
end

do -- Patterns combined of patterns that are dropped: their values move to the new one.
  local big = P(false)
  for i = 1, 120 do
    big = big + P("w" .. i .. ";") / { ["w" .. i .. ";"] = { i } }
    if i % 40 == 0 then collectgarbage() end
  end
  collectgarbage()
  local wrong = 0
  for i = 1, 120 do
    if big:match("w" .. i .. ";")[1] ~= i then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "a choice of 120")
  local chain = P(true)
  for i = 1, 50 do chain = chain * (C(P(1)) / function(c) return c .. i end) end
  collectgarbage()
  local r = table.pack(chain:match(("a"):rep(50)))
  check.same(r.n, 50, "captures of a sequence")
  for i = 1, 50 do if r[i] ~= "a" .. i then wrong = wrong + 1 end end
  check.same(wrong, 0, "each by its function")
end

do -- Match-time captures that collect, in the middle of matching a long subject that nothing else holds.
  local calls = 0
  local item = Cmt(C(R("az", "09") ^ 1), function(subject, at, word)
    calls = calls + 1
    if calls % 20 == 0 then
      collectgarbage()
      check.churn(20)
    end
    return at, { word, #subject }, word .. "!"
  end)
  local list = Ct(item * (P(",") * item) ^ 0) * -1
  local function subject(n)
    local words = {}
    for i = 1, n do words[i] = ("w%d"):format(i) .. ("x"):rep(i % 7) end
    return table.concat(words, ",")
  end
  local t = list:match(subject(200))
  check.same(#t, 400, "captures")
  local wrong = 0
  for i = 1, 200 do
    local word = ("w%d"):format(i) .. ("x"):rep(i % 7)
    if t[2 * i - 1][1] ~= word or t[2 * i] ~= word .. "!" or t[2 * i - 1][2] ~= #subject(200) then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "captures made while collecting")
  check.same(list:match("a,b,"), nil, "no match")

  local equals = P("=") ^ 0
  local close = P("]") * C(equals) * P("]")
  local close_equal = Cmt(close * Cb("open"), function(_, _, a, b)
    collectgarbage("step")
    return a == b
  end)
  local long_string = P("[") * Cg(equals, "open") * P("[") * C((P(1) - close_equal) ^ 0) * close / 1
  check.same(long_string:match("[==[one]=]two]==]"), "one]=]two", "a long string, by back captures")
  check.fails("in a capture", function() (P(1) / function() error("in a capture", 0) end):match("x") end)
  check.same((P(1) * Carg(1)):match("x", 1, { "argument" })[1], "argument", "an extra argument")
end

do -- Substitution, also by patterns that recurse, with replacements made on the way.
  local n = 0
  local function replace(word)
    n = n + 1
    if n % 50 == 0 then collectgarbage() end
    return ("<%s%d>"):format(word:upper(), n)
  end
  local pattern = Cs((C(R("az") ^ 1) / replace + P(1)) ^ 0)
  local words = {}
  for i = 1, 200 do words[i] = "w" .. ("o"):rep(i % 5) end
  local result = pattern:match(table.concat(words, " "))
  local expected = {}
  for i = 1, 200 do expected[i] = ("<W%s%d>"):format(("O"):rep(i % 5), i) end
  check.same(result, table.concat(expected, " "), "substitution by function")
  local escape = Cs((P("&") / "&amp;" + P("<") / "&lt;" + P(">") / "&gt;" + 1) ^ 0)
  check.same(#escape:match(("<&>"):rep(2000)), 2000 * 13, "substitution by strings")
  local nested = P { "(" * Cs(((1 - S("()")) + V(1)) ^ 0) * ")" / function(s) return "[" .. s .. "]" end }
  check.same(nested:match("(a(b)(c)d)"), "[a[b][c]d]", "nested")
end

do -- re: grammars from text, kept in a weak table of its own.
  local re = require "re"
  local csv = re.compile([[
    line <- {| field (',' field)* |} !.
    field <- '"' {~ (('""' -> '"') / [^"])* ~} '"' / { [^,"]* }
  ]])
  collectgarbage()
  local r = csv:match('one,"two, ""quoted""",,four')
  check.same(table.concat(r, "|"), 'one|two, "quoted"||four', "CSV")
  local wrong = 0
  for i = 1, 60 do
    local p = re.compile(("{ 'key%d' } '=' { %%d+ } -> double"):format(i), { double = function(d) return d * 2 end })
    local key, value = p:match(("key%d=%d"):format(i, i))
    if key ~= "key" .. i or tonumber(value) ~= 2 * i then wrong = wrong + 1 end
    if re.find("some text " .. i, "'" .. i .. "'") ~= 11 then wrong = wrong + 1 end
    if re.gsub("a1b2c3", "[0-9]", "<%0>") ~= re.gsub("a1b2c3", "[0-9]", "<%0>") then wrong = wrong + 1 end
    if i % 20 == 0 then collectgarbage() end
  end
  check.same(wrong, 0, "60 grammars")
  check.fails("pattern error", re.compile, "'unfinished")
end

do -- Patterns as keys and values of weak tables.
  local keys, values = setmetatable({}, { __mode = "k" }), setmetatable({}, { __mode = "v" })
  local held
  local function fill()
    for i = 1, 20 do
      local p = P("p" .. i) / { ["p" .. i] = keys }
      keys[p], values[i] = { p }, p
      if i == 7 then held = p end
    end
  end
  fill()
  collectgarbage()
  check.same(values[7], held, "held")
  check.same(keys[held][1]:match("p7"), keys, "and working")
  collectgarbage()
  check.same(check.entries(keys), 1, "others gone as keys")
  check.same(check.entries(values), 1, "others gone as values")
end

check.in_each_mode(function(mode)
  -- Old patterns, young subjects and captures.
  local pattern = Ct((C(R("az") ^ 1) * P(" ") ^ 0 / function(w) return { w } end) ^ 0)
  check.age()
  local wrong = 0
  for i = 1, 40 do
    local t = pattern:match(("word "):rep(i))
    collectgarbage("step")
    if #t ~= i or t[i][1] ~= "word" then wrong = wrong + 1 end
  end
  check.same(wrong, 0, mode .. ": old pattern")
end)
