-- Closures: counters that share an upvalue, curried functions, compositions, iterators, lists of callbacks.
--   closures.lua [ROUNDS]
local rounds = tonumber((...)) or 150000

local function counter(start)
  local count = start
  return function(step)
    count = count + step
    return count
  end, function()
    return count
  end
end

local function curry(a)
  return function(b)
    return function(c)
      return function(d)
        return a * 3 + b * 5 + c * 7 + d
      end
    end
  end
end

local function compose(f, g)
  return function(x) return f(g(x)) end
end

local function range(first, last)
  local at = first - 1
  return function()
    at = at + 1
    if at <= last then return at end
  end
end

local function map(iterator, change)
  return function()
    local value = iterator()
    if value then return change(value) end
  end
end

local function keep_if(iterator, test)
  return function()
    local value = iterator()
    while value and not test(value) do
      value = iterator()
    end
    return value
  end
end

-- Subscribers come and go: what they capture lives as long as they are in the list.
local subscribers, subscribers_most = {}, 20000
local function subscribe(round)
  local heard = 0
  subscribers[(round - 1) % subscribers_most + 1] = function(event)
    heard = heard + event
    return heard + round
  end
end

local sum = 0
local function add(value)
  sum = (sum * 31 + value) & 0xffffffff
end

for round = 1, rounds do
  local step, read = counter(round)
  for index = 1, 5 do step(index) end
  add(read())

  add(curry(round)(1)(2)(3))

  local f = function(x) return (x + round) & 0xffff end
  for index = 1, 8 do
    f = compose(f, function(x) return x * index & 0xffff end)
  end
  add(f(round))

  local total = 0
  for value in keep_if(map(range(1, 12), function(x) return x * x + round end), function(x) return x % 2 == 0 end) do
    total = total + value
  end
  add(total)

  subscribe(round)
  for index = 1, #subscribers, 1997 do
    add(subscribers[index](round & 7))
  end
end
print("checksum=" .. sum)
