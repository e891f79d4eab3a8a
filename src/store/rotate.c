/* SPDX-License-Identifier: Apache-2.0 */
/* Segments as a sequence: the next one, and sealing those that are done. */
#include "kept.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RETRY_NS KRYOS_SECONDS(10)

struct kri_segment_info *kri_store_find_segment(struct kryos_store *store, int64_t first_seq)
{
	for (int i = store->segment_count - 1; i >= 0; i--)
		if (store->segments[i].first_seq == first_seq)
			return &store->segments[i];
	return NULL;
}

int kri_store_add_segment(struct kryos_store *store, const struct kri_segment_info *info)
{
	struct kri_segment_info *grown;

	grown = realloc(store->segments, (size_t)(store->segment_count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	store->segments = grown;
	store->segments[store->segment_count++] = *info;
	return 0;
}

void kri_store_drop_segment(struct kryos_store *store, struct kri_segment_info *info)
{
	memmove(info, info + 1, (size_t)(store->segments + store->segment_count - info - 1) * sizeof(*info));
	store->segment_count--;
}

bool kri_store_wants_rotation(struct kryos_store *store, int percent)
{
	struct kri_segment *segment = store->segment;
	int64_t age;

	if (!segment || segment->last_seq < segment->first_seq || kri_real_ns() < store->rotate_at_ns)
		return false;
	age = segment->age_ns + kri_boot_ns(store->ctx) - segment->opened_boot_ns;
	return age >= store->config.segment_ns / 100 * percent ||
	       kri_segment_bytes(segment) >= store->config.segment_bytes / 100 * percent;
}

struct header {
	struct kri_header_entry *entries;
	size_t count;
	size_t kept_bytes, kept_limit; /* of what rooms above keep */
	int error;
};

/* The entry of that key, after a prefix. Without memory for one there is no header. */
KRYOS_PRINTF(4, 5)
static void add(struct header *header, const char *prefix, const char *key, const char *format, ...)
{
	struct kri_header_entry *grown;
	char *whole = NULL, *value = NULL;
	va_list args;

	va_start(args, format);
	grown = realloc(header->entries, (header->count + 1) * sizeof(*grown));
	if (grown)
		header->entries = grown;
	if (!grown || asprintf(&whole, "%s%s", prefix, key) < 0 || vasprintf(&value, format, args) < 0) {
		free(whole);
		header->error = -ENOMEM;
	} else {
		grown[header->count++] = (struct kri_header_entry){ whole, value };
	}
	va_end(args);
}

static void clear(struct header *header)
{
	for (size_t i = 0; i < header->count; i++) {
		free((char *)header->entries[i].key);
		free((char *)header->entries[i].value);
	}
	free(header->entries);
}

static void add_queues(struct kryos_store *store, struct header *header)
{
	struct kri_absent_list absent;
	struct kryos_queue *queues[KRI_MAX_QUEUES];
	int count;

	pthread_mutex_lock(&store->lock);
	count = kri_store_take_queues(store, queues);
	pthread_mutex_unlock(&store->lock);
	for (int i = 0; i < count; i++) {
		char *cursor = kri_queue_cursor_text(queues[i]);

		if (cursor)
			add(header, "queue:", queues[i]->name, "%s", cursor);
		free(cursor);
		kri_queue_unref(queues[i]);
	}
	/* And those that are not open just now: with state.db lost, nobody else would know that they are owed anything.
	 */
	if (kri_absent_read(store, &absent) < 0)
		return;
	for (int i = 0; i < absent.count; i++) {
		char *samples = kri_ranges_text(&absent.list[i].samples);
		char *events = kri_ranges_text(&absent.list[i].events);

		if (samples && events)
			add(header, "queue:", absent.list[i].name, "%s %s", samples, events);
		free(samples);
		free(events);
	}
	kri_absent_clear(&absent);
}

static void add_newest_boots(struct header *header, const struct kri_boots *boots)
{
	char text[128], number[16];

	/* Older boots' segments carry theirs. */
	for (int i = boots->count > 8 ? boots->count - 8 : 0; i < boots->count; i++) {
		kri_boot_text(&boots->list[i], text, sizeof(text));
		snprintf(number, sizeof(number), "%" PRIu32, boots->list[i].boot);
		add(header, "boot:", number, "%s", text);
	}
}

/*
 * As state.db has them: an offset whose event waits would be one that nothing tells of after a cut. Where it can't be
 * read it will have to be made anew, from this.
 */
static void add_boots(struct kryos_store *store, struct header *header)
{
	struct kri_boots stored = { .list = NULL };

	if (kri_boots_read(&stored, store->state->db, "", NULL) >= 0) {
		add_newest_boots(header, &stored);
	} else {
		pthread_mutex_lock(&store->lock);
		add_newest_boots(header, &store->boots);
		pthread_mutex_unlock(&store->lock);
	}
	kri_boots_clear(&stored);
}

/* Not what would fill a small segment before it has a sample. */
static int add_kept(void *data, const char *key, const char *text)
{
	struct header *header = data;
	size_t bytes = strlen(text);

	if (bytes > header->kept_limit - header->kept_bytes)
		return 0;
	header->kept_bytes += bytes;
	add(header, "state:", key, "%s", text);
	return header->error;
}

/* The file of a new segment, with its header, from first_seq on. */
static int create(struct kryos_store *store, struct kri_segment **ret_segment, const char *path, int64_t first_seq)
{
	char epoch_text[17], when[KRYOS_TEXT_MAX], events[KRI_HASH_TEXT + 24];
	struct header header = { .count = 0 };
	struct kryos_time now = { 0 };
	int r;

	r = kryos_clock_now(store->ctx, &now);
	if (r < 0)
		return r;
	/* A state.db that does not take them, or tell, now is no reason to have no segment. */
	r = kri_audit_seal(store);
	if (r < 0)
		kri_log(store->ctx, KRYOS_LOG_WARNING, "store", r, "the seal of events waits: %s", kryos_strerror(r));
	if (kri_audit_newest(store, events) < 0)
		events[0] = '\0';
	kri_epoch_text(store->epoch, epoch_text);
	add(&header, "", "format", "1");
	add(&header, "", "device", "%s", store->device);
	add(&header, "", "epoch", "%s", epoch_text);
	add(&header, "", "previous_hash", "%s", store->last_hash);
	add(&header, "", "previous_segment", "%" PRId64, store->last_segment);
	add(&header, "", "first_seq", "%" PRId64, first_seq);
	add(&header, "", "boot", "%" PRIu32, store->boot);
	add(&header, "", "created", "%s", kryos_time_text(now.t_wall_ns, when));
	add(&header, "", "created_trust", "%s", kryos_trust_name(now.trust));
	if (store->ringing)
		add(&header, "", "ring", "1");
	if (store->public_pem)
		add(&header, "", "public_key", "%s", store->public_pem);
	if (*events)
		add(&header, "", "events", "%s", events);
	add_queues(store, &header);
	add_boots(store, &header);
	/* As state.db has it: with the events that it has. Where it can't be read this is a segment without. */
	header.kept_limit = (size_t)store->config.segment_bytes / 8;
	(void)!kri_kept_list(store->state, add_kept, &header);

	/* What may stand there was never accepted: nothing has this seq yet. */
	r = header.error;
	if (r >= 0 && access(path, F_OK) == 0)
		r = kri_remove_db(path);
	if (r >= 0)
		r = kri_segment_create(ret_segment, path, first_seq, store->epoch, store->device, header.entries,
		                       header.count);
	clear(&header);
	if (r >= 0)
		(*ret_segment)->opened_boot_ns = now.t_boot_ns;
	return r;
}

/*
 * A file begun in vain must go before the present segment takes the seqs it is named for: whoever reads takes them to
 * be in it. Where it stays, the present segment ends here, and the next commit tries again to begin at that name.
 */
static void undo_create(struct kryos_store *store, const char *path)
{
	if (access(path, F_OK) == 0 && kri_remove_db(path) < 0) {
		kri_segment_close(store->segment);
		store->segment = NULL;
	}
}

int kri_store_new_segment(struct kryos_store *store)
{
	int64_t first_seq = store->claim_seq ? store->claim_seq : store->next_seq;
	struct kri_segment_info info = { .first_seq = first_seq, .last_seq = first_seq - 1 };
	struct kri_segment *segment = NULL;
	char path[PATH_MAX];
	int r;

	store->syncs.cause = KRI_SYNC_ROTATION;
	if (store->segment) {
		kri_chain_text(&store->segment->chain, store->last_hash);
		store->last_segment = store->segment->first_seq;
	}
	kri_segment_path(store->folder, first_seq, path, sizeof(path));
	r = create(store, &segment, path, first_seq);
	if (r >= 0) {
		info.bytes = kri_segment_bytes(segment);
		pthread_mutex_lock(&store->lock);
		r = kri_store_add_segment(store, &info);
		pthread_mutex_unlock(&store->lock);
	}
	if (r < 0) {
		/* The sentence is to say why, not how the tidying up went. */
		char why[160];

		snprintf(why, sizeof(why), "%s", kryos_strerror(r));
		kri_segment_close(segment);
		undo_create(store, path);
		store->rotate_at_ns = kri_real_ns() + RETRY_NS;
		return kryos_fail(r, "%s", why);
	}
	kri_segment_close(store->segment);
	store->segment = segment;
	store->rotate_at_ns = 0;
	store->last_retention_ns = INT64_MAX; /* now: the one before counts */
	return 0;
}

/* For salvage: where the page with their names is lost, state.db has them. */
static int note_channels(struct kryos_store *store, struct kri_segment *segment)
{
	int64_t noted = 0;
	char sql[80];
	int r;

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM channel WHERE segment=%" PRId64, segment->first_seq);
	r = kri_sql_int(store->state->db, sql, &noted);
	if (r < 0 || noted >= segment->channel_count)
		return r;
	return kri_state_put_channels(store->state, segment, 0);
}

static int record_seal(struct kryos_store *store, struct kri_segment *segment, const char *hash, const char *signature)
{
	struct kri_seal seal = { .first_seq = segment->first_seq,
		                 .last_seq = segment->last_seq,
		                 .bytes = kri_segment_bytes(segment),
		                 .last_wall_ns = segment->last_wall_ns,
		                 .epoch = segment->epoch,
		                 .device = segment->device,
		                 .hash = hash,
		                 .signature = signature,
		                 .last_trust = segment->last_trust };
	struct kri_segment_info *info;
	char sql[120];
	int r;

	store->syncs.cause = KRI_SYNC_ROTATION;
	/* Rows behind the last accepted one are of a commit that failed. */
	pthread_mutex_lock(&store->lock);
	info = kri_store_find_segment(store, segment->first_seq);
	/* Not with "<=": a damaged key in the middle would end the count there. */
	snprintf(sql, sizeof(sql), "SELECT (SELECT count(*) FROM sample) - count(*) FROM sample WHERE seq > %" PRId64,
	         info ? info->last_seq : segment->last_seq);
	pthread_mutex_unlock(&store->lock);
	r = kri_sql_int(segment->db, sql, &seal.samples);
	if (r >= 0)
		r = note_channels(store, segment);
	if (r >= 0)
		r = kri_state_put_seal(store->state, &seal);
	if (r < 0)
		return r;
	pthread_mutex_lock(&store->lock);
	info = kri_store_find_segment(store, segment->first_seq);
	if (info) {
		info->closed = info->recorded = true;
		info->bytes = seal.bytes;
		info->samples = seal.samples;
		info->last_wall_ns = seal.last_wall_ns;
		info->last_trust = seal.last_trust;
		snprintf(info->hash, sizeof(info->hash), "%s", hash);
	}
	pthread_mutex_unlock(&store->lock);
	if (signature[0])
		kri_store_announce(store, &(struct kryos_event){ .type = KRYOS_EVENT_SEALED,
		                                                 .first_seq = segment->first_seq,
		                                                 .last_seq = segment->last_seq,
		                                                 .name = segment->device,
		                                                 .text = hash });
	return 0;
}

static int seal(struct kryos_store *store, int64_t first_seq)
{
	char path[PATH_MAX], hash[KRI_HASH_TEXT], signature[2 * KRI_SIGNATURE_SIZE + 1];
	struct kri_segment *segment = NULL;
	int r;

	kri_segment_path(store->folder, first_seq, path, sizeof(path));
	store->syncs.cause = KRI_SYNC_ROTATION;
	r = kri_segment_open(&segment, path, first_seq, store->ctx);
	if (r < 0)
		return r;
	/* Another board's chain is closed as it stands: we do not sign for it. */
	r = kri_segment_seal(segment, strcmp(segment->device, store->device) == 0 ? store->key : NULL, hash, signature);
	if (r >= 0)
		r = record_seal(store, segment, hash, signature);
	kri_segment_close(segment);
	return r;
}

/* The oldest that is to be sealed and not put off; 0: none. */
static int64_t choose_to_seal(struct kryos_store *store)
{
	int64_t now = kri_real_ns(), first_seq = 0;

	pthread_mutex_lock(&store->lock);
	for (int i = 0; i + 1 < store->segment_count && !first_seq; i++) {
		struct kri_segment_info *info = &store->segments[i];

		if (!info->recorded && !info->bad && !info->left_out && now >= info->seal_at_ns &&
		    (!store->segment || info->first_seq != store->segment->first_seq))
			first_seq = info->first_seq;
	}
	pthread_mutex_unlock(&store->lock);
	return first_seq;
}

int kri_store_seal_one(struct kryos_store *store)
{
	struct kri_segment_info *info;
	int64_t first_seq = choose_to_seal(store);
	int r;

	if (!first_seq)
		return 0;
	r = seal(store, first_seq);
	if (r >= 0)
		return 1;
	pthread_mutex_lock(&store->lock);
	info = kri_store_find_segment(store, first_seq);
	if (info)
		info->seal_at_ns = kri_real_ns() + RETRY_NS;
	if (r == KRYOS_ECORRUPT)
		store->damaged_segment = first_seq;
	pthread_mutex_unlock(&store->lock);
	if (r != KRYOS_ECORRUPT && r != -EBUSY)
		kri_log(store->ctx, KRYOS_LOG_WARNING, "store", r, "sealing waits: %s", kryos_strerror(r));
	return 1; /* the others need not wait for this one */
}
