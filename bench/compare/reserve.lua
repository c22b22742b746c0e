-- The reservation that Holdfast makes, on Redis: idempotency key, item exists, per-buyer limit,
-- deduct, next sequence number, hold with an expiry index. One call to read everything and two to
-- write it: the fewest that do the job (one hash per item holds its counters, its buyers and its
-- reservations), and whatever the caller can prepare comes ready as an argument. One script call
-- makes one reservation or many.
--
-- KEYS  for each: item hash, the item's expiry index
-- ARGV  for each: buyer field, reservation field, quantity, expires in ms since 1970
--
-- Answers for each: result, sequence, available, expires; results are numbered as in
-- holdfast.v1.Result.

local answers = {}
for i = 1, #KEYS / 2 do
    local item, expiries = KEYS[2 * i - 1], KEYS[2 * i]
    local a = 4 * i
    local buyer, reservation, quantity, expires = ARGV[a - 3], ARGV[a - 2], ARGV[a - 1], ARGV[a]
    local found = redis.call('HMGET', item, 'available', 'limit', 'sequence', buyer, reservation)
    local available = tonumber(found[1])
    local bought = (tonumber(found[4]) or 0) + tonumber(quantity)
    local result, sequence, answered_expires = 1, 0, 0
    if not available then
        result, available = 4, 0
    elseif found[5] then
        result = 2
        sequence, answered_expires = string.match(found[5], '%d+:(%d+):(%d+)')
    elseif bought > tonumber(found[2]) then
        result = 10
    elseif tonumber(quantity) > available then
        result = available == 0 and 8 or 9
    else
        available = available - quantity
        sequence = found[3] + 1
        answered_expires = expires
        redis.call('HSET', item, 'available', available, 'sequence', sequence, buyer, bought,
            reservation, quantity .. ':' .. sequence .. ':' .. expires)
        redis.call('ZADD', expiries, expires, reservation)
    end
    answers[a - 3], answers[a - 2] = result, tonumber(sequence)
    answers[a - 1], answers[a] = available, tonumber(answered_expires)
end
return answers
