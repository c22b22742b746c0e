#include "stock/code.h"

const char *stock_code_name(int code)
{
    switch (code) {
#define STOCK_CODE_CASE(name, number, text)                                                        \
    case number:                                                                                   \
        return #name;
        STOCK_CODES(STOCK_CODE_CASE)
#undef STOCK_CODE_CASE
    default:
        return "?";
    }
}
