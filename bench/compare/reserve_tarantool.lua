-- The reservation that Holdfast makes, on Tarantool: tarantool reserve_tarantool.lua DIRECTORY PORT
--
-- Idempotency key, item exists, per-buyer limit, deduct, next sequence number, hold with an expiry
-- index: three tuples looked up, three written, in one transaction. Its answer leaves when the
-- transaction is in the log, and the log is written with O_SYNC; transactions that wait at the same
-- time share a write.

local directory, port = arg[1], arg[2]

box.cfg{
    wal_mode = 'fsync',
    work_dir = directory,
    listen = '127.0.0.1:' .. port,
    memtx_memory = 4 * 1024 ^ 3,
    checkpoint_interval = 0,       -- no snapshot while the load runs
    checkpoint_wal_threshold = 1e18,
    wal_max_size = 64 * 1024 ^ 3,  -- nor a second file of the log
    -- In flight at most, each in a fiber of its own. More makes a write no cheaper, and to create
    -- thousands of fibers takes longer than what they do.
    net_msg_max = 2000,
    readahead = 1024 * 1024,       -- as many requests are read at a time as there are
    too_long_threshold = 3600,     -- no warnings of slow requests
}

local items = box.schema.space.create('items', {format = {
    {'item', 'unsigned'}, {'available', 'unsigned'}, {'limit', 'unsigned'},
    {'sequence', 'unsigned'}}})
items:create_index('item', {type = 'hash', parts = {'item'}})

local buyers = box.schema.space.create('buyers', {format = {
    {'item', 'unsigned'}, {'buyer', 'unsigned'}, {'bought', 'unsigned'}}})
buyers:create_index('item_and_buyer', {type = 'hash', parts = {'item', 'buyer'}})

local reservations = box.schema.space.create('reservations', {format = {
    {'id', 'string'}, {'item', 'unsigned'}, {'buyer', 'unsigned'}, {'quantity', 'unsigned'},
    {'sequence', 'unsigned'}, {'expires', 'unsigned'}}})
reservations:create_index('id', {type = 'hash', parts = {'id'}})
reservations:create_index('expires', {type = 'tree', unique = false, parts = {'expires'}})

function create_items(count, units, limit)
    for item = 1, count do
        items:insert{item, units, limit, 0}
    end
end

-- Answers result, sequence, available, expires; results are numbered as in holdfast.v1.Result.
-- Within a transaction.
local function reserve_one(item, buyer, id, quantity, expires)
    local found = items:get(item)
    if found == nil then
        return 4, 0, 0, 0
    end
    local available, limit, sequence = found[2], found[3], found[4]
    local first = reservations:get(id)
    if first ~= nil then
        return 2, first[5], available, first[6]
    end
    local held = buyers:get{item, buyer}
    local bought = (held ~= nil and held[3] or 0) + quantity
    if bought > limit then
        return 10, 0, available, 0
    end
    if quantity > available then
        return available == 0 and 8 or 9, 0, available, 0
    end
    available, sequence = available - quantity, sequence + 1
    items:replace{item, available, limit, sequence}
    buyers:replace{item, buyer, bought}
    reservations:insert{id, item, buyer, quantity, sequence, expires}
    return 1, sequence, available, expires
end

function reserve(item, buyer, id, quantity, expires)
    box.begin()
    local result, sequence, available, until_ms = reserve_one(item, buyer, id, quantity, expires)
    box.commit()
    return result, sequence, available, until_ms
end

-- The arguments of many reservations in a row, and what each answers in a row.
function reserve_batch(rows)
    local answers = {}
    box.begin()
    for at = 0, #rows / 5 - 1 do
        local r, a = 5 * at, 4 * at
        answers[a + 1], answers[a + 2], answers[a + 3], answers[a + 4] =
            reserve_one(rows[r + 1], rows[r + 2], rows[r + 3], rows[r + 4], rows[r + 5])
    end
    box.commit()
    return answers
end

box.schema.user.grant('guest', 'read,write,execute', 'universe')
print('ready for reservations')
io.stdout:flush()
