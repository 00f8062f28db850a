-- All ways to place N queens on a board so that none attacks another: recursion, and arrays that are copied per step.
--   n-queens.lua [N]
local size = tonumber((...)) or 12

local function is_safe(queens, row, column)
  for other = 1, row - 1 do
    local at = queens[other]
    if at == column or at - other == column - row or at + other == column + row then return false end
  end
  return true
end

local solutions, sum = 0, 0
local function place(queens, row)
  if row > size then
    solutions = solutions + 1
    for index = 1, size do
      sum = (sum * 31 + queens[index]) & 0xffffffff
    end
    return
  end
  for column = 1, size do
    if is_safe(queens, row, column) then
      local more = table.move(queens, 1, row - 1, 1, {})
      more[row] = column
      place(more, row + 1)
    end
  end
end

place({}, 1)
print("checksum=" .. (sum * 31 + solutions & 0xffffffff))
