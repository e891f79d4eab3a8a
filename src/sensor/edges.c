/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of a channel of two states, told when they happen, and not with the next measurement.
 *
 *     steady --edge--> moving --no edge for the debounce time--> steady, told with the time of the first edge
 *
 * All of it goes by the edges' own stamps, so that a loop which comes to them late finds the same. An edge
 * that the bus has debounced is a change at once. A measurement that finds another state than the edges led to
 * waits a second for the edge that may be on its way, then is told as what it is: a change that nobody saw.
 *
 * A contact that chatters must not fill the store: beyond a burst changes are counted and not told, and the
 * state it comes to is told with their number.
 */
#include "sensor.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_WAITING 64
#define ON_ITS_WAY_NS KRYOS_SECONDS(1)
/* A clinic's busiest hour opens a door less often than this for long. */
#define BURST 60
#define PER_CHANGE_NS KRYOS_SECONDS(10)

struct kri_edges {
	struct kryos_sensor *sensor;

	pthread_mutex_t lock; /* down to note */
	bool stopped;         /* written on the context thread only */
	struct kryos_edge waiting[MAX_WAITING];
	size_t count;
	struct kri_note note;

	/* Context thread only. */
	bool known;       /* the state is; not where the chip is away */
	int state;        /* 0 or 1 */
	int64_t since_ns; /* when it began; 0: that was not seen */
	bool moving;
	int next;         /* the state it may have gone to */
	bool seen;        /* by an edge */
	int64_t first_ns; /* when it left the state */
	int64_t edge_ns;  /* the last edge, as of when the bus told it */
	struct kri_timer settled, calm;
	uint32_t lost;   /* edges, since the last change that was told */
	uint32_t untold; /* changes, since then */
	unsigned int credit;
	int64_t credit_ns; /* as of then */
};

/* 60 at first, one more for every ten seconds. */
static bool may_tell(struct kri_edges *edges, int64_t now)
{
	int64_t earned = (now - edges->credit_ns) / PER_CHANGE_NS;

	if (earned > 0) {
		edges->credit = earned >= BURST - (int64_t)edges->credit ? BURST : edges->credit + (unsigned int)earned;
		edges->credit_ns += earned * PER_CHANGE_NS;
	}
	if (!edges->credit)
		return false;
	edges->credit--;
	return true;
}

static void describe(const struct kri_edges *edges, const char *const states[2], int64_t lasted_ns, bool seen,
                     char *text, size_t size)
{
	size_t length = (size_t)snprintf(text, size, "%s", states[edges->state]);

	if (lasted_ns)
		length += (size_t)snprintf(text + length, size - length, " after %" PRId64 ".%03" PRId64 " s %s",
		                           lasted_ns / KRYOS_SECONDS(1),
		                           lasted_ns % KRYOS_SECONDS(1) / KRYOS_MILLISECONDS(1), states[!edges->state]);
	if (!seen)
		length += (size_t)snprintf(text + length, size - length,
		                           "; found by measuring, the change itself was not seen");
	if (edges->untold)
		length += (size_t)snprintf(text + length, size - length,
		                           "; %" PRIu32 " changes before were too many to record", edges->untold);
	if (edges->lost)
		snprintf(text + length, size - length, "; %" PRIu32 " edges before were lost", edges->lost);
}

static void tell(struct kri_edges *edges, int64_t lasted_ns, int64_t t_boot_ns, bool seen)
{
	struct kryos_sensor *sensor = edges->sensor;
	char text[256];
	struct kryos_event event = {
		.size = sizeof(event),
		.type = KRYOS_EVENT_STATE,
		.code = edges->state,
		.name = kryos_channel_name(sensor->ctx, sensor->channels[0]),
		.text = text,
		.value_ns = lasted_ns,
		.sample = { .channel = sensor->channels[0],
		            .value_micro = edges->state ? 1000000 : 0,
		            .t_boot_ns = t_boot_ns },
	};

	describe(edges, sensor->has.channels[0].states, lasted_ns, seen, text, sizeof(text));
	kri_stamp(sensor->ctx, &event.sample, 1);
	edges->untold = edges->lost = 0;
	kri_timer_cancel(sensor->ctx, &edges->calm);
	kri_log(sensor->ctx, KRYOS_LOG_INFO, "sensor", 0, "%s: %s", event.name, text);
	kri_event_push(sensor->ctx, &event);
	if (sensor->announced)
		sensor->announced(sensor->announced_data, &event);
}

static void stop_moving(struct kri_edges *edges)
{
	edges->moving = false;
	kri_timer_cancel(edges->sensor->ctx, &edges->settled);
}

/* What began at first_ns has stood. */
static void change(struct kri_edges *edges)
{
	struct kryos_ctx *ctx = edges->sensor->ctx;
	int64_t lasted = edges->since_ns && edges->seen ? edges->first_ns - edges->since_ns : 0, now;

	stop_moving(edges);
	if (edges->next == edges->state)
		return;
	edges->state = edges->next;
	edges->since_ns = edges->seen ? edges->first_ns : 0;
	now = kri_boot_ns(ctx);
	if (may_tell(edges, now)) {
		/* Before a change that was told lie others that were not: how long its state lasted is not known. */
		tell(edges, edges->untold || edges->lost ? 0 : lasted, edges->first_ns, edges->seen);
		return;
	}
	edges->untold++;
	kri_timer_set(ctx, &edges->calm, edges->credit_ns + PER_CHANGE_NS);
}

static void on_settled(struct kri_timer *timer)
{
	change(KRI_CONTAINER_OF(timer, struct kri_edges, settled));
}

/* What it came to after changes that were too many. The last of them is the one that is told. */
static void on_calm(struct kri_timer *timer)
{
	struct kri_edges *edges = KRI_CONTAINER_OF(timer, struct kri_edges, calm);
	int64_t now = kri_boot_ns(edges->sensor->ctx);

	if (!may_tell(edges, now)) {
		kri_timer_set(edges->sensor->ctx, &edges->calm, edges->credit_ns + PER_CHANGE_NS);
		return;
	}
	edges->untold--;
	tell(edges, 0, edges->since_ns ? edges->since_ns : now, edges->since_ns != 0);
}

static void take(struct kri_edges *edges, const struct kryos_edge *edge)
{
	struct kryos_ctx *ctx = edges->sensor->ctx;
	const struct kryos_line_config *line = &kri_dev_line(edges->sensor->dev)->request.config;

	edges->lost += edge->lost;
	/* It stood for long enough before this edge, though nobody looked then. */
	if (edges->moving && edges->seen && edge->t_boot_ns >= edges->settled.due_ns)
		change(edges);
	if (!edges->known) {
		edges->known = true;
		edges->state = !edge->active;
		edges->since_ns = 0;
	} else if (edge->settled && edges->state == (edge->active != 0) && !edge->lost) {
		edges->lost++; /* that in between, of which the bus knows nothing */
	}
	edges->edge_ns = edge->t_boot_ns + (edge->settled ? line->debounce_ns : 0);
	if (!edges->moving || !edges->seen)
		edges->first_ns = edge->t_boot_ns;
	edges->moving = edges->seen = true;
	edges->next = edge->active != 0;
	if (edge->settled)
		change(edges);
	else
		kri_timer_set(ctx, &edges->settled, edge->t_boot_ns + line->debounce_ns);
}

static void deliver(struct kri_note *note)
{
	struct kri_edges *edges = KRI_CONTAINER_OF(note, struct kri_edges, note);
	struct kryos_edge waiting[MAX_WAITING];
	size_t count;

	pthread_mutex_lock(&edges->lock);
	count = edges->count;
	for (size_t i = 0; i < count; i++)
		waiting[i] = edges->waiting[i];
	edges->count = 0;
	pthread_mutex_unlock(&edges->lock);
	for (size_t i = 0; i < count && !edges->stopped; i++)
		take(edges, &waiting[i]);
}

/* On a thread of the bus. Where too many wait the newest stands for those it follows, which count as lost. */
static void on_edge(void *data, const struct kryos_edge *edge)
{
	struct kri_edges *edges = data;
	uint32_t lost = 0;

	pthread_mutex_lock(&edges->lock);
	if (!edges->stopped) {
		if (edges->count == MAX_WAITING)
			lost = edges->waiting[--edges->count].lost + 1;
		edges->waiting[edges->count] = *edge;
		edges->waiting[edges->count++].lost += lost;
		kri_note_post(edges->sensor->ctx, &edges->note); /* under the lock: none is posted after a stop */
	}
	pthread_mutex_unlock(&edges->lock);
}

int kri_edges_new(struct kryos_sensor *sensor)
{
	struct kryos_line_request *request = &kri_dev_line(sensor->dev)->request;
	struct kri_edges *edges = calloc(1, sizeof(*edges));

	if (!edges)
		return -ENOMEM;
	pthread_mutex_init(&edges->lock, NULL);
	edges->sensor = sensor;
	edges->note.deliver = deliver;
	edges->settled.fire = on_settled;
	edges->calm.fire = on_calm;
	edges->credit = BURST;
	edges->credit_ns = kri_boot_ns(sensor->ctx);
	request->edge = on_edge;
	request->data = edges;
	sensor->edges = edges;
	return 0;
}

void kri_edges_stop(struct kri_edges *edges)
{
	if (!edges)
		return;
	pthread_mutex_lock(&edges->lock);
	edges->stopped = true;
	pthread_mutex_unlock(&edges->lock);
	kri_note_cancel(edges->sensor->ctx, &edges->note);
	kri_timer_cancel(edges->sensor->ctx, &edges->settled);
	kri_timer_cancel(edges->sensor->ctx, &edges->calm);
}

void kri_edges_free(struct kri_edges *edges)
{
	if (!edges)
		return;
	pthread_mutex_destroy(&edges->lock);
	free(edges);
}

void kri_edges_measured(struct kri_edges *edges, const struct kri_measured *measured)
{
	const struct kryos_sample *sample = &measured->samples[0];
	int state;

	if (!edges || edges->stopped)
		return;
	if (measured->code < 0 || !measured->count || sample->quality != KRYOS_QUALITY_GOOD) {
		stop_moving(edges);
		edges->known = false;
		return;
	}
	state = sample->value_micro != 0;
	if (!edges->known) {
		edges->known = true;
		edges->state = state;
		edges->since_ns = 0;
	} else if (edges->edge_ns >= sample->t_boot_ns) {
		return; /* it may be of before that edge */
	} else if (!edges->moving && state != edges->state) {
		edges->moving = true;
		edges->seen = false;
		edges->next = state;
		edges->first_ns = sample->t_boot_ns;
		kri_timer_set(edges->sensor->ctx, &edges->settled, kri_boot_ns(edges->sensor->ctx) + ON_ITS_WAY_NS);
	} else if (edges->moving && !edges->seen && state == edges->state) {
		stop_moving(edges);
	}
}
