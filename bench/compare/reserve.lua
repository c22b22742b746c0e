-- The reservation that Holdfast makes, on Redis: idempotency key, item exists, per-buyer limit,
-- deduct, next sequence number, hold with an expiry index. One call to read everything and two to
-- write it: the fewest that do the job (one hash per item holds its counters, its buyers and its
-- reservations), and whatever the caller can prepare comes ready as an argument.
--
-- KEYS  1 item hash   2 the item's expiry index
-- ARGV  1 buyer field   2 reservation field   3 quantity   4 expires, in ms since 1970
--
-- Answers {result, sequence, available, expires}; results are numbered as in holdfast.v1.Result.

local found = redis.call('HMGET', KEYS[1], 'available', 'limit', 'sequence', ARGV[1], ARGV[2])
if not found[1] then
    return {4, 0, 0, 0}
end
local available = tonumber(found[1])
if found[5] then
    local quantity, sequence, expires = string.match(found[5], '(%d+):(%d+):(%d+)')
    return {2, tonumber(sequence), available, tonumber(expires)}
end
local quantity = tonumber(ARGV[3])
local bought = (tonumber(found[4]) or 0) + quantity
if bought > tonumber(found[2]) then
    return {10, 0, available, 0}
end
if quantity > available then
    return {available == 0 and 8 or 9, 0, available, 0}
end
available = available - quantity
local sequence = tonumber(found[3]) + 1
redis.call('HSET', KEYS[1], 'available', available, 'sequence', sequence, ARGV[1], bought,
    ARGV[2], ARGV[3] .. ':' .. sequence .. ':' .. ARGV[4])
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[2])
return {1, sequence, available, tonumber(ARGV[4])}
