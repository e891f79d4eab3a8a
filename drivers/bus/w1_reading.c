/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chips of 1-Wire buses that are read at the same time, a thread each.
 *
 * Reading a chip makes the kernel convert, and it sleeps for that. For a chip with a supply of its own it lets go of
 * the bus meanwhile (convert_t of drivers/w1/slaves/w1_therm.c, since Linux 5.8), so that all of them convert at once,
 * of one master or of several. A chip that lives on its data line holds the bus, and the next one waits: such get no
 * thread.
 *
 * A reading is held by its list and by its thread, which may outlive the bus where it hangs in the kernel.
 */
#include "core/core.h"
#include "w1_sysfs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 64
/* Several times what the slowest takes; and what was begun before that is of another measurement. */
#define LONGEST_NS KRYOS_SECONDS(5)
/* When the bus is closed: its worker is waited for a second. */
#define CLOSE_NS KRYOS_MILLISECONDS(900)

struct reading {
	struct reading *next;
	atomic_int refs;
	char root[512], chip[16];
	int64_t begun_ns;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under lock. */
	bool done;
	int result;
	char text[256];
	uint8_t scratchpad[9];
};

static void unref(struct reading *reading)
{
	if (atomic_fetch_sub(&reading->refs, 1) != 1)
		return;
	pthread_cond_destroy(&reading->changed);
	pthread_mutex_destroy(&reading->lock);
	free(reading);
}

static void read_main(void *data)
{
	struct reading *reading = data;
	uint8_t scratchpad[9] = { 0 };
	int r = kri_w1_read_slave(reading->root, reading->chip, scratchpad);

	pthread_mutex_lock(&reading->lock);
	reading->result = r;
	if (r < 0)
		snprintf(reading->text, sizeof(reading->text), "%s", kryos_strerror(r));
	memcpy(reading->scratchpad, scratchpad, sizeof(scratchpad));
	reading->done = true;
	pthread_cond_broadcast(&reading->changed);
	pthread_mutex_unlock(&reading->lock);
	unref(reading);
}

/* Whether it ended by then. */
static bool wait_for(struct reading *reading, int64_t end_ns)
{
	bool done;

	pthread_mutex_lock(&reading->lock);
	while (!reading->done && kri_real_ns() < end_ns)
		(void)kri_cond_wait(&reading->changed, &reading->lock, end_ns - kri_real_ns());
	done = reading->done;
	pthread_mutex_unlock(&reading->lock);
	return done;
}

static struct reading **find(struct kri_w1_readings *readings, const char *chip)
{
	struct reading **at = &readings->first;

	while (*at && strcmp((*at)->chip, chip) != 0)
		at = &(*at)->next;
	return at;
}

static void take_out(struct kri_w1_readings *readings, struct reading **at)
{
	struct reading *reading = *at;

	*at = reading->next;
	readings->count--;
	unref(reading);
}

int kri_w1_begin(struct kri_w1_readings *readings, const char *root, const char *chip)
{
	struct reading **at = find(readings, chip), *reading;
	int r;

	/* One that hangs has its chip until it ends; another would wait behind it. */
	if (*at && !wait_for(*at, 0))
		return -EBUSY;
	if (*at)
		take_out(readings, at);
	if (readings->count >= MOST)
		return -EAGAIN;
	reading = calloc(1, sizeof(*reading));
	if (!reading)
		return -ENOMEM;
	atomic_init(&reading->refs, 2);
	pthread_mutex_init(&reading->lock, NULL);
	kri_cond_init(&reading->changed);
	snprintf(reading->root, sizeof(reading->root), "%s", root);
	snprintf(reading->chip, sizeof(reading->chip), "%s", chip);
	reading->begun_ns = kri_real_ns();
	r = kri_thread_start("kr-w1-read", read_main, reading);
	if (r < 0) {
		atomic_store(&reading->refs, 1);
		unref(reading);
		return r;
	}
	reading->next = readings->first;
	readings->first = reading;
	readings->count++;
	return 0;
}

bool kri_w1_take(struct kri_w1_readings *readings, const char *chip, uint8_t scratchpad[9], int *ret_result)
{
	struct reading **at = find(readings, chip), *reading = *at;

	if (!reading)
		return false;
	if (!wait_for(reading, reading->begun_ns + LONGEST_NS)) {
		*ret_result = kryos_fail(-ETIMEDOUT, "%s: its reading hangs in the kernel", chip);
		return true;
	}
	if (kri_real_ns() - reading->begun_ns > LONGEST_NS) {
		take_out(readings, at);
		return false;
	}
	*ret_result = reading->result < 0 ? kryos_fail(reading->result, "%s", reading->text) : 0;
	if (*ret_result >= 0)
		memcpy(scratchpad, reading->scratchpad, sizeof(reading->scratchpad));
	take_out(readings, at);
	return true;
}

void kri_w1_forget(struct kri_w1_readings *readings)
{
	int64_t end_ns = kri_real_ns() + CLOSE_NS;

	while (readings->first) {
		(void)wait_for(readings->first, end_ns);
		take_out(readings, &readings->first);
	}
}
