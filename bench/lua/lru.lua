-- A cache that drops what was used least recently: nodes in a list of two directions and a map of keys that are strings
-- or numbers. All of it is old, and all of it is replaced in time.
--   lru.lua [REQUESTS]
local requests = tonumber((...)) or 900000

local state = 1234
local function random(limit)
  state = (state * 1103515245 + 12345) & 0x7fffffff
  return (state >> 8) % limit
end

local function new_cache(capacity)
  local ends = {}
  ends.newer, ends.older = ends, ends
  return {capacity = capacity, count = 0, nodes = {}, ends = ends}
end

local function unlink(node)
  node.newer.older, node.older.newer = node.older, node.newer
end

local function link_newest(cache, node)
  local ends = cache.ends
  local second = ends.older
  node.newer, node.older = ends, second
  second.newer, ends.older = node, node
end

local function get(cache, key)
  local node = cache.nodes[key]
  if not node then return nil end
  unlink(node)
  link_newest(cache, node)
  return node.value
end

local function put(cache, key, value)
  if cache.count == cache.capacity then
    local oldest = cache.ends.newer
    unlink(oldest)
    cache.nodes[oldest.key] = nil
    cache.count = cache.count - 1
  end
  local node = {key = key, value = value}
  cache.nodes[key] = node
  link_newest(cache, node)
  cache.count = cache.count + 1
end

-- Some keys are asked for often, most seldom.
local function next_key()
  local number = random(4) == 0 and random(60000) or random(12000)
  if number % 3 == 0 then return "user-" .. number end
  return number
end

local cache = new_cache(15000)
local sum, hits = 0, 0
for request = 1, requests do
  local key = next_key()
  local value = get(cache, key)
  if value then
    hits = hits + 1
    sum = (sum * 31 + value.made) & 0xffffffff
  else
    put(cache, key, {made = request, text = "value " .. request})
  end
end
print("checksum=" .. (sum * 31 + hits & 0xffffffff))
