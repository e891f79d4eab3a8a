/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store costs beside the limit (a bare write+fdatasync loop) and beside bare SQLite, in one
 * run on one file system:
 *
 *     store FOLDER [--sync-ms N] [--rounds N] [--samples N]
 *
 * --sync-ms makes each sync that much slower, as a card would. The subjects take turns, so that a
 * machine whose speed drifts treats them alike; the figures are medians over rounds. Bytes are
 * write_bytes of /proc/self/io, which does not count the file system's own journal.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <inttypes.h>
#include <kryos/kryos.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_ROUNDS 15
#define ROW "0123456789012345678901234567890123456789012345678901234567890123"

static atomic_long sync_us;
static atomic_ulong sync_count;

static int slow_sync(const char *name, int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
	int r = real(fd);

	atomic_fetch_add(&sync_count, 1);
	if (atomic_load(&sync_us))
		usleep((useconds_t)atomic_load(&sync_us));
	return r;
}

/* The program's own come before libc's, for the shared SQLite too. */
__attribute__((visibility("default"))) int fsync(int fd)
{
	return slow_sync("fsync", fd);
}

__attribute__((visibility("default"))) int fdatasync(int fd)
{
	return slow_sync("fdatasync", fd);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int64_t written(void)
{
	FILE *file = fopen("/proc/self/io", "r");
	char line[128];
	int64_t bytes = -1;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "write_bytes: %" SCNd64, &bytes) == 1)
			break;
	if (file)
		fclose(file);
	return bytes;
}

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "store: %s: %s\n", what, kryos_strerror(r));
	exit(1);
}

struct figure {
	double rate;  /* samples per second */
	double bytes; /* per sample */
	double syncs; /* per commit */
};

static const char *folder;

/* The physical limit: as many bytes as a row has, appended and synced. */
static struct figure raw(int samples, int batch)
{
	char path[PATH_MAX], block[100 * 64];
	int64_t bytes;
	double began;
	int fd;

	snprintf(path, sizeof(path), "%s/raw", folder);
	unlink(path);
	fd = open(path, O_CREAT | O_WRONLY | O_APPEND, 0600);
	memset(block, 'x', sizeof(block));
	bytes = written();
	began = seconds();
	for (int i = 0; i < samples; i += batch)
		if (write(fd, block, (size_t)batch * 64) < 0 || fdatasync(fd))
			perror(path);
	began = seconds() - began;
	close(fd);
	unlink(path);
	return (struct figure){ samples / began, (double)(written() - bytes) / samples, 1 };
}

/* The same through SQLite as a careful program would use it: one table, WAL, FULL, 512-byte pages. */
static struct figure sqlite(int samples, int batch)
{
	char path[PATH_MAX], wal[PATH_MAX + 8];
	sqlite3_stmt *insert;
	sqlite3 *db;
	int64_t bytes;
	double began;

	snprintf(path, sizeof(path), "%s/bare.db", folder);
	snprintf(wal, sizeof(wal), "%s-wal", path);
	unlink(path);
	unlink(wal);
	if (sqlite3_open(path, &db) != SQLITE_OK)
		exit(1);
	sqlite3_exec(db,
	             "PRAGMA page_size=512; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
	             "CREATE TABLE q(id INTEGER PRIMARY KEY, row BLOB)",
	             NULL, NULL, NULL);
	sqlite3_prepare_v2(db, "INSERT INTO q(row) VALUES(?)", -1, &insert, NULL);
	bytes = written();
	began = seconds();
	for (int i = 0; i < samples; i += batch) {
		sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
		for (int k = 0; k < batch; k++) {
			sqlite3_bind_blob(insert, 1, ROW, 64, SQLITE_STATIC);
			sqlite3_step(insert);
			sqlite3_reset(insert);
		}
		if (sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
			exit(1);
	}
	began = seconds() - began;
	bytes = written() - bytes;
	sqlite3_finalize(insert);
	sqlite3_close(db);
	unlink(path);
	return (struct figure){ samples / began, (double)bytes / samples, 1 };
}

static void remove_store(const char *path)
{
	char command[PATH_MAX + 16];

	snprintf(command, sizeof(command), "rm -rf '%s'", path);
	if (system(command))
		exit(1);
}

static struct kryos_store_status status_of(struct kryos_store *store)
{
	struct kryos_store_status status = { .size = sizeof(status) };

	must(kryos_store_get_status(store, &status), "status");
	return status;
}

/* Rows per second accepted; then each is read by a queue and acknowledged, which is in the bytes. */
static struct figure kryos(int samples, int batch, struct kryos_store_status *ret_status)
{
	struct kryos_sample rows[100];
	const struct kryos_record *record;
	struct kryos_store_status before, after;
	struct kryos_store *store = NULL;
	struct kryos_queue *queue = NULL;
	struct kryos_ctx *ctx = NULL;
	char path[PATH_MAX];
	uint32_t channel = 0;
	double began, took;
	int64_t bytes;

	snprintf(path, sizeof(path), "%s/store", folder);
	remove_store(path);
	must(kryos_ctx_new(&ctx, NULL), "context");
	must(kryos_channel_add(ctx, "fridge.temperature", "Cel", &channel), "channel");
	must(kryos_store_open(&store, ctx, path, NULL), "open");
	must(kryos_queue_open(&queue, store, "bench", NULL), "queue");
	/* As bare SQLite has its file and schema before the clock starts. */
	rows[0] = (struct kryos_sample){ .channel = channel };
	must(kryos_store_append(store, rows, 1), "append");
	before = status_of(store);
	bytes = written();
	began = seconds();
	for (int i = 0; i < samples; i += batch) {
		for (int k = 0; k < batch; k++)
			rows[k] = (struct kryos_sample){ .channel = channel,
				                         .value_micro = 5250000 + i,
				                         .round = (uint32_t)i };
		must(kryos_store_append(store, rows, (size_t)batch), "append");
	}
	took = seconds() - began;
	while (kryos_queue_next(queue, &record) > 0)
		must(kryos_queue_ack(queue, record->seq), "ack");
	must(kryos_queue_commit(queue), "commit");
	must(kryos_store_flush(store, KRYOS_SECONDS(30)), "flush");
	bytes = written() - bytes;
	after = status_of(store);
	after.commits -= before.commits;
	after.commit_syncs -= before.commit_syncs;
	after.checkpoint_syncs -= before.checkpoint_syncs;
	after.state_syncs -= before.state_syncs;
	after.rotation_syncs -= before.rotation_syncs;
	*ret_status = after;
	kryos_ctx_free(ctx);
	remove_store(path);
	return (struct figure){ samples / took, (double)bytes / samples,
		                (double)after.commit_syncs / (double)after.commits };
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, int count)
{
	qsort(values, (size_t)count, sizeof(*values), by_size);
	return values[count / 2];
}

static void compare(int samples, int batch, int rounds)
{
	double rates[3][MAX_ROUNDS], bytes[3][MAX_ROUNDS], to_raw[MAX_ROUNDS], to_sqlite[MAX_ROUNDS];
	struct kryos_store_status status = { 0 };

	for (int i = 0; i < rounds; i++) {
		struct figure figures[3] = { raw(samples, batch), sqlite(samples, batch),
			                     kryos(samples, batch, &status) };

		for (int k = 0; k < 3; k++) {
			rates[k][i] = figures[k].rate;
			bytes[k][i] = figures[k].bytes;
		}
		to_raw[i] = figures[2].rate / figures[0].rate;
		to_sqlite[i] = figures[2].rate / figures[1].rate;
	}
	printf("%5d  %9.0f  %9.0f  %9.0f  %8.3f  %9.3f  %7.0f  %7.0f  %7.0f\n", batch, median(rates[0], rounds),
	       median(rates[1], rounds), median(rates[2], rounds), median(to_raw, rounds), median(to_sqlite, rounds),
	       median(bytes[0], rounds), median(bytes[1], rounds), median(bytes[2], rounds));
	printf("       syncs per commit: %.4f; per append besides: checkpoint %.4f, state %.4f, rotation %.4f\n",
	       (double)status.commit_syncs / (double)status.commits,
	       (double)status.checkpoint_syncs / (double)status.commits,
	       (double)status.state_syncs / (double)status.commits,
	       (double)status.rotation_syncs / (double)status.commits);
	fflush(stdout);
}

static void open_time(int samples)
{
	struct kryos_sample *rows = calloc(4096, sizeof(*rows));
	double opens[9], cold;
	struct kryos_store *store = NULL;
	struct kryos_ctx *ctx = NULL;
	char path[PATH_MAX];
	uint32_t channel = 0;

	snprintf(path, sizeof(path), "%s/million", folder);
	remove_store(path);
	must(kryos_ctx_new(&ctx, NULL), "context");
	must(kryos_channel_add(ctx, "fridge.temperature", "Cel", &channel), "channel");
	must(kryos_store_open(&store, ctx, path, NULL), "open");
	for (int i = 0; i < samples; i += 4000) {
		memset(rows, 0, 4096 * sizeof(*rows));
		for (int k = 0; k < 4000; k++)
			rows[k] = (struct kryos_sample){ .channel = channel, .value_micro = i + k };
		must(kryos_store_append(store, rows, 4000), "append");
	}
	must(kryos_store_flush(store, KRYOS_SECONDS(60)), "flush");
	kryos_ctx_free(ctx);
	cold = 0;
	for (int i = 0; i < 9; i++) {
		double began;

		ctx = NULL;
		must(kryos_ctx_new(&ctx, NULL), "context");
		began = seconds();
		must(kryos_store_open(&store, ctx, path, NULL), "open");
		opens[i] = (seconds() - began) * 1e3;
		if (!i)
			cold = opens[i];
		kryos_ctx_free(ctx);
	}
	printf("open of a store with %d samples: first %.1f ms, median %.1f ms\n", samples, cold, median(opens, 9));
	remove_store(path);
	free(rows);
}

int main(int argc, char **argv)
{
	int rounds = 5, samples = 1000, sync_ms = 0;

	folder = argc > 1 ? argv[1] : ".";
	for (int i = 2; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--sync-ms") == 0)
			sync_ms = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--rounds") == 0)
			rounds = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--samples") == 0)
			samples = atoi(argv[i + 1]);
	}
	rounds = rounds < 1 || rounds > MAX_ROUNDS ? 5 : rounds;
	mkdir(folder, 0700);
	atomic_store(&sync_us, sync_ms * 1000L);
	printf("%s, +%d ms per sync, medians of %d rounds\n", folder, sync_ms, rounds);
	printf("batch   raw /s   sqlite /s   kryos /s   to raw  to sqlite   raw B  sqlite B  kryos B\n");
	compare(samples, 1, rounds);
	compare(samples * 10, 10, rounds);
	compare(samples * 100, 100, rounds);
	atomic_store(&sync_us, 0);
	open_time(1000000);
	return 0;
}
