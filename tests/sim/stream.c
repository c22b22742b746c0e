#include "stream.h"

#include "base/assert.h"
#include "life.h"
#include "world.h"

#include <string.h>

enum { ARENA_BYTES = 2 << 20 };

static const ProtobufCMessage *decode(const struct sim_stream *stream,
                                      const struct frame_header *header)
{
    static _Alignas(16) uint8_t memory[ARENA_BYTES];
    static struct message_arena arena;
    message_arena_init(&arena, memory, sizeof memory);
    const ProtobufCMessage *message =
        message_decode(&arena, message_descriptor(header->type), stream->bytes + FRAME_HEADER_BYTES,
                       header->body_bytes);
    if (message == NULL)
        sim_fail("reply", "%s: the body of a %s is no such message", stream->owner,
                 frame_type_name(header->type));
    return message;
}

void stream_open(struct sim_stream *stream, void (*on_change)(void *context), void *context)
{
    hf_assert(stream->link == NULL);
    stream->used = 0;
    stream->server = 0;
    stream->link = sim_link_connect(on_change, context);
}

void stream_close(struct sim_stream *stream, bool is_reset)
{
    struct sim_link *link = stream->link;
    stream->link = NULL;
    stream->used = 0;
    if (link != NULL)
        sim_link_close(link, is_reset);
}

enum sim_link_state stream_state(const struct sim_stream *stream)
{
    return stream->link == NULL ? SIM_LINK_BROKEN : sim_link_state(stream->link);
}

void stream_send(struct sim_stream *stream, const uint8_t *bytes, uint32_t bytes_count)
{
    if (stream->server == 0) /* the first words, as soon as somebody listens */
        stream->server = life_number();
    sim_link_send(stream->link, bytes, bytes_count);
}

static void receive(struct sim_stream *stream)
{
    uint32_t got;
    do {
        got = sim_link_receive(stream->link, stream->bytes + stream->used,
                               STREAM_BYTES_MAX - stream->used);
        stream->used += got;
    } while (got > 0 && stream->used < STREAM_BYTES_MAX);
}

const ProtobufCMessage *stream_next(struct sim_stream *stream, struct frame_header *header_out)
{
    size_t need_bytes;
    if (stream->link == NULL)
        return NULL;
    receive(stream);
    enum frame_status status = frame_parse(stream->bytes, stream->used, FRAME_BODY_BYTES_MAX, false,
                                           header_out, &need_bytes);
    if (status == FRAME_INCOMPLETE) {
        bool is_over = sim_link_state(stream->link) == SIM_LINK_ENDED;
        if (is_over && stream->used > 0 && !life_was_asked_to_stop(stream->server))
            sim_fail("reply", "%s: the stream ends in the middle of a frame", stream->owner);
        return NULL;
    }
    if (status != FRAME_OK)
        sim_fail("reply", "%s: %s", stream->owner, frame_status_text(status));
    const ProtobufCMessage *message = decode(stream, header_out);
    stream->used -= (uint32_t)need_bytes;
    memmove(stream->bytes, stream->bytes + need_bytes, stream->used);
    return message;
}
