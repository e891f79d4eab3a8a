/* SPDX-License-Identifier: Apache-2.0 */
#include "board.h"
#include <inttypes.h>
#include <stdio.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* As many as this modem's buffer takes; and how long its far end takes to confirm. */
enum { WINDOW = 8, CONFIRM_MS = 50 };

/* The one modem that is soldered to this board. */
static struct {
	int64_t sent[WINDOW];
	int count;
	int fd; /* a timer, 0: not made yet */
} modem;

int modem_fd(void)
{
	if (!modem.fd)
		modem.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return modem.fd;
}

void modem_process(struct kryos_queue *queue)
{
	uint64_t expired;

	if (read(modem_fd(), &expired, sizeof(expired)) != sizeof(expired))
		return;
	for (int i = 0; i < modem.count; i++) {
		int r = kryos_queue_ack(queue, modem.sent[i]);

		if (r < 0)
			printf("modem: %" PRId64 " was confirmed, but %s\n", modem.sent[i], kryos_strerror(r));
		else
			printf("modem: confirmed %" PRId64 "\n", modem.sent[i]);
	}
	fflush(stdout);
	modem.count = 0;
}

int modem_has_room(void)
{
	return modem.count < WINDOW;
}

/* "-" where nothing was measured: the 0 that stands there would be taken for a temperature. */
static const char *value_text(const struct kryos_sample *sample, char *buffer)
{
	return kryos_quality_is_measured(sample->quality) ? kryos_value_text(sample->value_micro, buffer) : "-";
}

void modem_send(const struct kryos_record *record)
{
	const struct itimerspec soon = { .it_value.tv_nsec = CONFIRM_MS * 1000000L };
	char value[KRYOS_TEXT_MAX];

	/* What a real one puts on the air: the record's id and what it says. */
	if (record->event)
		printf("modem: sends %" PRId64 ": %s %s\n", record->seq, kryos_event_type_name(record->event->type),
		       record->event->name);
	else
		printf("modem: sends %" PRId64 ": %s %s %s %s\n", record->seq, record->channel,
		       value_text(&record->sample, value), record->unit, kryos_quality_name(record->sample.quality));
	fflush(stdout);
	modem.sent[modem.count++] = record->seq;
	timerfd_settime(modem_fd(), 0, &soon, NULL);
}

void panel_show(const struct kryos_event *event)
{
	char value[KRYOS_TEXT_MAX];

	if (event->type == KRYOS_EVENT_SAMPLE)
		printf("panel: %s %s\n", value_text(&event->sample, value), kryos_quality_name(event->sample.quality));
	else
		printf("panel: %s %s%s%s\n", kryos_event_type_name(event->type), event->name, *event->text ? ": " : "",
		       event->text);
	fflush(stdout);
}

void panel_fault(const char *text)
{
	fprintf(stderr, "embed: %s\n", text);
}
