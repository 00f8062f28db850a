-- luaposix: many small functions that return tables and strings. Nothing forks here.
local check = require "check"
local unistd, stdlib, fcntl = require "posix.unistd", require "posix.stdlib", require "posix.fcntl"
local stat, dirent, time, poll = require "posix.sys.stat", require "posix.dirent", require "posix.time", require "posix.poll"
local libgen, fnmatch, glob = require "posix.libgen", require "posix.fnmatch", require "posix.glob"

-- How many of n calls do not give what they should.
local function wrong(n, f)
  local count = 0
  for i = 1, n do
    if not f(i) then count = count + 1 end
    if i % 50 == 0 then collectgarbage() end
  end
  return count
end

do -- The process.
  local pid = unistd.getpid()
  check(pid > 0, "getpid")
  check.same(wrong(200, function() return unistd.getpid() == pid end), 0, "always the same")
  check(unistd.getppid() > 0, "getppid")
  check.same(type(unistd.getcwd()), "string", "getcwd")
end

do -- The environment, a table.
  check.same(stdlib.setenv("MIDDEN_LUA_TEST", "value"), 0, "setenv")
  check.same(wrong(100, function()
    return stdlib.getenv().MIDDEN_LUA_TEST == "value" and stdlib.getenv("MIDDEN_LUA_TEST") == "value"
  end), 0, "getenv")
  stdlib.setenv("MIDDEN_LUA_TEST", nil)
  check.same(stdlib.getenv("MIDDEN_LUA_TEST"), nil, "unset")
end

do -- Files: stat, access, directories, reading and writing by descriptors.
  local name = os.tmpname()
  local fd = assert(fcntl.open(name, fcntl.O_RDWR))
  check.same(wrong(100, function(i) return unistd.write(fd, ("%d\n"):format(i)) == #tostring(i) + 1 end), 0, "write")
  unistd.lseek(fd, 0, unistd.SEEK_SET)
  local text = unistd.read(fd, 1000)
  check.same(#text, 9 * 2 + 90 * 3 + 4, "read")
  check.same(text:sub(-7), "99\n100\n", "what was written")
  check.same(unistd.close(fd), 0, "close")
  check.same(wrong(200, function()
    local s = stat.stat(name)
    return s.st_size == 292 and stat.S_ISREG(s.st_mode) ~= 0
  end), 0, "stat")
  check.same(unistd.access(name, "r"), 0, "access")
  local missing, message = unistd.access(name .. ".missing", "r")
  check(missing == nil and message:find("No such file"), "access that fails")
  local entries = dirent.dir("/")
  check(#entries >= 3, "dir")
  local n = 0
  for entry in dirent.files("/") do n = n + (type(entry) == "string" and 1 or 0) end
  check.same(n, #entries, "files")
  for i = 1, 3000 do -- iterators left unfinished are closed by the collector
    for _ in dirent.files("/") do break end
    if i % 100 == 0 then collectgarbage() end
  end
  check.same(libgen.basename("/a/b.c"), "b.c", "basename")
  check.same(libgen.dirname("/a/b.c"), "/a", "dirname")
  check.same(unistd.unlink(name), 0, "unlink")
end

do -- Time.
  check(math.abs(time.time() - os.time()) <= 2, "time")
  check.same(wrong(200, function(i)
    local t = time.gmtime(86400 * i)
    return t.tm_year == 70 and t.tm_yday == i and time.strftime("%Y-%j", t) == ("1970-%03d"):format(i + 1)
  end), 0, "gmtime and strftime")
  local spec = time.clock_gettime(time.CLOCK_REALTIME)
  check(math.abs(spec.tv_sec - os.time()) <= 2, "clock_gettime")
end

do -- Pipes and poll.
  local r, w = unistd.pipe()
  check.same(wrong(100, function(i)
    unistd.write(w, "message " .. i)
    return poll.rpoll(r, 1000) == 1 and unistd.read(r, 100) == "message " .. i
  end), 0, "messages through a pipe")
  check.same(poll.rpoll(r, 0), 0, "nothing more")
  unistd.close(r)
  unistd.close(w)
end

check(#glob.glob("/*") > 0, "glob")
check.same(fnmatch.fnmatch("*.lua", "x.lua"), 0, "fnmatch")
check(fnmatch.fnmatch("*.lua", "x.c") ~= 0, "fnmatch that fails")
