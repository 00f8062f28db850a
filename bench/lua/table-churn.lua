-- Small tables with hash parts are made, filled, changed and dropped; arrays grow and are thrown away; sets gain and
-- lose keys. A pool of records is replaced at random, so that they die at any age.
--   table-churn.lua [RECORDS]
local records = tonumber((...)) or 900000

local state = 7
local function random(limit)
  state = (state * 1103515245 + 12345) & 0x7fffffff
  return (state >> 8) % limit
end

local sum = 0
local function add(value)
  sum = (sum * 31 + value) & 0xffffffff
end

local pool, pool_size = {}, 10000

local function make(number)
  local record = {id = number, kind = number % 7, position = {x = number & 255, y = number >> 8}}
  if record.kind == 0 then
    record.tags = {}
    for tag = 1, random(6) do
      record.tags[tag] = tag * number
    end
  elseif record.kind < 3 then
    record.parent = pool[1 + random(pool_size)]
    if record.parent then record.parent.parent = nil end -- no chains
  end
  return record
end

local function grow(length)
  local array = {}
  for index = 1, length do
    array[#array + 1] = index * index
  end
  while #array > length // 2 do
    array[#array] = nil
  end
  return array
end

local function fill_set(size)
  local set = {}
  for _ = 1, size do
    set[random(size * 4)] = true
  end
  local count = 0
  for key in pairs(set) do
    if key % 3 == 0 then
      set[key] = nil
    else
      count = count + 1
    end
  end
  return count
end

for number = 1, records do
  local slot = 1 + random(pool_size)
  local old = pool[slot]
  if old then
    add(old.id)
    if old.tags then add(#old.tags) end
  end
  pool[slot] = make(number)
  local other = pool[1 + random(pool_size)]
  if other then
    other.seen = (other.seen or 0) + 1
    other.position = {x = other.position.y, y = other.position.x, z = number & 15}
  end
  if number % 50 == 0 then
    add(#grow(random(400)))
    add(fill_set(random(60) + 1))
  end
end
local seen = 0
for slot = 1, pool_size do
  if pool[slot] then seen = seen + (pool[slot].seen or 0) end
end
add(seen)
print("checksum=" .. sum)
