#ifndef HF_COMPARE_TROUBLE_H
#define HF_COMPARE_TROUBLE_H
/* How a load ends when it can't go on. */

/* Says why, behind the program's name, and ends the program with exit code 2. */
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);

#endif
