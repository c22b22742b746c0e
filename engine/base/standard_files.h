#ifndef HF_BASE_STANDARD_FILES_H
#define HF_BASE_STANDARD_FILES_H
/* Standard input, output and error of a program that was started without some of them. */

/* Opens the null device in place of those that are closed. Else what is opened next would stand
 * there, and get what is meant for them. First thing in main(), before there are threads. */
void standard_files_open(void);

#endif
