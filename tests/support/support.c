/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"
#include <ftw.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

char *scratch_new(void)
{
	const char *base = getenv("TMPDIR");
	char *path = NULL;

	if (asprintf(&path, "%s/kryos-test-XXXXXX", base ? base : "/tmp") < 0 || !mkdtemp(path))
		abort();
	return path;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	(void)status;
	(void)type;
	(void)ftw;
	return remove(path);
}

void scratch_free(char *path)
{
	if (path)
		nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(path);
}

const char *in(const char *path, const char *name)
{
	static char buffers[8][4096];
	static unsigned int next;
	char *buffer = buffers[next++ % 8];

	snprintf(buffer, sizeof(buffers[0]), "%s/%s", path, name);
	return buffer;
}

static int64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool process_until(struct kryos_ctx *ctx, bool (*done)(void *data), void *data, int ms)
{
	int64_t end = monotonic_ms() + ms;
	struct pollfd ready = { .fd = kryos_ctx_get_fd(ctx), .events = POLLIN };

	for (;;) {
		if (kryos_ctx_process(ctx) < 0)
			return false;
		if (done && done(data))
			return true;
		if (monotonic_ms() >= end)
			return false;
		poll(&ready, 1, 5);
	}
}

void process_for(struct kryos_ctx *ctx, int ms)
{
	(void)process_until(ctx, NULL, NULL, ms);
}

uint64_t seed_from_environment(uint64_t otherwise)
{
	const char *text = getenv("KRYOS_SEED");
	uint64_t seed = text ? strtoull(text, NULL, 0) : otherwise;

	print_message("seed: KRYOS_SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

uint64_t next_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

size_t heap_bytes(void)
{
#ifdef __GLIBC__
	struct mallinfo2 info = mallinfo2();

	return info.uordblks ? info.uordblks + info.hblkhd : 0;
#else
	return 0;
#endif
}
