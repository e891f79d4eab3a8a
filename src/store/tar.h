/* SPDX-License-Identifier: Apache-2.0 */
/* Plain tar archives (POSIX.1-1988 ustar) of regular files in one folder. What is read is not trusted. */
#ifndef KRI_TAR_H
#define KRI_TAR_H

#include <stdbool.h>
#include <stdio.h>

#define KRI_TAR_NAME 64 /* with its NUL */

/* Appends a file under that name; nothing of it but name, content and size goes in. */
int kri_tar_add(FILE *tar, const char *path, const char *name);
int kri_tar_end(FILE *tar);
/* Whether a file begins as an archive does. */
bool kri_tar_is(const char *path);
/*
 * Unpacks into an empty folder what is_allowed says, read-only. KRYOS_ECORRUPT with a sentence: a name that is not
 * allowed or there twice, a link or whatever else is no file, a wrong checksum, an end too soon.
 */
int kri_tar_unpack(const char *path, const char *folder, bool (*is_allowed)(const char *name));

#endif
