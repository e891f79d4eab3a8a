/* SPDX-License-Identifier: Apache-2.0 */
/* A page of the documentation that is made from tables of the source: compared with what they say, or written. */
#ifndef DOC_FILE_H
#define DOC_FILE_H

#include <stddef.h>
#include <stdio.h>

/*
 * PROGRAM [--write] FILE: 0: FILE is what render() writes; 1: it is not, and the first line that differs; 2: neither
 * could be found out.
 */
int doc_file(int argc, char **argv, void (*render)(FILE *out));

#endif
