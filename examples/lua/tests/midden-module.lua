-- require "midden": the heap of the state that runs, from Lua.
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local check = require "check"
local midden = require "midden"

-- Figures are the heap's, and grow with what is allocated.
local before = midden.statistics()
local kept = {}
for i = 1, 2000 do kept[i] = { i } end
collectgarbage()
local after = midden.statistics()
check(after.collections > before.collections, "a collection counts")
check(after.live_objects >= before.live_objects + 2000, "tables are objects of the heap")
check(after.block_bytes > before.block_bytes, "arrays are blocks of the heap")
check(after.objects_moved > 0, "copying moves")

-- What collectgarbage counts is what the heap has handed out: cells, and for buffers at most their blocks.
local count, figures = collectgarbage("count") * 1024, midden.statistics()
check(count <= figures.used_bytes + figures.block_bytes + 8192, "the count is not more than what is in use")
check(count >= figures.used_bytes, "and all objects are in it")

-- Another collector for the state that runs, any number of times.
for _, collector in ipairs { "mark-sweep", "mark-compact", "copying", "mark-sweep" } do
  check(midden.use(collector) == true, collector)
  check(midden.options():find("collector=" .. collector, 1, true), "the options say " .. collector)
  local moved = midden.statistics().objects_moved
  for i = 1, 200 do kept[i * 10] = { kept[i * 10] } end
  collectgarbage()
  check(midden.verify() == true, "sound under " .. collector)
  if collector == "mark-sweep" then check(midden.statistics().objects_moved == moved, "mark-sweep moves nothing") end
end
for i = 1, 2000 do
  local value = kept[i]
  while type(value[1]) == "table" do value = value[1] end
  check(value[1] == i, "what is kept is intact")
end
local fine, message = midden.use("mark-swoop")
check(fine == nil and message:find("mark%-swoop"), "a collector that there is not")

-- Tools.
secret_of_the_module_test = { "found" }
check(midden.why(secret_of_the_module_test):find("table"), "a path leads to a global table")
local path = os.tmpname()
check(midden.snapshot(path) == true, "a snapshot")
local file = io.open(path)
check(file:read("a"):find('"snapshot"', 1, true), "is written")
file:close()
check(midden.map(path) == true, "a map")
os.remove(path)
check(midden.snapshot("/no/such/folder/x") == nil, "a path that cannot be written")
check(#midden.doctor() > 0, "the doctor says something")
check(math.type(midden.trim()) == "integer", "free pages go back")
check.done("midden-module")
