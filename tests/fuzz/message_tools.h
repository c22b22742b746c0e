#ifndef HF_FUZZ_MESSAGE_TOOLS_H
#define HF_FUZZ_MESSAGE_TOOLS_H
/* Messages of any type through their protobuf-c descriptors: made from a tape, and compared. The
 * types of fields are those that proto/holdfast/v1 uses; another one is an assertion. */

#include "fuzz.h"

#include "proto/message.h"

/* Memory for one message that is made: it is reset by message_build(). */
enum { MESSAGE_BUILD_BYTES = 1 << 18, MESSAGE_BUILD_ROWS_MAX = 64 };

/* A message whose fields, column lengths and values are told by the tape: mostly such as a peer may
 * send, with columns of no, one or `row_count` elements, but also of other lengths. Valid until the
 * next call. */
const ProtobufCMessage *message_build(const ProtobufCMessageDescriptor *descriptor,
                                      struct fuzz_tape *tape, uint32_t row_count);

/* All fields are equal, unknown ones too. */
bool message_equals(const ProtobufCMessage *a, const ProtobufCMessage *b);

/* protobuf-c takes unknown fields whose number no encoder may write (0, or over 29 bits), if they
 * are spelled in more bytes than they need. Such a message can't be encoded. */
bool message_can_be_encoded(const ProtobufCMessage *message);

#endif
