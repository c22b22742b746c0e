#ifndef HF_BASE_ASSERT_H
#define HF_BASE_ASSERT_H
/* Assertions that stay on in release builds. They guard against mistakes of the programmer and
 * never look at bytes from outside: those are checked and answered. */

/* Prints one line to stderr and aborts. */
_Noreturn void assert_failed(const char *condition, const char *file, int line);

#define hf_assert(condition) ((condition) ? (void)0 : assert_failed(#condition, __FILE__, __LINE__))

#endif
