#ifndef HF_FUZZ_FRAME_REPAIR_H
#define HF_FUZZ_FRAME_REPAIR_H
/* A fuzzer can't guess a checksum. So frames are made whole before they are parsed, and the first
 * of the bytes that stand where the checksum goes says what is left as it is: bit 0 magic, 1
 * version, 2 type and the bytes that must be zero, 3 length, 4 checksum. With a zero there any 32
 * bytes become the header of a frame, which takes what follows as its body. */

#include "fuzz.h"

/* The frame at `frame`, of which `left` bytes are there, at least a header. Returns its length. */
size_t frame_repair(uint8_t *frame, size_t left, bool is_request);

/* The frames of a stream, one behind the other. */
void frame_repair_all(uint8_t *bytes, size_t length, bool is_request);

#endif
