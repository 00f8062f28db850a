-- A random graph of objects, changed at random and compared all the time with a shadow that is made of numbers only,
-- which no collector can spoil.
--
--   random-graph.lua [SEED [STEPS]]
--
-- What the graph is made of stands in random-kinds.lua. What the shadow knows: which objects are reachable, hence what
-- must be alive, what a full collection must have collected, cut out of weak tables and finalized.
--
-- The course depends on the seed alone, not on when collections happen: nothing is ever read from a weak reference
-- but to compare it, and finalizers only put their objects into the graveyard, which is looked through at fixed times.
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local check = require "check"
local graph = require "random-kinds"

local seed, steps = tonumber(arg[1]) or 1, tonumber(arg[2]) or 4000
local random = graph.random
graph.seed(seed)
print(("random-graph: seed %d, %d steps"):format(seed, steps))

local kinds, cells, kind, base = graph.kinds, graph.cells, graph.kind, graph.base
local is_node, identify, value_of = graph.is_node, graph.identify, graph.value_of

-- Roots. Each area is a sort of place that Lua code may keep a reference in. root[i] is the shadow's reference.
local areas, root, per_area = {}, {}, 7

do
  local t = {}
  areas[1] = { get = function(i) return t[i] end, set = function(i, v) t[i] = v end }

  local registry = debug.getregistry()
  areas[2] = {
    get = function(i) return registry["random-graph " .. i] end,
    set = function(i, v) registry["random-graph " .. i] = v end,
  }

  local closures = {}
  for i = 1, per_area do
    local u
    closures[i] = function() return u end
  end
  areas[3] = { get = function(i) return closures[i]() end, set = function(i, v) debug.setupvalue(closures[i], 1, v) end }

  local co = coroutine.create(function()
    local a, b, c, d, e, f, g
    while true do coroutine.yield(a, b, c, d, e, f, g) end
  end)
  coroutine.resume(co)
  areas[4] = {
    get = function(i) return (select(i + 1, coroutine.resume(co))) end,
    set = function(i, v) debug.setlocal(co, 1, i, v) end,
  }
  areas[5] = {
    get = function(i) return _G["random_root_" .. i] end,
    set = function(i, v) _G["random_root_" .. i] = v end,
  }
end
local root_count = #areas * per_area
for r = 1, root_count do root[r] = 0 end

local function root_get(r) return areas[(r - 1) // per_area + 1].get((r - 1) % per_area + 1) end
local function root_set(r, value, ref)
  areas[(r - 1) // per_area + 1].set((r - 1) % per_area + 1, value)
  root[r] = ref
end

-- `object` was reached where the shadow says `id`.
local function verify(object, id)
  check(rawequal(graph.index[id], object), "the object at this place is another one or was cut from a weak table")
  check(identify(object) == id, "the object says that it is another one")
end

-- A random walk along strong references. Returns an object and its id, or nil.
local function walk()
  local r = random(root_count)
  local id = root[r]
  if not is_node(id) then return nil end
  local object = root_get(r)
  verify(object, id)
  for _ = 1, random(12) - 1 do
    local k = kinds[kind[id]]
    local ref, i = 0, 0
    if k.slots > 0 and not k.weak then
      for _ = 1, 3 do
        i = random(k.slots)
        ref = cells[base[id] + i]
        if is_node(ref) then break end
      end
    end
    if not is_node(ref) then break end
    object, id = k.get(object, i, id), ref
    verify(object, id)
  end
  return object, id
end

-- Something to store: an object, a string, a number.
local function anything()
  local choice = random(10)
  if choice <= 7 then
    local object, id = walk()
    if object then return object, id end
  end
  local ref = choice == 8 and graph.number(random(1000)) or -random(3000)
  return value_of(ref), ref
end

-- Stores a value in some slot of the object, an empty one if it finds one soon; or in a pair of a table.
local function attach(object, id, value, ref)
  local k = kinds[kind[id]]
  if k.map then
    local pair = random(k.slots // 2)
    if random(2) == 1 then
      graph.set_pair(object, id, pair, value, ref, anything())
    else
      local key, key_ref = anything()
      graph.set_pair(object, id, pair, key, key_ref, value, ref)
    end
  elseif k.slots > 0 then
    local i
    for _ = 1, 4 do
      i = random(k.slots)
      if cells[base[id] + i] == 0 then break end
    end
    k.set(object, i, value)
    cells[base[id] + i] = ref
  end
end

local function detach(object, id)
  local k = kinds[kind[id]]
  if k.map then
    graph.remove_pair(object, id, random(k.slots // 2))
  elseif k.slots > 0 then
    local i = random(k.slots)
    k.set(object, i, nil)
    cells[base[id] + i] = 0
  end
end

local function mutate()
  local object, id = walk()
  if not object then return end
  local k = kinds[kind[id]]
  if k.step then
    k.step(object, id)
  elseif random(4) == 1 then
    detach(object, id)
  else
    attach(object, id, anything())
  end
end

local function create()
  for _, made in ipairs(graph.create()) do
    local object, id = walk()
    if object and random(15) > 1 then
      attach(object, id, made[1], made[2])
    else
      root_set(random(root_count), made[1], made[2])
    end
  end
end

local stopped_until = 0
local collector = {
  function() collectgarbage("step") end,
  function() collectgarbage("step", random(40)) end,
  function() collectgarbage() end,
  function() collectgarbage("generational", random(50), random(200)) end,
  function() collectgarbage("incremental", 50 + random(300), 100 + random(400), 4 + random(10)) end,
  function() collectgarbage("incremental", 100, 4 * random(10), 4 + random(4)) end, -- steps of an object or a few
  function() for _ = 1, random(100) do collectgarbage("step") end end,
  function(now)
    collectgarbage("stop")
    stopped_until = now + random(30)
  end,
  function() check.churn(random(60)) end,
}

-- What the shadow can reach: from the roots, and from `more` (a list of ids).
local function reachable(more)
  local seen, work, maps = {}, {}, {}
  local function reach(ref)
    if is_node(ref) and not seen[ref] then
      seen[ref] = true
      work[#work + 1] = ref
    end
  end
  for r = 1, root_count do reach(root[r]) end
  for _, id in ipairs(more) do reach(id) end
  local progress
  repeat
    while #work > 0 do
      local id = table.remove(work)
      local k, b = kinds[kind[id]], base[id]
      if k.weak == "k" then
        maps[#maps + 1] = id
      elseif not k.weak then
        for i = 1, k.slots do reach(cells[b + i]) end
      end
    end
    progress = false
    for _, id in ipairs(maps) do
      local b = base[id]
      for i = 1, kinds[kind[id]].slots, 2 do
        local key, value = cells[b + i], cells[b + i + 1]
        if key ~= 0 and (not is_node(key) or seen[key]) and is_node(value) and not seen[value] then
          reach(value)
          progress = true
        end
      end
    end
  until not progress
  return seen
end

-- Walks the real objects along the shadow, from the roots and from `more` (id to object). Returns them by id, having
-- compared everything on the way.
local function traverse(more)
  local objects, work, maps, done = {}, {}, {}, {}
  local function reach(object, ref)
    if not is_node(ref) then
      check(identify(object) == ref, "a string, number or nil differs")
    elseif not objects[ref] then
      check(identify(object) == ref, "another object is here")
      objects[ref] = object
      work[#work + 1] = ref
    else
      check(rawequal(objects[ref], object), "one object became two")
    end
  end
  for r = 1, root_count do reach(root_get(r), root[r]) end
  for id, object in pairs(more) do
    objects[id] = object
    work[#work + 1] = id
  end
  local progress
  repeat
    while #work > 0 do
      local id = table.remove(work)
      local k, object, b = kinds[kind[id]], objects[id], base[id]
      if k.weak == "k" then
        maps[#maps + 1] = id
      elseif not k.weak then
        for i = 1, k.slots do
          if not k.map or cells[b + i] ~= 0 then reach(k.get(object, i, id), cells[b + i]) end
        end
        if k.map then check(graph.pairs_in(object) == graph.pairs_of(id), "entries in a strong table") end
      end
    end
    progress = false
    for _, id in ipairs(maps) do
      for i = 1, kinds[kind[id]].slots, 2 do
        local key, value = cells[base[id] + i], cells[base[id] + i + 1]
        if key ~= 0 and (not is_node(key) or objects[key]) and not done[id * 8 + i] then
          done[id * 8 + i], progress = true, true
          local found_key, found = graph.find(objects[id], key)
          check(found_key ~= nil and (not is_node(key) or rawequal(found_key, objects[key])), "key in an ephemeron table")
          reach(found, value)
        end
      end
    end
  until not progress
  return objects
end

-- After a full collection: weak references of the object `id`. `live`: what is reachable. `maybe`: what is reachable
-- from finalized objects, whose weak references may or may not be cut. Then forgets them, in both worlds.
local function settle_weak(object, id, live, maybe, finalized)
  local k, b = kinds[kind[id]], base[id]
  local function gone(ref) return is_node(ref) and (not maybe[ref] or finalized[ref]) end
  local function doubtful(ref) return is_node(ref) and not live[ref] end
  if k.map then
    for i = 1, k.slots, 2 do
      local key, value = cells[b + i], cells[b + i + 1]
      if key ~= 0 then
        local found_key, found = graph.find(object, key)
        local dead_key = is_node(key) and not maybe[key]
        if dead_key or k.weak == "kv" and gone(value) then
          check(found_key == nil, "an entry of a weak table should be gone")
          cells[b + i], cells[b + i + 1] = 0, 0
        elseif k.weak == "kv" and (doubtful(key) or doubtful(value)) then
          graph.remove_pair(object, id, (i + 1) // 2)
        else
          check(found_key ~= nil, "an entry of a weak table is lost")
          check(identify(found) == value, "a value of a weak table differs")
        end
      end
    end
    check(graph.pairs_in(object) == graph.pairs_of(id), "entries in a weak table")
  else
    for i = 1, k.slots do
      local ref, found = cells[b + i], k.get(object, i)
      if gone(ref) then
        check(found == nil, "a weak value should be gone")
      elseif doubtful(ref) then
        check(found == nil or identify(found) == ref, "a weak value differs")
        k.set(object, i, nil)
      else
        check(identify(found) == ref, "a weak value is lost")
      end
      if doubtful(ref) then cells[b + i] = 0 end
    end
  end
end

local function clear_weak(object, id)
  local k = kinds[kind[id]]
  if k.map then
    for pair = 1, k.slots // 2 do graph.remove_pair(object, id, pair) end
  else
    for i = 1, k.slots do
      k.set(object, i, nil)
      cells[base[id] + i] = 0
    end
  end
end

-- A few of the dead objects come back, into empty roots, and some of these are marked again.
local function resurrect(dead, objects, none)
  for _, id in ipairs(dead) do
    graph.disarm(objects[id], id)
    local r = random(root_count)
    if root[r] == 0 and random(3) > 1 and not none then
      root_set(r, objects[id], id)
      if random(2) == 1 then graph.arm(objects[id], id) end
    end
  end
end

-- A full collection, and everything that must hold after it.
local function settle(without_resurrection)
  collectgarbage()
  local live = reachable {}
  local finalized, called, right = {}, {}, true
  for _, object in ipairs(graph.take_graveyard()) do
    local id = identify(object)
    right = right and graph.armed[id] and not live[id] and not finalized[id]
    finalized[id] = object
    called[#called + 1] = id
  end
  check(right, "finalized twice, or while reachable, or not marked for it")
  -- What is dead was finalized, unless it died while an object in the graveyard held it.
  local maybe, dead = reachable(called), {}
  for id in pairs(graph.armed) do
    check(live[id] or finalized[id] or maybe[id], "dead but not finalized")
    if not live[id] then dead[#dead + 1] = id end
  end
  table.sort(dead)
  for id in pairs(kind) do
    local found, cut = graph.index[id] ~= nil, finalized[id] or not maybe[id]
    check(not (found and cut), "a dead object is in the weak index")
    check(found or not live[id], "a live object was cut from the weak index")
  end
  local objects = traverse(finalized)
  for id in pairs(maybe) do check(objects[id] ~= nil, "every object was found") end
  for id, object in pairs(objects) do
    graph.index[id] = object
    if kinds[kind[id]].weak then
      if live[id] then settle_weak(object, id, live, maybe, finalized) else clear_weak(object, id) end
    end
  end
  resurrect(dead, objects, without_resurrection)
  objects, finalized = nil, nil

  collectgarbage() -- those that were marked still, but have no __gc any more, count as finalized in this cycle
  collectgarbage()
  live = reachable {}
  check(#graph.take_graveyard() == 0, "nothing more was finalized")
  for id in pairs(kind) do
    check((graph.index[id] ~= nil) == (live[id] == true), "the weak index holds the live objects and no others")
  end
  for id, object in pairs(traverse {}) do
    if kinds[kind[id]].weak then settle_weak(object, id, live, live, {}) end
  end
  graph.forget(live)
end

local step
local function run()
  local before = collectgarbage("incremental")
  collectgarbage(before)
  for n = 1, steps do
    step = n
    local choice = random(100)
    if choice <= 45 and graph.population() < 600 then
      create()
    elseif choice <= 85 then
      mutate()
    elseif choice <= 87 then
      root_set(random(root_count), nil, 0)
    elseif choice <= 88 then
      root_set(random(root_count), anything())
    elseif choice <= 98 then
      collector[random(#collector)](n)
    elseif choice == 99 then
      traverse {}
    end
    if n >= stopped_until and not collectgarbage("isrunning") then collectgarbage("restart") end
    if n % 300 == 0 or n == steps or graph.population() >= 600 then settle() end
  end
  for r = 1, root_count do root_set(r, nil, 0) end
  settle(true)
  check(graph.population() == 0, "nothing is left")
  collectgarbage("incremental", 200, 100, 13)
  collectgarbage("generational", 20, 100)
  collectgarbage(before)
end

local ok, message = xpcall(run, function(m)
  return debug.traceback(("seed %d, step %s: %s"):format(seed, step, tostring(m)), 2)
end)
if not ok then error(message, 0) end
check.done("random-graph")
