/* SPDX-License-Identifier: Apache-2.0 */
/* What tests share: cmocka as 1.1 and 2.x want it, scratch folders, waiting on a context. */
#ifndef KRI_TEST_SUPPORT_H
#define KRI_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the four above first. */
#include <cmocka.h>
#include <kryos/kryos.h>

/* cmocka 2 makes stop() a macro, a name that tests use, and has ranges with a sign in the place of the old one. */
#undef stop
#ifdef assert_int_in_range
#undef assert_in_range
#define assert_in_range(value, minimum, maximum) assert_int_in_range(value, minimum, maximum)
#endif

/* Of ioctl()'s request, for those that take its place: C libraries differ. */
#ifdef __GLIBC__
typedef unsigned long ioctl_request;
#else
typedef int ioctl_request;
#endif

/* A fresh folder under $TMPDIR or /tmp; removed with all in it by scratch_free. */
char *scratch_new(void);
void scratch_free(char *path);
/* path + "/" + name in a buffer that lives until 8 more calls. */
const char *in(const char *path, const char *name);

/* Processes ctx until done(data) is true, at most ms of real time. False if it never was. */
bool process_until(struct kryos_ctx *ctx, bool (*done)(void *data), void *data, int ms);
/* Processes for ms of real time. */
void process_for(struct kryos_ctx *ctx, int ms);

/* What is allocated in this process; 0: the allocator, a sanitizer's or that of another C library, does not tell. */
size_t heap_bytes(void);

/* Fails the test with kryos_strerror when r < 0. */
#define assert_ok(expression)                                                                                          \
	do {                                                                                                           \
		int result_ = (expression);                                                                            \
		if (result_ < 0)                                                                                       \
			fail_msg("%s: %d: %s", #expression, result_, kryos_strerror(result_));                         \
	} while (0)
/* The call must fail with this code. */
#define assert_fails(expected, expression)                                                                             \
	do {                                                                                                           \
		int result_ = (expression);                                                                            \
		if (result_ != (expected))                                                                             \
			fail_msg("%s: %d (%s), not %d", #expression, result_,                                          \
			         result_ < 0 ? kryos_strerror(result_) : "", (expected));                              \
	} while (0)
/* The thread's last error sentence must contain this. */
#define assert_says(result, text)                                                                                      \
	do {                                                                                                           \
		if (!strstr(kryos_strerror(result), text))                                                             \
			fail_msg("\"%s\" does not say \"%s\"", kryos_strerror(result), text);                          \
	} while (0)

/* A random number generator with a printed seed: KRYOS_SEED=n repeats a run. */
uint64_t seed_from_environment(uint64_t otherwise);
uint64_t next_random(uint64_t *state); /* splitmix64 */

#endif
