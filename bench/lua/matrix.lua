-- Multiplication of square matrices that are tables of rows, and a transposition of each right factor.
--   matrix.lua [N]
local size = tonumber((...)) or 360
local products = 3

local state = 5
local function random()
  state = (state * 1103515245 + 12345) & 0x7fffffff
  return (state >> 8) % 2001 / 1000 - 1
end

local function make(n)
  local rows = {}
  for i = 1, n do
    local row = {}
    for j = 1, n do
      row[j] = random()
    end
    rows[i] = row
  end
  return rows
end

local function transpose(a)
  local rows = {}
  for j = 1, #a[1] do
    local row = {}
    for i = 1, #a do
      row[i] = a[i][j]
    end
    rows[j] = row
  end
  return rows
end

local function multiply(a, b)
  local columns = transpose(b)
  local rows = {}
  for i = 1, #a do
    local left, row = a[i], {}
    for j = 1, #columns do
      local column, sum = columns[j], 0.0
      for k = 1, #left do
        sum = sum + left[k] * column[k]
      end
      row[j] = sum
    end
    rows[i] = row
  end
  return rows
end

local product = make(size)
for _ = 1, products do
  product = multiply(product, make(size))
end
local trace = 0.0
for i = 1, size do
  trace = trace + product[i][i]
end
print(string.format("checksum=%.9f", trace))
