/* SPDX-License-Identifier: Apache-2.0 */
#include "relay.h"

/* One token in the unit of credit: ns, times records per 1000 s, times percent. */
#define TOKEN (INT64_C(1000000000) * 1000 * 100)

void kri_bucket_init(struct kri_bucket *bucket, int64_t rate, unsigned int burst, unsigned int live_percent,
                     int64_t now)
{
	int64_t live = TOKEN / 100 * burst * live_percent;

	bucket->rate = rate;
	bucket->live_percent = live_percent;
	bucket->last_ns = now;
	/* Each share can hold at least one token, or it could never send. */
	bucket->capacity[KRI_SHARE_LIVE] = live < TOKEN ? TOKEN : live;
	bucket->capacity[KRI_SHARE_REST] = TOKEN * burst - live < TOKEN ? TOKEN : TOKEN * burst - live;
	bucket->credit[KRI_SHARE_LIVE] = bucket->capacity[KRI_SHARE_LIVE];
	bucket->credit[KRI_SHARE_REST] = bucket->capacity[KRI_SHARE_REST];
}

void kri_bucket_fill(struct kri_bucket *bucket, int64_t now)
{
	int64_t elapsed = now - bucket->last_ns, spare = 0, full;

	if (elapsed <= 0)
		return;
	bucket->last_ns = now;
	/* After this both are full whatever they were: also keeps the products below 2^63. */
	full = (bucket->capacity[KRI_SHARE_LIVE] + bucket->capacity[KRI_SHARE_REST]) / (100 * bucket->rate) + 1;
	if (elapsed > full)
		elapsed = full;
	bucket->credit[KRI_SHARE_LIVE] += elapsed * bucket->rate * bucket->live_percent;
	bucket->credit[KRI_SHARE_REST] += elapsed * bucket->rate * (100 - bucket->live_percent);
	for (int share = 0; share < 2; share++)
		if (bucket->credit[share] > bucket->capacity[share]) {
			spare += bucket->credit[share] - bucket->capacity[share];
			bucket->credit[share] = bucket->capacity[share];
		}
	for (int share = 0; share < 2 && spare > 0; share++) {
		int64_t room = bucket->capacity[share] - bucket->credit[share];

		room = room < spare ? room : spare;
		bucket->credit[share] += room;
		spare -= room;
	}
}

bool kri_bucket_has(const struct kri_bucket *bucket, enum kri_share share)
{
	return bucket->credit[share] >= TOKEN;
}

void kri_bucket_take(struct kri_bucket *bucket, enum kri_share share)
{
	bucket->credit[share] -= TOKEN;
}

int64_t kri_bucket_wait(const struct kri_bucket *bucket, enum kri_share share)
{
	int64_t percent = share == KRI_SHARE_LIVE ? bucket->live_percent : 100 - bucket->live_percent;
	int64_t lacking = TOKEN - bucket->credit[share], speed = bucket->rate * percent;

	return lacking <= 0 ? 1 : (lacking + speed - 1) / speed;
}
