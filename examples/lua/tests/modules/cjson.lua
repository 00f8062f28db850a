-- cjson: builds tables from C and walks them from C; its null is a light userdata.
local check = require "check"
local cjson = require "cjson"

-- Compares a decoded value with what it was made of.
local function equal(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for k, v in pairs(a) do if not equal(v, b[k]) then return false end end
  for k in pairs(b) do if a[k] == nil then return false end end
  return true
end

local function structure(depth, salt)
  if depth == 0 then return ("leaf %d \"quoted\" \\ \n \u{e9}"):format(salt) end
  local list, map = {}, { n = salt, half = salt + 0.5, yes = true, no = false, nothing = cjson.null }
  for i = 1, 4 do list[i] = structure(depth - 1, salt * 4 + i) end
  map.list = list
  map["key " .. salt] = structure(depth - 1, salt)
  return map
end

do -- Round trips of large structures.
  local original = structure(4, 1)
  local text = cjson.encode(original)
  check(#text > 20000, "large")
  for _ = 1, 3 do
    collectgarbage()
    local copy = cjson.decode(text)
    check(equal(copy, original), "decoded")
    collectgarbage("step")
    check.churn()
    check(equal(copy, original), "whole after collections")
    text = cjson.encode(copy)
  end
  original = nil
  collectgarbage()
  check(equal(cjson.decode(text), structure(4, 1)), "in the end")
end

do -- Arrays and objects that grow while they are decoded.
  local parts = {}
  for i = 1, 3000 do parts[i] = ('{"id":%d,"name":"item %d","tags":["a","b%d"],"none":null}'):format(i, i, i) end
  local list = cjson.decode("[" .. table.concat(parts, ",") .. "]")
  parts = nil
  collectgarbage()
  local wrong = 0
  for i = 1, 3000 do
    local t = list[i]
    if t.id ~= i or t.name ~= "item " .. i or t.tags[2] ~= "b" .. i or t.none ~= cjson.null then wrong = wrong + 1 end
  end
  check.same(#list, 3000, "array")
  check.same(wrong, 0, "its elements")
  local fields = {}
  for i = 1, 2000 do fields[i] = ('"key %d":%d'):format(i, i) end
  local map = cjson.decode("{" .. table.concat(fields, ",") .. "}")
  for i = 1, 2000 do if map["key " .. i] ~= i then wrong = wrong + 1 end end
  check.same(wrong, 0, "object")
end

do -- null is one light userdata, in weak tables, too.
  local t = cjson.decode('[null, {"a": null}, null]')
  check.same(type(cjson.null), "userdata", "type of null")
  check.same(t[1], cjson.null, "null")
  check.same(t[2].a, cjson.null, "null in an object")
  local weak = setmetatable({ [cjson.null] = "null", x = cjson.null }, { __mode = "kv" })
  collectgarbage()
  check.same(weak[cjson.null], "null", "as a weak key")
  check.same(weak.x, cjson.null, "as a weak value")
  check.same(cjson.encode({ cjson.null, cjson.null }), "[null,null]", "encoded")
end

do -- Values and strings.
  check.same(cjson.encode({ 1, 2.5, "x", true, false }), '[1,2.5,"x",true,false]', "values")
  check.same(cjson.encode("a\"b\\c\n\0"), '"a\\"b\\\\c\\n\\u0000"', "escapes")
  check.same(cjson.decode('"\\u00e9\\ud834\\udd1e\\n"'), "\u{e9}\u{1d11e}\n", "unicode escapes")
  check.same(#cjson.decode(cjson.encode(("x"):rep(100000))), 100000, "a long string")
  local wrong = 0
  for i = 1, 500 do
    local s = ("%d "):format(i):rep(i % 60)
    if cjson.decode(cjson.encode({ s }))[1] ~= s then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "strings of many lengths")
end

do -- Errors leave nothing behind, and can be repeated.
  for i = 1, 50 do
    local ok, message = pcall(cjson.decode, '{"a": [1, 2, {"b": ' .. ("[1,"):rep(i % 10) .. " oops")
    if ok or not message:find("invalid token") then check(false, "bad token") end
    if i % 10 == 0 then collectgarbage() end
  end
  check.fails("Expected", cjson.decode, "[1, 2")
  check.fails("nest", cjson.decode, ("["):rep(2000) .. ("]"):rep(2000))
  check.fails("function", cjson.encode, { function() end })
  check.fails("excessively sparse", cjson.encode, { [1] = 1, [1000000] = 2 })
  local loop = {}
  loop[1] = loop
  check.fails("nest", cjson.encode, loop)
  check.fails("must be a number or string", cjson.encode, { [{}] = 1 })
  check.fails("NaN", cjson.encode, { 0 / 0 })
  check.same(cjson.encode({ "fine" }), '["fine"]', "works after errors")
end

do -- Instances of their own, and their settings.
  local instances = {}
  for i = 1, 20 do
    local j = cjson.new()
    j.encode_number_precision(i % 14 + 1)
    j.encode_keep_buffer(i % 2 == 0)
    instances[i] = j
  end
  collectgarbage()
  check.churn()
  local wrong = 0
  for i = 1, 20 do
    local digits = #instances[i].encode({ 1 / 3 }):match("3+")
    if digits ~= i % 14 + 1 then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "settings of 20 instances")
  check.same(cjson.new().decode('["x"]')[1], "x", "a temporary instance")
end

check.in_each_mode(function(mode)
  local wrong = 0
  local kept = {}
  check.age()
  for i = 1, 60 do
    kept[i % 10 + 1] = cjson.decode(cjson.encode({ i, { tostring(i), { n = i } } }))
    collectgarbage("step")
    local v = kept[(i - 5) % 10 + 1]
    if v and (v[2][1] ~= ("%d"):format(v[1]) or v[2][2].n ~= v[1]) then wrong = wrong + 1 end
  end
  check.same(wrong, 0, mode .. ": decoded into an old table")
end)
