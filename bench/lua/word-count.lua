-- Word frequencies of a large generated text: gmatch, a table of counts, a sorted list of the most frequent.
--   word-count.lua [WORDS]
local words = tonumber((...)) or 2000000
local words_per_chunk = 30000

local state = 2024
local function random(limit)
  state = (state * 1103515245 + 12345) & 0x7fffffff
  return (state >> 8) % limit
end

local syllables = {"ka", "lo", "mi", "ter", "an", "so", "ru", "bel", "ne", "vi", "dor", "sha", "un", "ge", "pa", "qui"}

-- Small numbers are frequent, and make short words.
local function word()
  local number = random(random(20000) + 1) + 1
  local text = ""
  repeat
    text = text .. syllables[number % #syllables + 1]
    number = number // #syllables
  until number == 0
  return text
end

local function chunk(count)
  local parts = {}
  for index = 1, count do
    local next_word = word()
    if random(12) == 0 then next_word = next_word:sub(1, 1):upper() .. next_word:sub(2) .. "," end
    parts[index] = next_word
  end
  return table.concat(parts, " ")
end

local counts, different = {}, 0
local function count(text)
  for found in text:gmatch("%a+") do
    found = found:lower()
    local before = counts[found]
    if not before then
      before = 0
      different = different + 1
    end
    counts[found] = before + 1
  end
end

for _ = 1, words, words_per_chunk do
  count(chunk(words_per_chunk))
end

local list = {}
for found, number in pairs(counts) do
  list[#list + 1] = {word = found, count = number}
end
table.sort(list, function(a, b)
  if a.count ~= b.count then return a.count > b.count end
  return a.word < b.word
end)

local lines = {}
for rank, entry in ipairs(list) do
  lines[rank] = string.format("%6d %7d %s", rank, entry.count, entry.word)
end
local output = table.concat(lines, "\n")
local sum = different
for at = 1, #output do
  sum = (sum * 31 + output:byte(at)) & 0xffffffff
end
print("checksum=" .. sum)
