"""What Redis does for a shared budget, in Lua: each script is one atomic step. `shared` says what for.

Keys of a workspace carry its id in braces, so that a cluster keeps them together:
`state` (hash: `run`, the server's run id for which all was built; `since`, ms; `open`; `seq:<gateway>`),
`gateways` (hash: id → ms when last heard of, those that registered since the server started), `roster` (hash: those that are
expected), and for each account a hash: gateway → all that it was granted, `#closed`, `#wanted` (ms).

A script answers `register` to a gateway that has not registered since the server started: its memory may be younger than
the server's, whose run id changes with every start, whatever it loaded from disk.
"""

from __future__ import annotations

from holdfast.gateway.rules.leases import AHEAD

_COMMON = """
local function run_id() return string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') end
local function clock() local t = redis.call('TIME'); return t[1] * 1000 + math.floor(t[2] / 1000) end
local function whole(x) return string.format('%.0f', x) end
local function number(x) return tonumber(x or '0') or 0 end
"""

REGISTER = (
    _COMMON
    + """
-- KEYS: state, gateways, roster, account... ARGV: gateway, seq, last part?, number of names, names...,
-- then for each account: expiry in ms, number of pairs, (gateway, granted)...
local state, gateways, roster = KEYS[1], KEYS[2], KEYS[3]
local me, seq, now = ARGV[1], number(ARGV[2]), clock()
local run = run_id()
if redis.call('HGET', state, 'run') ~= run then
  redis.call('DEL', state, gateways, roster)
  redis.call('HSET', state, 'run', run, 'since', whole(now))
end
local last = redis.call('HGET', state, 'seq:' .. me)
if seq <= number(last) then return {'stale', last} end
redis.call('HSET', state, 'seq:' .. me, whole(seq))
local at = 5
for _ = 1, number(ARGV[4]) do redis.call('HSETNX', roster, ARGV[at], '1'); at = at + 1 end
for k = 4, #KEYS do
  local expiry, pairs_given = ARGV[at], number(ARGV[at + 1])
  at = at + 2
  for _ = 1, pairs_given do
    if number(ARGV[at + 1]) > number(redis.call('HGET', KEYS[k], ARGV[at])) then
      redis.call('HSET', KEYS[k], ARGV[at], ARGV[at + 1])
    end
    at = at + 2
  end
  redis.call('PEXPIREAT', KEYS[k], expiry)
end
if ARGV[3] == '1' then
  redis.call('HSET', roster, me, '1')
  redis.call('HSET', gateways, me, whole(now))
end
return {'ok'}
"""
)

LEASE = (
    _COMMON
    + """
-- KEYS: state, gateways, roster, account... ARGV: gateway, seq, grace ms, patience ms, alive ms, forgotten ms, then for each
-- account: grant to set ('' for none), least grant, need, cap, expiry in ms, closed?
local state, gateways, roster = KEYS[1], KEYS[2], KEYS[3]
local me, seq, now = ARGV[1], number(ARGV[2]), clock()
if redis.call('HGET', state, 'run') ~= run_id() then return {'register'} end
if redis.call('HEXISTS', gateways, me) == 0 then return {'register'} end
local last = redis.call('HGET', state, 'seq:' .. me)
if seq <= number(last) then return {'stale', last} end
redis.call('HSET', state, 'seq:' .. me, whole(seq))
redis.call('HSET', gateways, me, whole(now))
local alive, seen = 0, {}
local all = redis.call('HGETALL', gateways)
for i = 1, #all, 2 do
  local age = now - number(all[i + 1])
  if age <= number(ARGV[5]) then alive = alive + 1 end
  if age > number(ARGV[6]) then
    redis.call('HDEL', gateways, all[i]); redis.call('HDEL', roster, all[i])
  else
    seen[all[i]] = true
  end
end
local names = redis.call('HKEYS', roster)
local open = redis.call('HGET', state, 'open') == '1'
if not open then
  local age = now - number(redis.call('HGET', state, 'since'))
  local complete = true
  for _, name in ipairs(names) do complete = complete and seen[name] end
  if age >= number(ARGV[3]) and (complete or age >= number(ARGV[4])) then
    open = true
    redis.call('HSET', state, 'open', '1')
  end
end
local answer = {'ok', open and '1' or '0', alive, names}
local at = 7
for k = 4, #KEYS do
  local set, least, need, cap, expiry, shut = unpack(ARGV, at, at + 5)
  at = at + 6
  local fields = redis.call('HGETALL', KEYS[k])
  local mine, others, closed, wanted, told = 0, 0, '0', 0, {}
  for i = 1, #fields, 2 do
    local name, value = fields[i], fields[i + 1]
    if name == me then mine = number(value)
    elseif name == '#closed' then closed = value
    elseif name == '#wanted' then wanted = number(value)
    else
      others = others + number(value)
      told[#told + 1] = name
      told[#told + 1] = value
    end
  end
  if set ~= '' then mine = number(set) end
  mine = math.max(mine, number(least))
  need = number(need)
  local remaining = number(cap) - others - mine
  if need > 0 and open then
    if remaining >= need then
      mine = mine + math.max(need, math.min(need * AHEAD, math.floor(remaining / (2 * math.max(alive, 1)))))
    else
      redis.call('HSET', KEYS[k], '#wanted', whole(now))
    end
  end
  redis.call('HSET', KEYS[k], me, whole(mine))
  if shut == '1' then
    closed = '1'
    redis.call('HSET', KEYS[k], '#closed', '1')
  end
  redis.call('PEXPIREAT', KEYS[k], expiry)
  answer[#answer + 1] = {whole(mine), closed, whole(wanted > 0 and now - wanted or -1), told}
end
return answer
""".replace("AHEAD", str(AHEAD))
)

LEAVE = (
    _COMMON
    + """
-- KEYS: state, gateways, roster. ARGV: gateway. All that it did not spend was given back before.
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
return {'ok'}
"""
)
