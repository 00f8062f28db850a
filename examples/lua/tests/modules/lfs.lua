-- LuaFileSystem: directory iterators are userdata with __gc and __close, in C.
local check = require "check"
local lfs = require "lfs"

local root = os.tmpname()
os.remove(root)
check.same(lfs.mkdir(root), true, "mkdir")
check.same(lfs.attributes(root, "mode"), "directory", "it is there")

local function path(name) return root .. "/" .. name end
local function create(name, text)
  local file = assert(io.open(path(name), "w"))
  file:write(text)
  file:close()
end

do -- Files and what is told of them.
  for i = 1, 40 do create(("file %d"):format(i), ("x"):rep(i)) end
  collectgarbage()
  local wrong = 0
  for i = 1, 40 do
    local a = lfs.attributes(path("file " .. i))
    if a.size ~= i or a.mode ~= "file" or type(a.modification) ~= "number" then wrong = wrong + 1 end
    if lfs.attributes(path("file " .. i), "size") ~= i then wrong = wrong + 1 end
    local reused = { size = -1, other = { i } }
    lfs.attributes(path("file " .. i), reused)
    if reused.size ~= i or reused.other[1] ~= i then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "attributes")
  check.same(lfs.attributes(path("missing")), nil, "no such file")
  local _, message, code = lfs.attributes(path("missing"))
  check(message:find("No such file") and code == 2, "error of attributes")
  check(lfs.touch(path("file 1"), 1000, 2000), "touch")
  check.same(lfs.attributes(path("file 1"), "modification"), 2000, "modification")
  check(lfs.link(path("file 2"), path("link"), true), "symbolic link")
  check.same(lfs.symlinkattributes(path("link"), "mode"), "link", "its mode")
  check.same(lfs.symlinkattributes(path("link"), "target"), path("file 2"), "its target")
  os.remove(path("link"))
end

local function names(iterator, object, control)
  local list = {}
  for name in iterator, object, control do
    if name ~= "." and name ~= ".." then list[#list + 1] = name end
    if #list % 10 == 0 then collectgarbage() end
    check.churn(1)
  end
  table.sort(list)
  return list
end

do -- Iterators: run to the end, by method, many at a time.
  local expected = {}
  for i = 1, 40 do expected[i] = "file " .. i end
  table.sort(expected)
  check.same(table.concat(names(lfs.dir(root)), ","), table.concat(expected, ","), "dir")
  local _, object = lfs.dir(root)
  local n = 0
  while object:next() do
    n = n + 1
    if n % 7 == 0 then collectgarbage() end
  end
  check.same(n, 42, "by method")
  check.fails("closed directory", function() return object:next() end)
  _, object = lfs.dir(root)
  object:next()
  object:close()
  check.fails("closed directory", function() return object:next() end)
  check.fails("No such file", lfs.dir, path("missing"))

  local iterators, wrong = {}, 0
  for i = 1, 20 do iterators[i] = table.pack(lfs.dir(root)) end
  local counts = {}
  for round = 1, 42 do
    for i = 1, 20 do
      local name = iterators[i][1](iterators[i][2])
      if name then counts[i] = (counts[i] or 0) + 1 end
    end
    if round % 10 == 0 then collectgarbage() end
  end
  for i = 1, 20 do
    if counts[i] ~= 42 or iterators[i][1](iterators[i][2]) ~= nil then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "20 at a time")
end

do -- Iterators left unfinished are closed by the collector: many more than a process may have open.
  local opened = 0
  for i = 1, 3000 do
    local ok, iterator, object = pcall(lfs.dir, root)
    if ok and iterator(object) then opened = opened + 1 end
    if i % 100 == 0 then collectgarbage() end
  end
  check.same(opened, 3000, "directories opened and dropped")
  for _ = 1, 50 do
    for _ in lfs.dir(root) do break end
  end
  local weak = setmetatable({}, { __mode = "v" })
  local function start()
    local _, object = lfs.dir(root)
    object:next()
    weak[1] = object
  end
  start()
  collectgarbage()
  check.same(weak[1], nil, "collected")
end

do -- Directories in directories, walked by coroutines.
  for i = 1, 5 do
    check(lfs.mkdir(path("d" .. i)), "subdirectory")
    for j = 1, 5 do create(("d%d/f%d"):format(i, j), ("%d"):format(i * j)) end
  end
  local function walk(directory)
    return coroutine.wrap(function()
      for name in lfs.dir(directory) do
        if name ~= "." and name ~= ".." then
          local full = directory .. "/" .. name
          coroutine.yield(full)
          if lfs.attributes(full, "mode") == "directory" then
            for inner in walk(full) do coroutine.yield(inner) end
          end
        end
      end
    end)
  end
  local n = 0
  for full in walk(root) do
    n = n + 1
    if n % 15 == 0 then collectgarbage() end
    if not lfs.attributes(full) then check(false, full) end
  end
  check.same(n, 40 + 5 + 25, "walked")
  local here = lfs.currentdir()
  check(lfs.chdir(path("d1")), "chdir")
  check.same(lfs.attributes("f2", "size"), 1, "relative")
  check(lfs.chdir(here), "and back")
  check.same(lfs.currentdir(), here, "here")
  check.same(lfs.rmdir(path("d1")), nil, "not empty")
  local lock = assert(lfs.lock_dir(root))
  check.same((lfs.lock_dir(root)), nil, "locked once only")
  lock:free()
end

for i = 1, 5 do
  for j = 1, 5 do os.remove(path(("d%d/f%d"):format(i, j))) end
  check(lfs.rmdir(path("d" .. i)), "rmdir")
end
for i = 1, 40 do os.remove(path("file " .. i)) end
check.same(lfs.rmdir(root), true, "clean")
check.same(lfs.attributes(root), nil, "gone")
