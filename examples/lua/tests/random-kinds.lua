-- The objects of random-graph.lua and their shadow.
--
-- A reference is a number: 0 for nil, the id of an object, the negative number of a string, or a large number that
-- stands for a number. The shadow of an object is its kind and its cells: cells[base + i] is what slot i refers to.
-- Closures over the same variables have the same cells, as have coroutines and closures over their locals.
local graph = {
  kinds = {}, -- descriptions, below
  kind = {}, -- by id
  base = {}, -- by id
  cells = {},
  armed = {}, -- ids of objects that are marked for finalization
  index = setmetatable({}, { __mode = "v" }), -- the objects themselves, by id
}
local kinds, cells, kind, base = graph.kinds, graph.cells, graph.kind, graph.base

-- A generator of our own: the same numbers everywhere.
local state = 1
function graph.seed(seed)
  state = seed % 2147483647
  for _ = 1, 10 do graph.random(10) end
end
function graph.random(n)
  state = (state * 1103515245 + 12345) % 2147483648
  return state // 256 % n + 1
end
local random = graph.random

local NUMBER = 1 << 40
function graph.number(n) return NUMBER + n end
function graph.is_node(ref) return ref > 0 and ref < NUMBER end
local is_node = graph.is_node

-- Strings of all lengths around the limit between short and long ones; every call makes them anew.
local function string_of(n)
  return ("s%d:"):format(n) .. ("%d,"):format(n % 7):rep(n % 5 == 0 and 100 + n % 50 or n % 25)
end

function graph.value_of(ref)
  if ref == 0 then return nil end
  if ref >= NUMBER then return ref - NUMBER + ((ref & 1) == 1 and 0.5 or 0) end
  return string_of(-ref)
end

-- Ids of objects that cannot say it themselves.
local ids = setmetatable({}, { __mode = "k" })

function graph.identify(value)
  local sort = type(value)
  if sort == "nil" then
    return 0
  elseif sort == "table" then
    return rawget(value, "id")
  elseif sort == "function" then
    return ids[value] or value("id")
  elseif sort == "thread" then
    return select(2, coroutine.resume(value, "id"))
  elseif sort == "number" then
    return NUMBER + math.tointeger(value // 1)
  elseif sort == "string" then
    local n = tonumber(value:match("^s(%d+):"))
    if n and string_of(n) == value then return -n end
  end
  error("what is this: " .. tostring(value))
end
local identify = graph.identify

-- Kinds: name, number of slots, make(id), get(object, i, id), set(object, i, value); weak: its __mode; map: slots are
-- pairs of key and value, get needs the id and a strong table.
local function define(description)
  kinds[#kinds + 1] = description
  kinds[description.name] = #kinds
end

define {
  name = "array",
  slots = 4,
  make = function(id) return { nil, nil, nil, nil, id = id } end,
  get = function(t, i) return t[i] end,
  set = function(t, i, v) t[i] = v end,
}

local names = { "first", "second", "third", "fourth", "fifth" }
define {
  name = "record",
  slots = 5,
  make = function(id) return { id = id } end,
  get = function(t, i) return t[names[i]] end,
  set = function(t, i, v) rawset(t, names[i], v) end,
}

define { -- slot 1 is in the metatable, a new one for each value
  name = "meta",
  slots = 2,
  make = function(id) return { id = id } end,
  get = function(t, i) return t[names[i]] end,
  set = function(t, i, v)
    if i == 2 then t.second = v else setmetatable(t, v ~= nil and { __index = { first = v } } or nil) end
  end,
}

local graveyard = {}
local finalizable = { __gc = function(o) graveyard[#graveyard + 1] = o end }
function graph.arm(object, id)
  setmetatable(object, finalizable)
  graph.armed[id] = true
end
function graph.disarm(object, id)
  setmetatable(object, nil)
  graph.armed[id] = nil
end
function graph.take_graveyard()
  local taken = graveyard
  graveyard = {}
  return taken
end
define {
  name = "finalizable",
  slots = 2,
  make = function(id)
    local t = { id = id }
    graph.arm(t, id)
    return t
  end,
  get = function(t, i) return t[i] end,
  set = function(t, i, v) t[i] = v end,
}

-- Closures over three shared variables. `made` gets pairs of object and id.
local function closures_over(ids_wanted, a, b, c)
  local list = {}
  for i, id in ipairs(ids_wanted) do
    list[i] = function(what, slot, value)
      if what == "id" then return id end
      if what == "get" then
        if slot == 1 then return a elseif slot == 2 then return b else return c end
      end
      if slot == 1 then a = value elseif slot == 2 then b = value else c = value end
    end
  end
  return table.unpack(list)
end
define {
  name = "closure",
  slots = 3,
  make = closures_over,
  get = function(f, i) return f("get", i) end,
  set = function(f, i, v) f("set", i, v) end,
}

-- A coroutine with three locals, some frames deep, and closures over the locals. Nothing else may stay on its stack.
local function coroutine_body(id, depth, ids_wanted)
  if depth > 0 then
    local pad = { depth }
    local result = coroutine_body(id, depth - 1, ids_wanted)
    return result + pad[1]
  end
  local a, b, c
  local function closures()
    local list = {}
    for i, other in ipairs(ids_wanted) do
      list[i] = function(what, slot, value)
        if what == "id" then return other end
        if what == "get" then
          if slot == 1 then return a elseif slot == 2 then return b else return c end
        end
        if slot == 1 then a = value elseif slot == 2 then b = value else c = value end
      end
    end
    return table.unpack(list)
  end
  local what, slot, value = coroutine.yield(closures())
  while true do
    if what == "id" then
      what, slot, value = coroutine.yield(id)
    elseif what == "get" then
      if slot == 1 then
        what, slot, value = coroutine.yield(a)
      elseif slot == 2 then
        what, slot, value = coroutine.yield(b)
      else
        what, slot, value = coroutine.yield(c)
      end
    else
      if slot == 1 then a = value elseif slot == 2 then b = value else c = value end
      value = nil
      what, slot, value = coroutine.yield()
    end
  end
end
define {
  name = "coroutine",
  slots = 3,
  make = function(id, ids_wanted)
    local co = coroutine.create(coroutine_body)
    return co, select(2, coroutine.resume(co, id, random(6) - 1, ids_wanted))
  end,
  get = function(co, i) return select(2, coroutine.resume(co, "get", i)) end,
  set = function(co, i, v) coroutine.resume(co, "set", i, v) end,
}

define { -- a C closure with a state that moves on
  name = "iterator",
  slots = 0,
  make = function(id)
    local words = {}
    for i = 1, 30 do words[i] = id * 100 + i end
    local f = table.concat(words, " "):gmatch("%d+")
    ids[f] = id
    return f
  end,
  step = function(f, id)
    local at = cells[base[id] + 1]
    if at < 30 then
      local word = f()
      if word ~= tostring(id * 100 + at + 1) then error("an iterator went astray: " .. tostring(word)) end
      cells[base[id] + 1] = at + 1
    end
  end,
}

define {
  name = "weak values",
  slots = 4,
  weak = "v",
  make = function(id) return setmetatable({ nil, nil, nil, nil, id = id }, { __mode = "v" }) end,
  get = function(t, i) return t[i] end,
  set = function(t, i, v) t[i] = v end,
}

-- Tables with objects as keys. The entry for the reference `key`: its key and value, or nil.
function graph.find(t, key)
  for k, v in pairs(t) do
    if k ~= "id" and identify(k) == key then return k, v end
  end
end
local find = graph.find

local function map(name, weak)
  define {
    name = name,
    slots = 6,
    weak = weak,
    map = true,
    make = function(id) return setmetatable({ id = id }, weak and { __mode = weak }) end,
    get = function(t, i, id)
      local b = base[id]
      local k, v = find(t, cells[b + (i - 1 | 1)])
      if k ~= nil and not rawequal(t[k], v) then error("a key is not found by its hash") end
      if i % 2 == 1 then return k else return v end
    end,
  }
end
map("map")
map("ephemeron", "k")
map("weak map", "kv")

function graph.remove_pair(t, id, pair)
  local at = base[id] + 2 * pair - 1
  if cells[at] ~= 0 then
    local k = find(t, cells[at])
    if k ~= nil then t[k] = nil end
    cells[at], cells[at + 1] = 0, 0
  end
end

function graph.set_pair(t, id, pair, key, key_ref, value, value_ref)
  local b = base[id]
  for i = 1, kinds[kind[id]].slots // 2 do
    if cells[b + 2 * i - 1] == key_ref then pair = i end
  end
  if cells[b + 2 * pair - 1] ~= key_ref then graph.remove_pair(t, id, pair) end
  t[key] = value
  cells[b + 2 * pair - 1], cells[b + 2 * pair] = key_ref, value_ref
end

-- Entries in the real table and in the shadow.
function graph.pairs_in(t)
  local n = -1 -- the field id
  for _ in pairs(t) do n = n + 1 end
  return n
end
function graph.pairs_of(id)
  local n, b = 0, base[id]
  for i = 1, kinds[kind[id]].slots, 2 do
    if cells[b + i] ~= 0 then n = n + 1 end
  end
  return n
end

local next_id, next_cell, population = 1, 0, 0
function graph.population() return population end

local function new_shadow(name, shared)
  local id = next_id
  next_id, population = id + 1, population + 1
  kind[id] = kinds[name]
  if shared then
    base[id] = shared
  else
    base[id] = next_cell
    for i = 1, 6 do cells[next_cell + i] = 0 end
    next_cell = next_cell + 6
  end
  return id
end

-- Makes a new object of a random kind, with others that share its variables. Returns a list of { object, id }.
function graph.create()
  local k = kinds[random(#kinds)]
  local id = new_shadow(k.name)
  local made, others = {}, {}
  if k.name == "closure" or k.name == "coroutine" then
    for i = 1, random(3) - 1 do others[i] = new_shadow("closure", base[id]) end
  end
  local objects
  if k.name == "closure" then
    objects = table.pack(k.make({ id, table.unpack(others) }))
  else
    objects = table.pack(k.make(id, others))
  end
  for i = 0, #others do
    made[i + 1] = { objects[i + 1], i == 0 and id or others[i] }
    graph.index[made[i + 1][2]] = objects[i + 1]
  end
  return made
end

-- Forgets the shadows of what is not live.
function graph.forget(live)
  local used = {}
  for id in pairs(live) do used[base[id]] = true end
  for id in pairs(kind) do
    if not live[id] then
      if not used[base[id]] then
        for i = 1, 6 do cells[base[id] + i] = nil end
      end
      kind[id], base[id] = nil, nil
      population = population - 1
    end
  end
end

return graph
