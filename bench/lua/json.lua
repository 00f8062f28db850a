-- A parser and a printer of JSON: a generated document is parsed, printed and parsed again.
--   json.lua [RECORDS]
local records = tonumber((...)) or 5000
local passes = 8

local state = 31
local function random(limit)
  state = (state * 1103515245 + 12345) & 0x7fffffff
  return (state >> 8) % limit
end

-- What stands for null, and marks arrays, which an empty table does not tell from objects.
local null = {}
local array_mark = {}

---- printer: keys in order, so that the text is always the same

local escapes = {
  ['"'] = '\\"', ["\\"] = "\\\\",
  ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t",
}

local function escape(character)
  return escapes[character] or string.format("\\u%04x", character:byte())
end

local print_value

local function print_string(out, text)
  out[#out + 1] = '"' .. text:gsub('[%c"\\]', escape) .. '"'
end

local function print_array(out, array)
  out[#out + 1] = "["
  for index, value in ipairs(array) do
    if index > 1 then out[#out + 1] = "," end
    print_value(out, value)
  end
  out[#out + 1] = "]"
end

local function print_object(out, object)
  local keys = {}
  for key in pairs(object) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  out[#out + 1] = "{"
  for index, key in ipairs(keys) do
    if index > 1 then out[#out + 1] = "," end
    print_string(out, key)
    out[#out + 1] = ":"
    print_value(out, object[key])
  end
  out[#out + 1] = "}"
end

function print_value(out, value)
  local kind = math.type(value) or type(value)
  if value == null then
    out[#out + 1] = "null"
  elseif kind == "string" then
    print_string(out, value)
  elseif kind == "integer" or kind == "boolean" then
    out[#out + 1] = tostring(value)
  elseif kind == "float" then
    out[#out + 1] = string.format("%.14g", value)
  elseif getmetatable(value) == array_mark then
    print_array(out, value)
  else
    print_object(out, value)
  end
end

local function encode(value)
  local out = {}
  print_value(out, value)
  return table.concat(out)
end

---- parser: each function takes the text and a position, and returns a value and the position after it

local function fail(at, what)
  error(string.format("%s expected at %d", what, at), 0)
end

local function skip(text, at)
  return text:find("[^ \t\r\n]", at) or #text + 1
end

local characters = {b = "\b", f = "\f", n = "\n", r = "\r", t = "\t"}

local function parse_string(text, at)
  local closing = text:find('["\\]', at)
  if not closing then fail(at, "end of string") end
  if text:byte(closing) == 34 then return text:sub(at, closing - 1), closing + 1 end
  local parts, from = {}, at
  while text:byte(closing) == 92 do
    parts[#parts + 1] = text:sub(from, closing - 1)
    local letter = text:sub(closing + 1, closing + 1)
    if letter == "u" then
      parts[#parts + 1] = utf8.char(tonumber(text:sub(closing + 2, closing + 5), 16))
      from = closing + 6
    else
      parts[#parts + 1] = characters[letter] or letter
      from = closing + 2
    end
    closing = text:find('["\\]', from)
    if not closing then fail(from, "end of string") end
  end
  parts[#parts + 1] = text:sub(from, closing - 1)
  return table.concat(parts), closing + 1
end

local function parse_number(text, at)
  local digits = text:match("^-?%d+%.?%d*[eE]?[+-]?%d*", at)
  if not digits then fail(at, "value") end
  return math.tointeger(digits) or tonumber(digits), at + #digits
end

local parse_value

local function parse_array(text, at)
  local array = setmetatable({}, array_mark)
  at = skip(text, at)
  if text:byte(at) == 93 then return array, at + 1 end
  local count = 0
  while true do
    count = count + 1
    array[count], at = parse_value(text, at)
    at = skip(text, at)
    local next_byte = text:byte(at)
    if next_byte == 93 then return array, at + 1 end
    if next_byte ~= 44 then fail(at, "',' or ']'") end
    at = at + 1
  end
end

local function parse_object(text, at)
  local object = {}
  at = skip(text, at)
  if text:byte(at) == 125 then return object, at + 1 end
  while true do
    at = skip(text, at)
    if text:byte(at) ~= 34 then fail(at, "key") end
    local key
    key, at = parse_string(text, at + 1)
    at = skip(text, at)
    if text:byte(at) ~= 58 then fail(at, "':'") end
    object[key], at = parse_value(text, at + 1)
    at = skip(text, at)
    local next_byte = text:byte(at)
    if next_byte == 125 then return object, at + 1 end
    if next_byte ~= 44 then fail(at, "',' or '}'") end
    at = at + 1
  end
end

local literals = {t = {"true", true}, f = {"false", false}, n = {"null", null}}

function parse_value(text, at)
  at = skip(text, at)
  local first = text:sub(at, at)
  if first == "{" then return parse_object(text, at + 1) end
  if first == "[" then return parse_array(text, at + 1) end
  if first == '"' then return parse_string(text, at + 1) end
  local literal = literals[first]
  if not literal then return parse_number(text, at) end
  if text:sub(at, at + #literal[1] - 1) ~= literal[1] then fail(at, literal[1]) end
  return literal[2], at + #literal[1]
end

local function decode(text)
  local value, at = parse_value(text, 1)
  if skip(text, at) <= #text then fail(at, "end") end
  return value
end

---- a document

local function array(...)
  return setmetatable({...}, array_mark)
end

local first_names = {"Ada", "Bertrand", "Chloé", "Dana \"D\"", "Edgar\\E", "Fay\tF"}

local function person(number)
  local tags = array()
  for tag = 1, random(5) do
    tags[tag] = "tag-" .. random(300)
  end
  return {
    id = number,
    name = first_names[random(#first_names) + 1] .. " " .. number,
    score = random(1000000) / 1000,
    active = random(2) == 0,
    manager = random(3) == 0 and null or random(number),
    tags = tags,
    address = {
      street = "Street " .. random(500),
      city = "City " .. random(50),
      position = array(random(180) - 90, random(360) / 2 - 90),
    },
    notes = ("line " .. number .. "\n"):rep(random(3)),
  }
end

local people = array()
for number = 1, records do
  people[number] = person(number)
end

local sum = 0
local text = encode({people = people, version = 1, empty = array(), nothing = {}})
people = nil
for _ = 1, passes do
  local document = decode(text)
  sum = (sum * 31 + #document.people) & 0xffffffff
  local again = encode(document)
  if again ~= text then error("the text changed") end
  for at = 1, #again, 101 do
    sum = (sum * 31 + again:byte(at)) & 0xffffffff
  end
end
print("checksum=" .. sum)
