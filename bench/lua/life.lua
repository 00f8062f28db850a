-- Conway's game of life on a torus: tables of rows of cells, a new board for each generation.
--   life.lua [GENERATIONS]
local generations = tonumber((...)) or 5000
local width, height = 64, 64

local state = 99
local function random(limit)
  state = (state * 1103515245 + 12345) & 0x7fffffff
  return (state >> 8) % limit
end

local board = {}
for y = 1, height do
  local row = {}
  for x = 1, width do
    row[x] = random(3) == 0 and 1 or 0
  end
  board[y] = row
end

local function next_row(above, row, below)
  local result = {}
  for x = 1, width do
    local left = x > 1 and x - 1 or width
    local right = x < width and x + 1 or 1
    local around = above[left] + above[x] + above[right] + row[left] + row[right] + below[left] + below[x] + below[right]
    if around == 3 or (around == 2 and row[x] == 1) then
      result[x] = 1
    else
      result[x] = 0
    end
  end
  return result
end

local sum = 0
for _ = 1, generations do
  local following = {}
  for y = 1, height do
    following[y] = next_row(board[y > 1 and y - 1 or height], board[y], board[y < height and y + 1 or 1])
  end
  board = following
  local alive = 0
  for y = 1, height do
    for x = 1, width do
      alive = alive + board[y][x]
    end
  end
  sum = (sum * 31 + alive) & 0xffffffff
end
print("checksum=" .. sum)
