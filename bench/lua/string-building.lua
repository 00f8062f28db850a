-- Strings made in all of Lua's ways: joined one by one, with table.concat, string.format, gsub, rep, sub and case
-- mapping; short ones, which Lua interns, and long ones. A ring of some stays alive.
--   string-building.lua [ROUNDS]
local rounds = tonumber((...)) or 8000

local state = 42
local function random(limit)
  state = (state * 1103515245 + 12345) & 0x7fffffff
  return (state >> 8) % limit
end

local sum = 0
local function add(text)
  local length = #text
  sum = (sum * 31 + length) & 0xffffffff
  for at = 1, length, 1 + length // 8 do
    sum = (sum * 31 + text:byte(at)) & 0xffffffff
  end
end

local ring, ring_size = {}, 3000
local function keep(text)
  ring[1 + random(ring_size)] = text
  add(text)
end

local function word()
  local text = ""
  for _ = 1, 2 + random(6) do
    text = text .. string.char(97 + random(26))
  end
  return text
end

local function report(number)
  local lines = {}
  for row = 1, 40 do
    lines[row] = string.format("%5d %-10s %8.3f|%s", number * 40 + row, word(), random(100000) / 7, ("-"):rep(row % 5))
  end
  return table.concat(lines, "\n")
end

local function fill_in(template, values)
  return (template:gsub("%$(%w+)", values))
end

local template = "Dear $title $name,\nyour order of $count $thing has left $place.\n"
for round = 1, rounds do
  local text = report(round)
  keep(text)
  keep(text:gsub("%d+", function(digits) return "<" .. digits .. ">" end))
  keep(text:sub(round % 100 + 1, -20):upper())

  local values = {title = "Dr", name = word(), count = tostring(random(1000)), thing = word(), place = word()}
  local letter = fill_in(template, values)
  keep(letter)
  keep(letter:reverse():rep(8, "~"))

  local joined = ""
  for index = 1, 60 do
    joined = joined .. index .. ":" .. word() .. ","
  end
  keep(joined)

  local parts = {}
  for key, value in joined:gmatch("(%d+):(%a+)") do
    parts[#parts + 1] = value .. "=" .. key
  end
  keep(table.concat(parts, "&"))
end
for index = 1, ring_size do
  if ring[index] then add(ring[index]) end
end
print("checksum=" .. sum)
