/* SPDX-License-Identifier: Apache-2.0 */
/* Programs under test: started with their output in files, waited for with a limit. */
#ifndef KRI_TEST_PROGRAM_H
#define KRI_TEST_PROGRAM_H

#include <sys/types.h>

struct program {
	pid_t pid;
	char out[4096], err[4096]; /* files */
};

/* Where the build put a program: built("examples/hello/hello"). Skips the test, saying so, where it is not built. */
const char *built(const char *name);
/* Starts argv; variables are "NAME=value" or "NAME" (unset), both lists end with NULL. Output goes to
 * folder. If the test dies, the program gets SIGTERM. */
void program_start(struct program *program, const char *folder, const char *const *variables, const char *const *argv);
/* Its exit status, or 128 + the signal that ended it. Fails the test, and ends the program, after ms. */
int program_wait(struct program *program, int ms);
/* SIGKILL, if it still runs: for a teardown. */
void program_end(struct program *program);
/* Starts and waits, at most 60 s. */
int program_run(struct program *program, const char *folder, const char *const *variables, const char *const *argv);
/* A whole file as text, "" if there is none; free() it. */
char *file_text(const char *path);
void write_file(const char *path, const char *text);
/* Fails the test unless the file contains text. */
void assert_file_has(const char *path, const char *text);

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

#endif
