#ifndef HF_CLI_REFUSAL_H
#define HF_CLI_REFUSAL_H
/* Why a request was refused, in the words of the command line: hf_result_text() knows neither the
 * operation nor the options. */

#include "options.h"

#include <holdfast.h>

#include <stdint.h>

enum { REFUSAL_TEXT_BYTES = 256 };

struct refusal {
    enum command command;
    hf_result result;
    hf_field invalid_field;
    uint32_t differences; /* of an item that exists: refusal_differences() */
};

/* One bit for each setting in which the item differs from what was wanted. */
uint32_t refusal_differences(const hf_item_settings *wanted, const hf_item_settings *present);

/* Such as "--hold-time must be at most 30d". For import the names are those of columns. */
void refusal_format(const struct refusal *refusal, char text_out[REFUSAL_TEXT_BYTES]);

#endif
