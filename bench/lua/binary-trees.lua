-- Binary trees of many depths beside one that stays: tables of two references, most of which die young.
--   binary-trees.lua [DEPTH]
local depth_most = tonumber((...)) or 15
local depth_least = 4

local function make(depth)
  if depth == 0 then return {} end
  return {make(depth - 1), make(depth - 1)}
end

local function count(tree)
  local left = tree[1]
  if not left then return 1 end
  return 1 + count(left) + count(tree[2])
end

local sum = count(make(depth_most + 1))
local stays = make(depth_most)
for depth = depth_least, depth_most, 2 do
  local nodes = 0
  for _ = 1, 1 << (depth_most - depth + depth_least) do
    nodes = nodes + count(make(depth))
  end
  sum = (sum * 31 + nodes) & 0xffffffff
end
print("checksum=" .. (sum * 31 + count(stays) & 0xffffffff))
