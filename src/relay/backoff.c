/* SPDX-License-Identifier: Apache-2.0 */
#include "relay.h"

uint64_t kri_jitter(uint64_t *seed)
{
	uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void kri_backoff_init(struct kri_backoff *backoff, int64_t base_ns, int64_t cap_ns, uint64_t seed)
{
	backoff->base_ns = base_ns;
	backoff->cap_ns = cap_ns;
	backoff->n = 0;
	backoff->seed = seed;
}

int64_t kri_backoff_next(struct kri_backoff *backoff)
{
	int64_t limit = backoff->base_ns;

	for (unsigned int i = 0; i < backoff->n && limit < backoff->cap_ns; i++)
		limit = limit > backoff->cap_ns / 2 ? backoff->cap_ns : limit * 2;
	if (limit > backoff->cap_ns)
		limit = backoff->cap_ns;
	else if (limit < backoff->cap_ns)
		backoff->n++;
	/* The bias of % is below 2^-15 for a cap of a day: of no matter to a jitter. */
	return (int64_t)(kri_jitter(&backoff->seed) % ((uint64_t)limit + 1));
}

void kri_backoff_reset(struct kri_backoff *backoff)
{
	backoff->n = 0;
}
