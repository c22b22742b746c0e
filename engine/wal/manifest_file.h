#ifndef HF_WAL_MANIFEST_FILE_H
#define HF_WAL_MANIFEST_FILE_H
/* Private to the room: the file MANIFEST at the top of a data directory, or of an archive.
 * Blocking. On failure `message_out` (512 bytes) tells why. */

#include "io/io.h"
#include "log/manifest.h"
#include "wal/data_directory.h"

/* Replaces FOLDER/MANIFEST as a whole; it and its name are on disk when this returns. */
enum data_directory_status manifest_file_write(struct io *io, const char *folder,
                                               const struct log_manifest *manifest,
                                               char *message_out);

/* Reads FOLDER/MANIFEST. */
enum data_directory_status manifest_file_read(struct io *io, const char *folder,
                                              struct log_manifest *manifest_out, char *message_out);

#endif
