/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store whose files are damaged at random places while nobody looks: one bit, 512 bytes, 4 KiB, in a closed segment,
 * the open one, its log, its shared memory, state.db and its log; alone, and with the end of the log torn off by a cut.
 * Whatever is hit: the store opens and measures at once; what lies outside the damage is delivered, what does not is in
 * a gap record; nothing is delivered that was not handed in, and no id stands for two things.
 */
#include "rig.h"
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { TRIALS = 250 };
#else
enum { TRIALS = 2400 };
#endif

#define NEW_VALUES INT64_C(5000000000000) /* and above: handed in after the damage */
enum { MAX_SEQ = 2048, MAX_FILES = 24, ROWS_OF_PAGE = 9 };

struct file {
	char name[64];
	unsigned char *data;
	size_t size;
};

/* The store before the damage. */
struct master {
	struct file files[MAX_FILES];
	int count;
	struct {
		int64_t value;
		uint64_t epoch;
		bool promised;
	} rows[MAX_SEQ];
	int64_t newest, acked; /* by the queue "modem" */
	struct file torn;      /* the open segment's log with one commit more, which was not promised */
	char open_log[64];
};

struct trial {
	struct master *master;
	char what[200];
	bool delivered[MAX_SEQ], gap[MAX_SEQ];
	int64_t value;
	int pages; /* touched */
};

static struct file read_file(const char *folder, const char *name)
{
	struct file file = { .data = NULL };
	char path[5000];
	struct stat status;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	snprintf(file.name, sizeof(file.name), "%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	file.size = (size_t)status.st_size;
	file.data = malloc(file.size + 1);
	assert_int_equal(read(fd, file.data, file.size), file.size);
	close(fd);
	return file;
}

static void write_file(const char *folder, const struct file *file)
{
	char path[5000];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, file->name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, file->data, file->size), file->size);
	close(fd);
}

static void keep_files(struct master *master, const char *folder)
{
	DIR *directory = opendir(folder);
	struct dirent *entry;

	assert_non_null(directory);
	while ((entry = readdir(directory))) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "lock") == 0)
			continue;
		assert_true(master->count < MAX_FILES);
		master->files[master->count++] = read_file(folder, entry->d_name);
	}
	closedir(directory);
}

static void note(struct master *master, struct rig *rig, int64_t seq, int64_t value, bool promised)
{
	assert_in_range(seq, 1, MAX_SEQ - 1);
	master->rows[seq].value = value;
	master->rows[seq].epoch = rig_status(rig).epoch;
	master->rows[seq].promised = promised;
	if (promised)
		master->newest = seq;
}

static void append_some(struct rig *rig, struct master *master, int count, int64_t *value, bool promised)
{
	struct kryos_sample samples[8];

	while (count > 0) {
		int batch = count < 3 ? count : 3;

		for (int i = 0; i < batch; i++)
			samples[i] = rig_sample(i % 2 ? rig->room : rig->fridge, ++*value * 1000003);
		assert_ok(kryos_store_append(rig->store, samples, (size_t)batch));
		for (int i = 0; i < batch; i++)
			note(master, rig, samples[i].seq, samples[i].value_micro, promised);
		kryos_fake_clock_advance(rig->clock, KRYOS_SECONDS(10)); /* no run comes to an age of ten minutes */
		count -= batch;
	}
}

static void start(struct rig *rig)
{
	rig_start(rig, KRYOS_STORE_CONFIG(.segment_ns = KRYOS_MINUTES(10), .board = "one"));
	rig->store->quiet_ns = KRYOS_MILLISECONDS(1);
	rig->store->retry_ns = KRYOS_MILLISECONDS(1);
	rig_open_queue(rig, KRYOS_QUEUE_CONFIG(.max_lent = 4096));
}

static int64_t deliver_and_ack(struct rig *rig, int count)
{
	const struct kryos_record *record;
	int64_t last = 0;

	while (count > 0 && kryos_queue_next(rig->queue, &record) > 0) {
		assert_ok(kryos_queue_ack(rig->queue, record->seq));
		if (record->event)
			continue;
		last = record->seq;
		count--;
	}
	assert_ok(kryos_queue_commit(rig->queue));
	return last;
}

static const char *rig_newest_file(struct rig *rig)
{
	struct kri_segment_info *list;
	char name[64];
	int count;

	assert_ok(kri_list_segments(rig->path, &list, &count));
	snprintf(name, sizeof(name), "%020" PRId64 ".seg", list[count - 1].first_seq);
	free(list);
	return in(rig->path, name);
}

/* Two closed segments, and an open one with rows in its database and in its log. */
static void make_master(struct rig *rig, struct master *master, int64_t *value)
{
	start(rig);
	for (int i = 0; i < 2; i++) {
		append_some(rig, master, 60, value, true);
		assert_ok(kryos_store_add_event(
			rig->store,
			&(struct kryos_event){ .type = KRYOS_EVENT_AUDIT, .name = "nurse", .text = "looked" }));
		rig_rotate(rig);
		rig_wait_sealed(rig);
	}
	append_some(rig, master, 60, value, true);
	master->acked = deliver_and_ack(rig, 90);
	rig_stop(rig);
	/* A later run: another boot, the rows before it out of the log. */
	snprintf(master->open_log, sizeof(master->open_log), "%s", strrchr(rig_newest_file(rig), '/') + 1);
	rig_sql(in(rig->path, master->open_log), "PRAGMA wal_checkpoint(TRUNCATE)");
	strcat(master->open_log, "-wal");
	kryos_fake_clock_reboot(rig->clock);
	start(rig);
	append_some(rig, master, 45, value, true);
	rig_stop(rig);
	keep_files(master, rig->path);
	kryos_fake_clock_reboot(rig->clock); /* else the log would be begun anew */
	start(rig);
	append_some(rig, master, 6, value, false);
	rig_stop(rig);
	master->torn = read_file(rig->path, master->open_log);
}

static bool ends_in(const char *name, const char *suffix)
{
	size_t length = strlen(name), end = strlen(suffix);

	return length >= end && strcmp(name + length - end, suffix) == 0;
}

enum damage { ONE_BIT, SECTOR, PAGE, DAMAGES };
static const char *const damage_names[] = { "one bit", "512 bytes", "4096 bytes" };

static void damage_file(struct trial *trial, struct file *file, enum damage damage, uint64_t *random)
{
	size_t size = damage == ONE_BIT ? 1 : damage == SECTOR ? 512 : 4096, at;

	if (!file->size)
		return;
	at = (size_t)(next_random(random) % file->size);
	if (damage != ONE_BIT) /* as media fail */
		at -= at % size;
	if (size > file->size - at)
		size = file->size - at;
	if (damage == ONE_BIT) {
		file->data[at] ^= (unsigned char)(1 << next_random(random) % 8);
	} else {
		bool zeros = next_random(random) % 4 == 0;

		for (size_t i = 0; i < size; i++)
			file->data[at + i] = zeros ? 0 : (unsigned char)next_random(random);
	}
	/* Frames of a log, and pages, that it touches. */
	trial->pages = ends_in(file->name, ".seg") || ends_in(file->name, ".seg-wal") ? (int)(size / 512) + 2 : 0;
	snprintf(trial->what + strlen(trial->what), sizeof(trial->what) - strlen(trial->what), " %s at %zu of %s",
	         damage_names[damage], at, file->name);
}

static struct file copy_of(const struct file *file)
{
	struct file copy = *file;

	copy.data = malloc(file->size + 1);
	assert_non_null(copy.data);
	memcpy(copy.data, file->data, file->size);
	return copy;
}

/* The damaged copy in folder. */
static void lay_out(struct trial *trial, const char *folder, uint64_t *random, bool cut)
{
	static const char *const kinds[] = {
		".seg", ".seg-wal", ".seg-shm", "state.db", "state.db-wal", "state.db-shm"
	};
	const char *kind = kinds[next_random(random) % KRI_ARRAY_SIZE(kinds)];
	struct master *master = trial->master;
	enum damage damage = (enum damage)(next_random(random) % DAMAGES);
	int matching = 0, chosen = 0;

	for (int i = 0; i < master->count; i++)
		matching += ends_in(master->files[i].name, kind);
	assert_true(matching > 0);
	chosen = (int)(next_random(random) % (uint64_t)matching);
	for (int i = 0; i < master->count; i++) {
		struct file copy = copy_of(&master->files[i]);

		if (cut && strcmp(copy.name, master->open_log) == 0 && master->torn.size > copy.size) {
			size_t kept = copy.size + (size_t)(next_random(random) % (master->torn.size - copy.size));

			free(copy.data);
			copy = copy_of(&master->torn);
			copy.size = kept;
			snprintf(trial->what + strlen(trial->what), sizeof(trial->what) - strlen(trial->what),
			         " log cut at %zu,", kept);
		}
		/* A cut takes the shared memory. */
		if (cut && ends_in(copy.name, "-shm") && !ends_in(kind, "-shm"))
			copy.size = 0;
		if (ends_in(copy.name, kind) && chosen-- == 0)
			damage_file(trial, &copy, damage, random);
		write_file(folder, &copy);
		if (ends_in(copy.name, ".seg") && !ends_in(master->open_log, copy.name) &&
		    strncmp(copy.name, master->open_log, 24) != 0)
			assert_int_equal(chmod(in(folder, copy.name), 0440), 0);
		free(copy.data);
	}
}

#define FAIL(...)                                                                                                      \
	do {                                                                                                           \
		print_error("%s:\n", trial->what);                                                                     \
		fail_msg(__VA_ARGS__);                                                                                 \
	} while (0)

static void take(struct trial *trial, const struct kryos_record *record)
{
	struct master *master = trial->master;
	int64_t seq = record->seq;
	bool known;

	if (record->event) {
		if (record->event->type == KRYOS_EVENT_GAP)
			for (int64_t at = record->event->first_seq; at <= record->event->last_seq && at < MAX_SEQ; at++)
				trial->gap[at] = true;
		return;
	}
	known = seq > 0 && seq < MAX_SEQ && master->rows[seq].epoch == record->epoch;
	if (record->sample.value_micro >= NEW_VALUES) {
		if (known && (master->rows[seq].promised || trial->delivered[seq]))
			FAIL("seq %" PRId64 " stands for two samples", seq);
		trial->value++;
		if (known)
			trial->delivered[seq] = true;
		return;
	}
	if (!known || record->sample.value_micro != master->rows[seq].value || record->sample.quality)
		FAIL("seq %" PRId64 " has value %" PRId64 ", which was not handed in as that", seq,
		     record->sample.value_micro);
	if (trial->delivered[seq])
		FAIL("seq %" PRId64 " is delivered twice, or stands for two samples", seq);
	trial->delivered[seq] = true;
}

static int try_damage(struct rig *rig, struct trial *trial, bool again)
{
	struct master *master = trial->master;
	const struct kryos_record *record;
	int lost = 0, r;

	kryos_fake_clock_reboot(rig->clock);
	start(rig);
	for (int i = 0; i < 3; i++) {
		rig_append(rig, rig->fridge, NEW_VALUES + i);
	}
	for (int rounds = 0; rounds < 50; rounds++) {
		bool some = false;

		rig_wait_mended(rig);
		assert_ok(kryos_store_flush(rig->store, KRYOS_SECONDS(10)));
		while ((r = kryos_queue_next(rig->queue, &record)) > 0) {
			some = true;
			take(trial, record);
			assert_ok(kryos_queue_ack(rig->queue, record->seq));
		}
		if (r < 0)
			FAIL("reading: %s", kryos_strerror(r));
		pthread_mutex_lock(&rig->store->lock);
		some |= rig->store->damaged_segment != 0;
		pthread_mutex_unlock(&rig->store->lock);
		if (!some)
			break;
	}
	if (trial->value != 3)
		FAIL("%" PRId64 " of 3 new samples are delivered", trial->value);
	for (int64_t seq = master->acked + 1; seq <= master->newest; seq++) {
		if (!master->rows[seq].promised || trial->delivered[seq])
			continue;
		if (!trial->gap[seq])
			FAIL("seq %" PRId64 " was accepted, is not delivered, and no gap says so", seq);
		lost++;
	}
	if (lost > trial->pages * ROWS_OF_PAGE)
		FAIL("%d samples are lost to %d pages", lost, trial->pages);
	rig_stop(rig);
	if (again) {
		start(rig);
		rig_append(rig, rig->fridge, NEW_VALUES);
		rig_stop(rig);
	}
	return lost;
}

static void whatever_is_hit_the_rest_is_delivered_and_what_is_gone_is_said(void **state)
{
	uint64_t seed = seed_from_environment(20261120), random;
	struct rig *rig = *state;
	struct master *master = calloc(1, sizeof(*master));
	int64_t value = 0;
	int lost = 0, hit = 0, trials = getenv("KRYOS_TEST_LONG") ? 20 * TRIALS : TRIALS;

	make_master(rig, master, &value);
	for (int i = 0; i < trials; i++) {
		struct trial trial = { .master = master };
		bool cut = i % 2;

		snprintf(trial.what, sizeof(trial.what), "KRYOS_SEED=%" PRIu64 ", trial %d:", seed, i);
		random = (seed + (uint64_t)i) * UINT64_C(0x9e3779b97f4a7c15) + 1;
		snprintf(rig->path, sizeof(rig->path), "%s/%d", rig->folder, i);
		assert_int_equal(mkdir(rig->path, 0770), 0);
		lay_out(&trial, rig->path, &random, cut);
		int gone = try_damage(rig, &trial, i % 4 == 0);

		lost += gone;
		hit += gone > 0;
		scratch_free(strdup(rig->path));
	}
	print_message("%d places damaged, in %d of them %d samples were lost, each in a gap record\n", trials, hit,
	              lost);
	for (int i = 0; i < master->count; i++)
		free(master->files[i].data);
	free(master->torn.data);
	free(master);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(whatever_is_hit_the_rest_is_delivered_and_what_is_gone_is_said,
		                                rig_setup, rig_teardown),
	};

	if (!getenv("TMPDIR") && access("/dev/shm", W_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
