/* Frames: frame_parse() on a stream of bytes.
 *
 * The input: flags, how the stream is cut, and the stream.
 *
 *      0  bit 0: frames of clients, else of servers; bit 1: repair; bits 2, 3: the largest body
 *      1  seed of the cuts
 *      2  the stream
 *
 * With "repair" each frame is made whole before it is parsed (frame_repair.h).
 *
 * Promises:
 *   - The verdict on the head of the stream is the one of a slow and obvious parser written here.
 *   - A stream cut anywhere gives the same frames and the same end as the whole.
 *   - What is waited for is more than what is there and no more than the limit allows.
 *   - A frame taken apart and finished again has the same bytes. */

#include "frame_repair.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "proto/frame.h"
#include "random.h"

enum { STREAM_BYTES_MAX = 1 << 16 };

static const uint8_t request_types[] = {
#define NUMBER(name, number, message) number,
    FRAME_TYPES(NUMBER)
#undef NUMBER
};
enum { REQUEST_TYPE_COUNT = sizeof request_types };

struct stream {
    const uint8_t *bytes;
    size_t length;
    uint32_t body_bytes_max;
    bool is_request;
};

/* ---- the obvious parser ---- */

static bool is_legal_type(uint8_t type, bool is_request)
{
    if (!is_request && (type == FRAME_ERROR || type == FRAME_GO_AWAY))
        return true;
    for (size_t i = 0; i < REQUEST_TYPE_COUNT; i++)
        if (type == request_types[i] + (is_request ? 0 : FRAME_REPLY))
            return true;
    return false;
}

static enum frame_status expected_status(const struct stream *stream, size_t at, size_t end)
{
    const uint8_t *frame = stream->bytes + at;
    size_t have_bytes = end - at;
    if (have_bytes < FRAME_HEADER_BYTES)
        return FRAME_INCOMPLETE;
    if (memcmp(frame + 8, "HFP1", 4) != 0)
        return FRAME_BAD_MAGIC;
    if (frame[12] != 1)
        return FRAME_BAD_VERSION;
    if (!is_legal_type(frame[13], stream->is_request) || frame[14] || frame[15] || frame[20] ||
        frame[21] || frame[22] || frame[23])
        return FRAME_BAD_TYPE;
    uint64_t body_bytes = frame[16] | frame[17] << 8 | frame[18] << 16 | (uint64_t)frame[19] << 24;
    if (body_bytes > stream->body_bytes_max)
        return FRAME_BAD_LENGTH;
    if (have_bytes < FRAME_HEADER_BYTES + body_bytes)
        return FRAME_INCOMPLETE;
    uint64_t checksum = checksum64(frame + 8, FRAME_HEADER_BYTES - 8 + body_bytes, 0);
    return bytes_get_u64(frame) == checksum ? FRAME_OK : FRAME_BAD_CHECKSUM;
}

/* ---- the checks ---- */

static void check_rebuilt(const uint8_t *frame, size_t frame_bytes,
                          const struct frame_header *header)
{
    static uint8_t again[STREAM_BYTES_MAX];
    hf_assert(frame_bytes == FRAME_HEADER_BYTES + (size_t)header->body_bytes);
    memset(again, 0xa5, FRAME_HEADER_BYTES);
    memcpy(again + FRAME_HEADER_BYTES, frame + FRAME_HEADER_BYTES, header->body_bytes);
    frame_finish(again, header->type, header->request_id, header->body_bytes);
    hf_assert(memcmp(again, frame, frame_bytes) == 0);
    hf_assert(header->checksum == bytes_get_u64(frame));
    hf_assert(strcmp(frame_type_name(header->type), "?") != 0);
}

/* What the receiver that has the bytes from `at` to `end` is told. Returns the frame's length, or 0
 * when none came. */
static size_t parse_head(const struct stream *stream, size_t at, size_t end,
                         enum frame_status *status_out)
{
    struct frame_header header;
    size_t need_bytes = 0;
    size_t have_bytes = end - at;
    *status_out = frame_parse(stream->bytes + at, have_bytes, stream->body_bytes_max,
                              stream->is_request, &header, &need_bytes);
    hf_assert(*status_out == expected_status(stream, at, end));
    hf_assert(strcmp(frame_status_text(*status_out), "?") != 0);
    if (*status_out == FRAME_INCOMPLETE) {
        hf_assert(need_bytes > have_bytes);
        hf_assert(need_bytes <= FRAME_HEADER_BYTES + (size_t)stream->body_bytes_max);
    }
    if (*status_out != FRAME_OK)
        return 0;
    hf_assert(need_bytes <= have_bytes);
    check_rebuilt(stream->bytes + at, need_bytes, &header);
    return need_bytes;
}

/* Takes frames until none comes; returns where that is. */
static size_t parse_all(const struct stream *stream, size_t at, size_t end,
                        enum frame_status *status_out)
{
    for (;;) {
        size_t frame_bytes = parse_head(stream, at, end, status_out);
        if (frame_bytes == 0)
            return at;
        at += frame_bytes;
    }
}

static void check_cut(const struct stream *stream, uint64_t seed, size_t whole_end,
                      enum frame_status whole_status)
{
    struct test_random random;
    enum frame_status status = FRAME_INCOMPLETE;
    size_t at = 0;
    size_t received = 0;
    test_random_init(&random, seed);
    while (received < stream->length && status == FRAME_INCOMPLETE) {
        uint32_t piece_max = seed % 8 == 0 ? 1 : seed % 8 == 1 ? 40 : 400;
        received += 1 + test_random_below(&random, piece_max);
        if (received > stream->length)
            received = stream->length;
        at = parse_all(stream, at, received, &status);
    }
    hf_assert(at == whole_end);
    hf_assert(status == whole_status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
    static const uint32_t body_bytes_max[] = {FRAME_BODY_BYTES_MAX, 0, 40, 1024};
    static uint8_t bytes[STREAM_BYTES_MAX];
    struct fuzz_tape tape = fuzz_tape_of(data, data_bytes);
    uint8_t flags = fuzz_take_u8(&tape);
    uint8_t seed = fuzz_take_u8(&tape);
    struct stream stream = {
        .bytes = bytes, .is_request = flags & 1, .body_bytes_max = body_bytes_max[flags >> 2 & 3]};
    const uint8_t *from = fuzz_take_bytes(&tape, sizeof bytes, &stream.length);
    if (stream.length == 0)
        return 0;
    memcpy(bytes, from, stream.length);
    FUZZ_POISON(bytes + stream.length, sizeof bytes - stream.length);
    if (flags & 2)
        frame_repair_all(bytes, stream.length, stream.is_request);

    enum frame_status status;
    size_t end = parse_all(&stream, 0, stream.length, &status);
    check_cut(&stream, seed, end, status);
    FUZZ_UNPOISON(bytes, sizeof bytes);
    return 0;
}
