#ifndef HF_PROTO_FLAT_H
#define HF_PROTO_FLAT_H
/* Private to proto: a short way for flat messages, whose fields are all single numbers, as those of
 * one row are. protobuf-c is general: it lists the fields that it meets before it stores them, and
 * computes a message's length before it packs it, which together costs a server more than the row
 * itself. The descriptors and structs are protobuf-c's, the bytes are the same (the format:
 * https://protobuf.dev/programming-guides/encoding/).
 *
 * Whatever is out of the ordinary is left to protobuf-c, so what is a message and what is not is
 * decided by it alone: other kinds of fields, members of a oneof, fields or wire types that are not
 * in the descriptor, field numbers over 15, numbers longer than their field, bytes that end too
 * early; and bodies longer than all fields once, since protobuf-c lists a field as often as it
 * comes, and gives up when that list outgrows the arena. */

#include "proto/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The message is in the arena. NULL: ask protobuf-c; what the arena got is of no use. */
const ProtobufCMessage *flat_decode(struct message_arena *arena,
                                    const ProtobufCMessageDescriptor *descriptor,
                                    const uint8_t *body, size_t body_bytes);

/* Encodes to `body`, which has room for `body_bytes_max`. False: ask protobuf-c; what `body` holds
 * then is of no use. */
bool flat_encode(const ProtobufCMessage *message, uint8_t *body, size_t body_bytes_max,
                 size_t *body_bytes_out);

#endif
