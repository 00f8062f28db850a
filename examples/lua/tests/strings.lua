-- Strings: short ones are interned, long ones are not; neither may show it (manual 2.1, 6.4).
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local check = require "check"

-- A string of n bytes that no constant of this file equals.
local function make(n, salt)
  local bytes = {}
  local x = n * 7919 + (salt or 0) * 104729
  for i = 1, n do
    x = (x * 1103515245 + 12345) % 2147483648
    bytes[i] = string.char(x // 65536 % 256)
  end
  return table.concat(bytes)
end

do -- Equal strings are one key, however and whenever they were made; all lengths around the short limit (40).
  local t = {}
  for n = 0, 130 do
    t[make(n)] = n
    t[make(n, 1) .. "|"] = -n
  end
  local wrong = 0
  for round = 1, 3 do
    for n = 0, 130 do
      local a, b = make(n), make(n):sub(1, -1)
      if a ~= b or t[a] ~= n or t[b] ~= n or #a ~= n then wrong = wrong + 1 end
      if t[make(n, 1) .. "|"] ~= -n then wrong = wrong + 1 end
      if n > 0 and t[a:sub(1, n - 1) .. "\0\1"] then wrong = wrong + 1 end
    end
    check.same(wrong, 0, "lengths 0 to 130 as keys")
    collectgarbage(round == 2 and "step" or "collect")
    check.churn()
  end
  check.same(check.entries(t), 262, "no key twice")
  for n = 0, 130, 2 do t[make(n)] = nil end
  collectgarbage()
  for n = 0, 130 do
    if t[make(n)] ~= (n % 2 == 1 and n or nil) then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "half of the keys deleted")
  for n = 0, 130, 2 do t[make(n)] = n end
  for n = 0, 130 do if t[make(n)] ~= n then wrong = wrong + 1 end end
  check.same(wrong, 0, "and set again")
end

do -- The same bytes by different operations.
  for _, n in ipairs { 1, 20, 39, 40, 41, 42, 100, 5000 } do
    local s = ("ab"):rep(n):sub(1, n)
    local t = { [s] = true }
    local ways = {
      concat = s:sub(1, n // 2) .. s:sub(n // 2 + 1),
      table = table.concat({ s:byte(1, -1) }, "", 1, 0) .. table.concat((function()
        local list = {}
        for i = 1, n do list[i] = s:sub(i, i) end
        return list
      end)()),
      gsub = s:gsub("a", "x"):gsub("x", "a"),
      reverse = s:reverse():reverse(),
      upper = s:upper():lower(),
      format = ("%s"):format(s),
      ["format q"] = load("return " .. ("%q"):format(s))(),
      char = n <= 200 and string.char(s:byte(1, -1)) or s,
      pack = string.unpack("s4", string.pack("s4", s)),
      match = s:match("^(.*)$"),
      tostring = tostring(setmetatable({}, { __tostring = function() return s:sub(1, -1) end })),
      load = load("return '" .. s .. "'")(),
    }
    collectgarbage()
    local wrong = 0
    for _, way in pairs(ways) do
      if way ~= s or not t[way] or #way ~= n then wrong = wrong + 1 end
    end
    check.same(wrong, 0, n .. " bytes made in different ways")
  end
end

do -- Many short strings created, dropped and made again, so that dead ones are met in the string table.
  local wrong = 0
  local kept = {}
  for round = 1, 12 do
    for i = 1, 500 do
      local s = "name" .. i % 250 .. "x"
      if i % 50 == 0 then kept[s] = "name" .. i % 250 .. "x" end
      if #s < 6 then wrong = wrong + 1 end
    end
    if round % 4 == 0 then collectgarbage() end
    for s, same in pairs(kept) do
      if s ~= same or kept["name" .. s:match("%d+") .. "x"] ~= s then wrong = wrong + 1 end
    end
  end
  check.same(wrong, 0, "recreated strings equal the kept ones")
  check.same(check.entries(kept), 5, "and are not doubled")
end

do -- A string table that grows and shrinks.
  local held = {}
  for i = 1, 6000 do held[i] = "grow" .. i end
  collectgarbage()
  local set = {}
  for i = 1, 6000 do set[held[i]] = i end
  for i = 1, 6000, 2 do set[held[i]], held[i] = nil, nil end
  collectgarbage()
  local wrong = 0
  for i = 1, 6000 do
    if set["grow" .. i] ~= (i % 2 == 0 and i or nil) then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "half of 6000")
  held, set = nil, nil
  for _ = 1, 4 do collectgarbage() end
  local t = {}
  for i = 1, 200 do t["grow" .. i] = i end
  for i = 1, 200 do if t["grow" .. i] ~= i then wrong = wrong + 1 end end
  check.same(wrong, 0, "after it shrank")
end

do -- Embedded zeros, all bytes, and almost equal strings.
  local all = {}
  for b = 0, 255 do all[b] = string.char(b) end
  local s = table.concat(all, "", 0, 255)
  collectgarbage()
  check.same(#s, 256, "all bytes")
  local t = {}
  for n = 1, 60 do
    t[("\0"):rep(n)] = n
    t[("\0"):rep(n) .. "a"] = -n
  end
  collectgarbage()
  local wrong = 0
  for n = 1, 60 do
    if t[("\0"):rep(n)] ~= n or t[("\0"):rep(n - 1) .. "\0a"] ~= -n then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "zeros")
  local long = s:rep(20)
  for i = 1, #long, 509 do
    local other = long:sub(1, i - 1) .. "\u{7f}" .. long:sub(i + 1)
    if (other == long) ~= (long:byte(i) == 0x7f) then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "long strings that differ in a byte")
end

do -- Dumps by byte and back, gsub with every sort of replacement, gmatch, across collections.
  local text = {}
  for i = 1, 300 do text[i] = "word" .. i .. (i % 7 == 0 and "\n" or " ") end
  text = table.concat(text)
  local dumped = {}
  for i = 1, #text, 100 do dumped[#dumped + 1] = { text:byte(i, i + 99) } end
  collectgarbage()
  local parts = {}
  for i, bytes in ipairs(dumped) do
    parts[i] = string.char(table.unpack(bytes))
    check.churn(1)
  end
  check.same(table.concat(parts), text, "bytes and back")

  local count = 0
  for word, number in text:gmatch("(%a+)(%d+)") do
    count = count + 1
    if word ~= "word" or tonumber(number) ~= count then check(false, "gmatch") end
    if count % 50 == 0 then collectgarbage() end
  end
  check.same(count, 300, "gmatch")
  local by_function = text:gsub("%a+(%d+)", function(n)
    if n % 40 == 0 then collectgarbage() end
    return "<" .. n + 0 .. ">"
  end)
  local by_string = text:gsub("%a+(%d+)", "<%1>")
  local map = setmetatable({}, { __index = function(_, n) check.churn(1); return "<" .. n .. ">" end })
  local by_table = text:gsub("%a+(%d+)", map)
  check.same(by_function, by_string, "gsub by function")
  check.same(by_table, by_string, "gsub by table")
  check.same(#by_string, #text - 300 * 2, "its length")
  local nested = text:gsub("%d+", function(n) return (n:gsub("%d", function(d) return ("%d"):format(9 - d) end)) end)
  local back = nested:gsub("%d", function(d) return tostring(9 - d) end)
  check.same(back, text, "gsub inside gsub")
end

do -- Buffers that grow: concat, rep, format, load; with metamethods that collect in the middle.
  local parts = {}
  for i = 1, 2000 do parts[i] = tostring(i) end
  local s = table.concat(parts, ",")
  check.same(#s, 8892, "concat")
  check.same(select(2, s:gsub(",", "")), 1999, "separators")
  local r = ("xyz"):rep(10000, "-")
  check.same(#r, 39999, "rep")
  check.same(r:sub(39993), "xyz-xyz", "its end")
  local mt = { __tostring = function(o) collectgarbage(); check.churn(5); return "<" .. o[1] .. ">" end }
  local objects = {}
  for i = 1, 10 do objects[i] = setmetatable({ ("o"):rep(i) }, mt) end
  local format = ("%s|"):rep(10):format(table.unpack(objects))
  local expected = {}
  for i = 1, 10 do expected[i] = "<" .. ("o"):rep(i) .. ">|" end
  check.same(format, table.concat(expected), "format with __tostring that collects")
  local big = ("%s %s"):format(("a"):rep(3000), ("%d"):rep(50):format(table.unpack(parts, 1, 50)))
  check.same(big, ("a"):rep(3000) .. " " .. table.concat(parts, "", 1, 50), "format of long strings")
  check.same(("%-20s|%5d|%.3f|%q"):format("x", 42, 0.5, "a\nb"), "x                   |   42|0.500|\"a\\\nb\"", "format")

  local concatenated = ""
  for i = 1, 300 do concatenated = concatenated .. i .. ";" end
  check.same(#concatenated, 9 * 2 + 90 * 3 + 201 * 4, "concatenation one by one")
  local a = setmetatable({}, { __concat = function(x, y)
    collectgarbage()
    return (type(x) == "table" and "A" or x) .. (type(y) == "table" and "A" or y)
  end })
  check.same("x" .. ("y"):rep(50) .. a .. "z" .. 1 .. a, "x" .. ("y"):rep(50) .. "Az1A", "__concat that collects")
end

do -- Big chunks for load, as one string and in pieces that only the reader holds.
  local lines = {}
  for i = 1, 800 do lines[i] = ("local v%d = %q"):format(i % 150, "constant " .. i) end
  lines[#lines + 1] = "return 1"
  check.fails("too many local variables", function() assert(load(table.concat(lines, "\n"))) end)
  for i = 1, 800 do lines[i] = ("t[%d] = %q; t.name%d = %q"):format(i, "constant " .. i, i, ("long %d "):format(i):rep(8)) end
  lines[#lines] = "return t"
  local source = "local t = {}\n" .. table.concat(lines, "\n")
  local function verify(t, what)
    local wrong = 0
    for i = 1, 800 do
      if t[i] ~= "constant " .. i or t["name" .. i] ~= ("long %d "):format(i):rep(8) then wrong = wrong + 1 end
    end
    check.same(wrong, 0, what)
  end
  verify(load(source)(), "a chunk with thousands of constants")
  local at = 1
  local function reader()
    local piece = source:sub(at, at + 96)
    at = at + 97
    if at // 97 % 100 == 0 then collectgarbage() end
    return piece ~= "" and piece or nil
  end
  local f = assert(load(reader, "=pieces"))
  collectgarbage()
  verify(f(), "read in pieces")
  local dump = string.dump(f)
  f = nil
  collectgarbage()
  at, source = 1, dump
  local g = assert(load(reader, "=dump", "b"))
  source, dump = nil, nil
  collectgarbage()
  check.churn()
  verify(g(), "dumped and undumped")
  check.fails("unfinished string", function() assert(load("x = 'abc" .. ("d"):rep(100))) end)
  check.fails("near", function() assert(load(function() collectgarbage(); return "x = = " end)) end)
end

do -- Error messages and chunk names are strings of their own.
  local f = load("error('a message')", "=" .. ("name"):rep(30) .. #arg)
  collectgarbage()
  check.churn()
  local ok, message = pcall(f)
  check.same(ok, false, "raised")
  check(message:find("a message", 1, true) and message:find("namename", 1, true), "chunk name and message")
  local _, m = pcall(load("local t = {}; t.field_" .. #arg .. ".x = 1", "=(load)"))
  check(m:find("field_" .. #arg, 1, true), "names in messages")
  local traceback = debug.traceback("top " .. #arg)
  check(traceback:find("^top " .. #arg), "traceback")
end

do -- Strings are never removed from weak tables, but go when their entry goes.
  local keys = setmetatable({}, { __mode = "k" })
  local values = setmetatable({}, { __mode = "v" })
  local both = setmetatable({}, { __mode = "kv" })
  local function fill()
    for n = 1, 80 do
      keys[make(n)], values[n] = make(n, 2), make(n, 3)
      both[make(n, 4)] = make(n, 5)
      values[make(n, 6)] = {}
    end
  end
  fill()
  for _ = 1, 3 do
    collectgarbage()
    check.churn()
  end
  local wrong = 0
  for n = 1, 80 do
    if keys[make(n)] ~= make(n, 2) or values[n] ~= make(n, 3) or both[make(n, 4)] ~= make(n, 5) then
      wrong = wrong + 1
    end
  end
  check.same(wrong, 0, "all there")
  check.same(check.entries(values), 80, "those with dead values are not")
end

do -- Numbers and strings convert; results are fresh each time.
  local t = {}
  for i = 1, 500 do t[tostring(i)] = i; t[tostring(i / 8)] = i / 8 end
  collectgarbage()
  local wrong = 0
  for i = 1, 500 do
    if t["" .. i] ~= i or t[("%d"):format(i)] ~= i or t[tostring(i / 8)] ~= i / 8 then wrong = wrong + 1 end
    if tonumber("0x" .. ("%x"):format(i)) ~= i or ("10" + i) ~= 10 + i then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "numbers as strings")
end

do -- utf8, pack and unpack, os and io give strings of their own.
  local s = {}
  for i = 1, 200 do s[i] = utf8.char(i * 37 + 0x80) end
  s = table.concat(s)
  collectgarbage()
  local i, wrong = 0, 0
  for _, c in utf8.codes(s) do
    i = i + 1
    if c ~= i * 37 + 0x80 then wrong = wrong + 1 end
    if i % 50 == 0 then collectgarbage() end
  end
  check.same(wrong, 0, "utf8")
  check.same(utf8.len(s), 200, "its length")
  local packed = {}
  for n = 1, 100 do packed[n] = string.pack("<i4s1z", n, make(n), "z" .. n) end
  collectgarbage()
  for n = 1, 100 do
    local a, b, c = string.unpack("<i4s1z", packed[n])
    if a ~= n or b ~= make(n) or c ~= "z" .. n then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "pack")
  local file <close> = assert(io.tmpfile())
  for n = 1, 100 do file:write(make(n):gsub("\n", " ") .. "\n") end
  file:seek("set")
  local n = 0
  for line in file:lines() do
    n = n + 1
    if n % 25 == 0 then collectgarbage() end
    if line ~= make(n):gsub("\n", " ") then wrong = wrong + 1 end
  end
  check.same(n, 100, "lines")
  check.same(wrong, 0, "their content")
  file:seek("set")
  check.same(#file:read("a"), 100 * 101 // 2 + 100, "all at once")
end

check.done("strings")
