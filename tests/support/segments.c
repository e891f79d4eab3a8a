/* SPDX-License-Identifier: Apache-2.0 */
#include "segments.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char public_key[] = "-----BEGIN PUBLIC KEY-----\n"
				 "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
				 "-----END PUBLIC KEY-----\n";
static const char *const names[] = { "fridge.temperature", "freezer-with-quite-a-long-name.evaporator.temperature",
	                             "room.humidity" };

void segments_new(struct segments *segments, uint64_t seed)
{
	memset(segments, 0, sizeof(*segments));
	segments->random = seed;
	segments->epoch = next_random(&segments->random);
	segments->folder = scratch_new();
	snprintf(segments->path, sizeof(segments->path), "%s/00000000000000000001.seg", segments->folder);
	snprintf(segments->wal, sizeof(segments->wal), "%s-wal", segments->path);
	assert_ok(kryos_ctx_new(&segments->ctx, NULL));
	for (int i = 0; i < 3; i++)
		assert_ok(kryos_channel_add(segments->ctx, names[i], i == 2 ? "%RH" : "Cel", &segments->channels[i]));
}

static char cursor_at(size_t i)
{
	return "0123456789-,"[i * 7 % 12];
}

void segments_create(struct segments *segments, size_t cursor_size)
{
	char epoch[17], *cursor = calloc(1, cursor_size + 1);
	struct kri_header_entry entries[] = { { "format", "1" },
		                              { "device", "0123456789abcdef0123456789abcdef" },
		                              { "epoch", epoch },
		                              { "previous_hash", "" },
		                              { "previous_segment", "0" },
		                              { "first_seq", "1" },
		                              { "boot", "1" },
		                              { "created", "2026-11-20T09:00:00Z" },
		                              { "created_trust", "synced" },
		                              { "public_key", public_key },
		                              { "queue:modem", cursor } };

	for (size_t i = 0; i < cursor_size; i++)
		cursor[i] = cursor_at(i);
	kri_epoch_text(segments->epoch, epoch);
	assert_ok(kri_segment_create(&segments->segment, segments->path, 1, segments->epoch,
	                             "0123456789abcdef0123456789abcdef", entries,
	                             sizeof(entries) / sizeof(entries[0])));
	free(cursor);
}

static const char *place_of(void *data, uint32_t channel)
{
	(void)data;
	return channel % 2 ? "vaccine" : "ambient";
}

/* Small and large, negative and none: every width that SQLite has for an integer. */
static int64_t some_value(uint64_t *random)
{
	uint64_t bits = next_random(random);
	int64_t value = (int64_t)(next_random(random) >> (bits % 64));

	return bits & 64 ? -value : value;
}

static struct kryos_sample some_sample(struct segments *segments, int64_t seq)
{
	uint64_t *random = &segments->random;

	return (struct kryos_sample){ .seq = seq,
		                      .channel = segments->channels[next_random(random) % 3],
		                      .boot = seq > 40 ? 2 : 1,
		                      .round = (uint32_t)(seq / 3),
		                      .t_boot_ns = seq * INT64_C(60000000000) + (int64_t)(next_random(random) % 1000),
		                      .t_wall_ns = next_random(random) % 8 ? INT64_C(1795165920000000000) + seq : 0,
		                      .trust = (uint16_t)(next_random(random) % 4),
		                      .quality = (uint16_t)(next_random(random) % 14),
		                      .value_micro = some_value(random),
		                      .alarm = (uint32_t)(next_random(random) >> (next_random(random) % 64)) };
}

void segments_commit(struct segments *segments, int rows)
{
	struct kri_commit commit = { .ctx = segments->ctx,
		                     .place_of = place_of,
		                     .boot_id = "3f1c8a52-6c1d-4f0e-9a63-6d5f6f0c7b11" };
	struct kri_segment *segment = segments->segment;
	struct kryos_sample *samples;

	samples = realloc(segments->samples, (size_t)(segments->count + rows) * sizeof(*samples));
	assert_non_null(samples);
	segments->samples = samples;
	assert_ok(kri_segment_begin(segment));
	for (int i = 0; i < rows; i++) {
		samples[segments->count + i] = some_sample(segments, segments->count + i + 1);
		assert_ok(kri_segment_declare(segment, &commit, &samples[segments->count + i]));
	}
	for (int i = 0; i < rows; i++)
		assert_ok(kri_segment_add(segment, &samples[segments->count + i], i == rows - 1));
	assert_ok(kri_segment_commit(segment));
	segments->count += rows;
}

void segments_close(struct segments *segments)
{
	kri_segment_close(segments->segment);
	segments->segment = NULL;
}

void segments_seal(struct segments *segments)
{
	char hash[KRI_HASH_TEXT], signature[2 * KRI_SIGNATURE_SIZE + 1];
	struct kri_key *key = NULL;
	bool created;
	char path[300];
	int r;

	snprintf(path, sizeof(path), "%s/device.key", segments->folder);
	r = kri_key_open(&key, path, &created);
	if (r < 0 && r != -EOPNOTSUPP)
		fail_msg("%s", kryos_strerror(r));
	assert_ok(kri_segment_seal(segments->segment, key, hash, signature));
	kri_key_free(key);
	segments_close(segments);
}

void segments_free(struct segments *segments)
{
	segments_close(segments);
	kryos_ctx_free(segments->ctx);
	free(segments->samples);
	scratch_free(segments->folder);
}

void salvaged_new(struct salvaged *salvaged, const struct segments *segments)
{
	memset(salvaged, 0, sizeof(*salvaged));
	salvaged->segments = segments;
	salvaged->times = calloc((size_t)segments->count + 1, 1);
	assert_non_null(salvaged->times);
}

void salvaged_clear(struct salvaged *salvaged)
{
	uint8_t *times = salvaged->times;
	const struct segments *segments = salvaged->segments;

	memset(times, 0, (size_t)segments->count + 1);
	*salvaged = (struct salvaged){ .segments = segments, .times = times };
}

void salvaged_free(struct salvaged *salvaged)
{
	free(salvaged->times);
}

static int on_sample(void *data, const struct kri_row *row, const struct kri_salvage_origin *origin)
{
	struct salvaged *salvaged = data;
	const struct segments *segments = salvaged->segments;
	const struct kryos_sample *sample;

	if (row->seq < 1 || row->seq > segments->count || origin->epoch != segments->epoch) {
		salvaged->wrong++;
		salvaged->misleading += !origin->doubtful;
		return 0;
	}
	sample = &segments->samples[row->seq - 1];
	/* Numbers of channels are the segment's own, given in the order in which they came up. */
	if (row->boot != sample->boot || row->round != sample->round || row->t_boot_ns != sample->t_boot_ns ||
	    row->t_wall_ns != sample->t_wall_ns || row->trust != sample->trust || row->quality != sample->quality ||
	    row->value_micro != sample->value_micro || row->alarm != sample->alarm || row->channel < 1 ||
	    row->channel > 3) {
		salvaged->wrong++;
		salvaged->misleading += !origin->doubtful || !salvaged->times[row->seq];
		return 0;
	}
	salvaged->distinct += salvaged->times[row->seq] == 0;
	salvaged->times[row->seq] += salvaged->times[row->seq] < UINT8_MAX;
	salvaged->doubtful += origin->doubtful;
	return 0;
}

static int on_channel(void *data, const struct kri_salvaged_channel *channel, const struct kri_salvage_origin *origin)
{
	struct salvaged *salvaged = data;
	bool known = false;

	for (int i = 0; i < 3; i++)
		known |= strcmp(channel->name, names[i]) == 0 && strcmp(channel->unit, i == 2 ? "%RH" : "Cel") == 0 &&
		         (strcmp(channel->place, "vaccine") == 0 || strcmp(channel->place, "ambient") == 0);
	salvaged->wrong += !known || channel->channel < 1 || channel->channel > 3 || channel->since < 1 ||
	                   origin->epoch != salvaged->segments->epoch;
	salvaged->channels++;
	return 0;
}

static int on_boot(void *data, const struct kri_salvaged_boot *boot, const struct kri_salvage_origin *origin)
{
	struct salvaged *salvaged = data;

	salvaged->wrong += strcmp(boot->boot_id, "3f1c8a52-6c1d-4f0e-9a63-6d5f6f0c7b11") != 0 || boot->boot < 1 ||
	                   boot->boot > 2 || boot->since != (boot->boot == 1 ? 1 : 41) ||
	                   origin->epoch != salvaged->segments->epoch;
	salvaged->boots++;
	return 0;
}

static int on_header(void *data, const char *key, const char *value, const struct kri_salvage_origin *origin)
{
	struct salvaged *salvaged = data;

	(void)origin;
	salvaged->headers++;
	salvaged->public_key |= strcmp(key, "public_key") == 0 && strcmp(value, public_key) == 0;
	if (strcmp(key, "queue:modem") == 0) {
		salvaged->cursor = true;
		for (size_t i = 0; value[i]; i++)
			salvaged->cursor &= value[i] == cursor_at(i);
	}
	return 0;
}

static int on_seal(void *data, const struct kri_salvaged_seal *seal, const struct kri_salvage_origin *origin)
{
	struct salvaged *salvaged = data;

	(void)origin;
	/* Nothing but its signature says whether it is right. */
	if (seal->first_seq == 1 && seal->last_seq == salvaged->segments->count)
		salvaged->seals++;
	else
		salvaged->false_seals++;
	return 0;
}

struct kri_salvage_found salvaged_found(struct salvaged *salvaged)
{
	return (struct kri_salvage_found){ salvaged, on_sample, on_channel, on_boot, on_header, on_seal };
}

struct kri_salvage_counts salvage_file(struct salvaged *salvaged, const char *path, bool know_epoch)
{
	const uint64_t candidates[] = { 1, salvaged->segments->epoch };
	struct kri_salvage_found found = salvaged_found(salvaged);
	struct kri_salvage_counts counts;
	struct kri_salvage *salvage;
	int r, steps = 0;

	assert_ok(kri_salvage_begin(&salvage, path, candidates, know_epoch ? 2 : 1, &found));
	while ((r = kri_salvage_step(salvage, 100000)) > 0)
		assert_true(++steps < 100000);
	assert_ok(r);
	counts = *kri_salvage_get_counts(salvage);
	kri_salvage_free(salvage);
	return counts;
}

uint8_t *file_read(const char *path, size_t *ret_size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data;
	long size;

	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	size = ftell(file);
	rewind(file);
	data = malloc((size_t)size + 1);
	assert_int_equal(fread(data, 1, (size_t)size, file), size);
	fclose(file);
	*ret_size = (size_t)size;
	return data;
}

/* Over what is there: ext4 writes a file out at once that was truncated to nothing first, which takes its time. */
void file_write(const char *path, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, size, 0), size);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
}
