-- luv's threads: each has a Lua state of its own, made by luaL_newstate in that thread. States of worker threads are
-- made in one thread and closed by another, when the process ends. Only made if named, as it asks that of a state.
local check = require "check"
local uv = require "luv"

do -- A work queue: functions are dumped and loaded by the workers.
  local results = {}
  local work = uv.new_work(function(n, text)
    local t, sum = {}, 0
    for i = 1, n do t[i] = { i, tostring(i) } end
    collectgarbage()
    for i = 1, n do sum = sum + t[i][1] + tonumber(t[i][2]) end
    return n, sum, text .. "!"
  end, function(n, sum, text) results[n] = { sum, text } end)
  for n = 1, 60 do work:queue(n * 10, "text " .. n) end
  collectgarbage()
  uv.run()
  local wrong = 0
  for n = 1, 60 do
    local r = results[n * 10]
    if not r or r[1] ~= n * 10 * (n * 10 + 1) or r[2] ~= "text " .. n .. "!" then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "work done by other threads")
end

do -- Threads that send messages back, while this state works and collects.
  local got, threads, closed = {}, {}, 0
  for i = 1, 4 do
    local async
    async = uv.new_async(function(text, n)
      got[#got + 1] = text
      if n == 5 then
        async:close()
        closed = closed + 1
      end
    end)
    threads[i] = uv.new_thread(function(id, async)
      local uv = require "luv"
      for n = 1, 5 do
        local t = {}
        for k = 1, 2000 do t[k] = { k, tostring(k) } end
        collectgarbage()
        async:send(("thread %d message %d"):format(id, n), n)
        uv.sleep(2)
      end
    end, i, async)
  end
  while uv.run("once") do
    collectgarbage()
    check.churn()
  end
  for i = 1, 4 do threads[i]:join() end
  check.same(closed, 4, "every thread's last message came")
  local wrong = 0
  for _, text in ipairs(got) do
    if not text:find("^thread %d message %d$") then wrong = wrong + 1 end
  end
  check.same(wrong, 0, "messages")
end
