-- C modules as distributions build them, loaded unchanged: they know Lua by its C API only.
--
--   modules.lua [NAME ...]
--
-- NAME is one of those in the list below; all of it by default. What a test does is in modules/NAME.lua. A module
-- that is not installed is skipped, and said so in a line. Debian has them as lua-lpeg, lua-cjson, lua-socket,
-- lua-posix (in Debian 12 not for Lua 5.4), lua-filesystem, lua-luv.
local here = arg[0]:match("^.*/") or "./"
package.path = here .. "?.lua;" .. package.path
local check = require "check"

-- The module of each test, and the tests that are made only if named.
local modules = {
  { "lpeg", "lpeg" }, { "cjson", "cjson" }, { "socket", "socket" }, { "posix", "posix" }, { "lfs", "lfs" },
  { "luv", "luv" }, { "luv-threads", "luv", "only if named" },
}

local version = _VERSION:match("%d+%.%d+")
for _, root in ipairs { "/usr/share", "/usr/local/share" } do
  package.path = ("%s;%s/lua/%s/?.lua;%s/lua/%s/?/init.lua"):format(package.path, root, version, root, version)
end
for _, lib in ipairs {
  "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib",
} do
  package.cpath = ("%s;%s/lua/%s/?.so"):format(package.cpath, lib, version)
end

local function installed(name)
  return package.searchpath(name, package.path) or package.searchpath(name, package.cpath)
end

local wanted = {}
for _, name in ipairs(arg) do wanted[name] = true end
local all = not next(wanted)
for _, module in ipairs(modules) do
  local name, requires, explicit = module[1], module[2], module[3]
  if wanted[name] or all and not explicit then
    wanted[name] = nil
    if installed(requires) then
      local before = check.count
      dofile(here .. "modules/" .. name .. ".lua")
      collectgarbage()
      check(check.count > before, name .. ": was tested")
      print(("%s: %d checks"):format(name, check.count - before))
    else
      print("skipped " .. name)
    end
  end
end
if next(wanted) then error("no such test: " .. next(wanted)) end
check.done("modules")
