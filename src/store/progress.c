/* SPDX-License-Identifier: Apache-2.0 */
#include "private.h"

bool kri_store_is_waiting(struct kryos_store *store, uint64_t *ret_commits)
{
	bool waiting;

	pthread_mutex_lock(&store->lock);
	waiting = store->batches || store->committing;
	*ret_commits = store->status.commits;
	pthread_mutex_unlock(&store->lock);
	return waiting;
}
