-- Bodies that attract each other: floating-point arithmetic on fields of a few tables, nearly no allocation.
--   n-body.lua [STEPS]
local steps = tonumber((...)) or 600000

local function body(mass, x, y, z, vx, vy, vz)
  return {mass = mass, x = x, y = y, z = z, vx = vx, vy = vy, vz = vz}
end

-- A heavy one in the middle, and five light ones that circle it at different distances, tilted a little.
local bodies = {body(1000, 0, 0, 0, 0, 0, 0)}
for number = 1, 5 do
  local distance = 10.0 * number
  local speed = (1000 / distance) ^ 0.5
  bodies[number + 1] = body(0.1 * number, distance, 0, number * 0.5, 0, speed, speed * 0.05)
end

-- The middle one moves so that the sum of all momenta is zero.
local px, py, pz = 0.0, 0.0, 0.0
for _, each in ipairs(bodies) do
  px, py, pz = px + each.mass * each.vx, py + each.mass * each.vy, pz + each.mass * each.vz
end
bodies[1].vx, bodies[1].vy, bodies[1].vz = -px / bodies[1].mass, -py / bodies[1].mass, -pz / bodies[1].mass

local function advance(dt)
  local count = #bodies
  for i = 1, count do
    local a = bodies[i]
    for j = i + 1, count do
      local b = bodies[j]
      local dx, dy, dz = a.x - b.x, a.y - b.y, a.z - b.z
      local squared = dx * dx + dy * dy + dz * dz
      local pull = dt / (squared * squared ^ 0.5)
      local by_b, by_a = b.mass * pull, a.mass * pull
      a.vx, a.vy, a.vz = a.vx - dx * by_b, a.vy - dy * by_b, a.vz - dz * by_b
      b.vx, b.vy, b.vz = b.vx + dx * by_a, b.vy + dy * by_a, b.vz + dz * by_a
    end
  end
  for i = 1, count do
    local a = bodies[i]
    a.x, a.y, a.z = a.x + dt * a.vx, a.y + dt * a.vy, a.z + dt * a.vz
  end
end

local function energy()
  local sum = 0.0
  for i, a in ipairs(bodies) do
    sum = sum + 0.5 * a.mass * (a.vx * a.vx + a.vy * a.vy + a.vz * a.vz)
    for j = i + 1, #bodies do
      local b = bodies[j]
      local dx, dy, dz = a.x - b.x, a.y - b.y, a.z - b.z
      sum = sum - a.mass * b.mass / (dx * dx + dy * dy + dz * dz) ^ 0.5
    end
  end
  return sum
end

for _ = 1, steps do
  advance(0.001)
end
print(string.format("checksum=%.9f", energy()))
