/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store keeps: by "alarm:<channel>" the state of a channel, by "alarms" which channels those are. A state is
 * lines of text, the last two of which say how many bytes of the exposure follow, behind how many of the evaluator.
 * The store has a checksum on it. Where the evaluator's part is too long to be kept it is left out, and made again from
 * the samples.
 */
#include "../config/config.h"
#include "private.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "monitor 1"
#define LIST "alarms"
#define KEY "alarm:"

static void write_instant(FILE *stream, const char *word, const struct kryos_instant *instant)
{
	fprintf(stream, "%s %" PRIu32 " %" PRId64 " %" PRId64 " %" PRIu32, word, instant->boot, instant->t_boot_ns,
	        instant->t_wall_ns, instant->trust);
}

static void write_head(FILE *stream, const struct kri_watched *watched)
{
	char text[KRYOS_EPISODE_TEXT_MAX];

	fprintf(stream, HEAD "\nunit %s\nevery %" PRId64 "\nrecord %" PRId64 "\n", watched->unit, watched->interval_ns,
	        watched->record_ns);
	if (watched->has_judged) {
		write_instant(stream, "judged", &watched->judged);
		fputc('\n', stream);
	}
	if (watched->lasts)
		fprintf(stream, "state %d\n", watched->state.value_micro != 0);
	if (watched->replayed_seq)
		fprintf(stream, "seq %" PRId64 "\n", watched->replayed_seq);
	if (watched->retired) {
		write_instant(stream, "retired", &watched->retired_at);
		fprintf(stream, "\n%s\n%s\n", watched->retired_by, watched->retired_why);
	}
	if (watched->older)
		fprintf(stream, "older %" PRIu32 "\n", watched->older);
	for (const struct kri_alarm *alarm = watched->alarms; alarm; alarm = alarm->next) {
		write_instant(stream, alarm->acknowledged ? "acknowledged" : "alarm", &alarm->at);
		fprintf(stream, "\n%s\n%s\n%s\n", alarm->by, alarm->comment, kryos_episode_text(&alarm->episode, text));
	}
}

/* The evaluator's bytes and the exposure's; none where there is no room, or no temperature. */
struct parts {
	void *judged, *exposed;
	size_t judged_count, exposed_count;
};

static int save_parts(const struct kri_watched *watched, struct parts *parts)
{
	int r = kryos_evaluator_save(watched->evaluator, &parts->judged, &parts->judged_count);

	if (r >= 0 && watched->history)
		r = kryos_history_save(watched->history, &parts->exposed, &parts->exposed_count);
	return r;
}

static void free_parts(struct parts *parts)
{
	free(parts->judged);
	free(parts->exposed);
}

static int write_all(FILE *stream, const struct kri_watched *watched, const struct parts *parts)
{
	size_t judged_count = parts->judged_count;
	long at;

	write_head(stream, watched);
	fflush(stream);
	at = ftell(stream);
	if (watched->unjudged || at < 0 || (size_t)at + judged_count + parts->exposed_count + 64 > KRI_STATE_BYTES_MAX)
		judged_count = 0;
	fprintf(stream, "exposure %zu\nevaluator %zu\n", parts->exposed_count, judged_count);
	if (judged_count)
		fwrite(parts->judged, 1, judged_count, stream);
	if (parts->exposed_count)
		fwrite(parts->exposed, 1, parts->exposed_count, stream);
	return ferror(stream) ? -ENOMEM : 0;
}

static int write_state(const struct kri_watched *watched, char **ret_bytes, size_t *ret_count)
{
	struct parts parts = { 0 };
	FILE *stream = NULL;
	int r = save_parts(watched, &parts);

	*ret_bytes = NULL;
	if (r >= 0) {
		stream = open_memstream(ret_bytes, ret_count);
		r = stream ? write_all(stream, watched, &parts) : -ENOMEM;
	}
	free_parts(&parts);
	if (stream && fclose(stream) != 0)
		r = -ENOMEM;
	if (r < 0) {
		free(*ret_bytes);
		*ret_bytes = NULL;
	}
	return r;
}

static const char *key_of(const char *channel, char key[72])
{
	snprintf(key, 72, KEY "%s", channel);
	return key;
}

int kri_watched_put_state(struct kri_watched *watched, const struct kryos_event *events, size_t count)
{
	char key[72], *bytes = NULL;
	size_t byte_count = 0;
	int r = watched->leaving ? 0 : write_state(watched, &bytes, &byte_count);

	if (r >= 0)
		r = kri_store_put_state(watched->monitor->store, key_of(watched->name, key), bytes, byte_count, events,
		                        count);
	free(bytes);
	return r;
}

/* What is read, line by line. */
struct text {
	char *at, *end;
};

/* NULL: there is no whole line. */
static char *next_line(struct text *text)
{
	char *line = text->at, *end = memchr(line, '\n', (size_t)(text->end - line));

	if (!end)
		return NULL;
	*end = '\0';
	text->at = end + 1;
	return line;
}

static bool next_into(struct text *text, char *to, size_t size)
{
	const char *line = next_line(text);

	if (!line || strlen(line) >= size)
		return false;
	strcpy(to, line);
	return true;
}

/* A word, then count numbers, blanks between, and nothing else. */
static bool read_numbers(const char *line, const char *word, int64_t *ret_numbers, int count)
{
	size_t length = strlen(word);
	char *end;

	if (strncmp(line, word, length) != 0)
		return false;
	line += length;
	for (int i = 0; i < count; i++) {
		errno = 0;
		ret_numbers[i] = strtoll(line, &end, 10);
		if (*line != ' ' || errno || end == line)
			return false;
		line = end;
	}
	return !*line;
}

static bool read_instant(const char *line, const char *word, struct kryos_instant *ret_instant)
{
	int64_t numbers[4];

	if (!read_numbers(line, word, numbers, 4) || numbers[0] < 0 || numbers[0] > UINT32_MAX || numbers[1] < 0 ||
	    numbers[3] < 0 || numbers[3] > KRYOS_TRUST_SYNCED)
		return false;
	*ret_instant = (struct kryos_instant){ .boot = (uint32_t)numbers[0],
		                               .t_boot_ns = numbers[1],
		                               .t_wall_ns = numbers[2],
		                               .trust = (uint32_t)numbers[3] };
	return true;
}

static bool read_alarm(struct kri_watched *watched, struct text *text, const struct kryos_instant *at,
                       bool acknowledged)
{
	struct kri_alarm *alarm = calloc(1, sizeof(*alarm)), **end = &watched->alarms;
	const char *episode;

	if (!alarm)
		return false;
	while (*end)
		end = &(*end)->next;
	*end = alarm; /* goes with the channel */
	alarm->at = *at;
	alarm->acknowledged = acknowledged;
	if (!next_into(text, alarm->by, sizeof(alarm->by)) || !next_into(text, alarm->comment, sizeof(alarm->comment)))
		return false;
	episode = next_line(text);
	if (!episode || kryos_episode_parse(&alarm->episode, episode) < 0)
		return false;
	alarm->episode.rule.name = alarm->episode.name;
	return true;
}

/* How the channel is measured: for those who only look. Who watches it says that himself. */
static bool read_setting(struct kri_watched *watched, const char *line)
{
	const char *unit = strncmp(line, "unit ", 5) == 0 ? line + 5 : NULL;
	int64_t number;

	if (unit && strlen(unit) < sizeof(watched->unit)) {
		if (watched->visited)
			strcpy(watched->unit, unit);
		return true;
	}
	if (read_numbers(line, "every", &number, 1) && number >= 0 && number <= KRYOS_DAYS(1)) {
		if (watched->visited)
			watched->interval_ns = number;
		return true;
	}
	if (read_numbers(line, "record", &number, 1) && number >= 0 && number <= KRYOS_DAYS(1)) {
		if (watched->visited)
			watched->record_ns = number;
		return true;
	}
	return false;
}

/* How many bytes of the evaluator follow, and behind them of the exposure; < 0: these lines are not ours. */
static int64_t read_head(struct kri_watched *watched, struct text *text, int64_t *ret_exposed)
{
	char *line = next_line(text);
	struct kryos_instant instant;
	int64_t number;

	if (!line || strcmp(line, HEAD) != 0)
		return -1;
	while ((line = next_line(text))) {
		if (read_numbers(line, "evaluator", &number, 1))
			return number == text->end - text->at - *ret_exposed ? number : -1;
		if (read_numbers(line, "exposure", &number, 1) && number >= 0 && number <= text->end - text->at) {
			*ret_exposed = number;
		} else if (read_instant(line, "judged", &instant)) {
			watched->has_judged = true;
			watched->judged = instant;
		} else if (read_numbers(line, "state", &number, 1) && (number == 0 || number == 1)) {
			watched->lasts = true;
			watched->state.value_micro = number * 1000000;
		} else if (read_numbers(line, "seq", &number, 1) && number > 0) {
			watched->replayed_seq = number;
		} else if (read_numbers(line, "older", &number, 1) && number > 0 && number <= UINT32_MAX) {
			watched->older = (uint32_t)number;
		} else if (read_instant(line, "retired", &watched->retired_at)) {
			watched->retired = true;
			if (!next_into(text, watched->retired_by, sizeof(watched->retired_by)) ||
			    !next_into(text, watched->retired_why, sizeof(watched->retired_why)))
				return -1;
		} else if (read_instant(line, "alarm", &instant) || read_instant(line, "acknowledged", &instant)) {
			if (!read_alarm(watched, text, &instant, line[1] == 'c'))
				return -1;
		} else if (!read_setting(watched, line)) {
			return -1;
		}
	}
	return -1;
}

/* What is kept of the evaluator and of the exposure, one behind the other. */
static int restore(struct kri_watched *watched, const char *bytes, size_t judged, size_t exposed)
{
	int r = 0;

	if (watched->visited)
		return kri_visited_restore(watched, bytes, judged, exposed);
	if (judged > 0)
		r = kryos_evaluator_restore(watched->evaluator, bytes, judged);
	kri_watched_restore_history(watched, bytes + judged, exposed);
	return r;
}

int kri_watched_get_state(struct kri_watched *watched, int64_t *ret_seq, bool *ret_judged)
{
	char key[72];
	struct text text;
	void *bytes;
	size_t count;
	int64_t judged, exposed = 0;
	int r = kri_store_get_state(watched->monitor->store, key_of(watched->name, key), &bytes, &count, ret_seq);

	if (r < 0)
		return r;
	text = (struct text){ .at = bytes, .end = (char *)bytes + count };
	judged = read_head(watched, &text, &exposed);
	if (judged < 0)
		r = kryos_fail(KRYOS_ECORRUPT, "what is kept of it is no state of this version");
	else
		r = restore(watched, text.at, (size_t)judged, (size_t)exposed);
	free(bytes);
	if (r < 0)
		return r;
	*ret_judged = judged > 0;
	if (watched->replayed_seq)
		*ret_seq = watched->replayed_seq;
	watched->replayed_seq = 0;
	return 0;
}

int kri_known_get(struct kryos_monitor *monitor)
{
	struct text text;
	void *bytes;
	size_t count;
	int64_t seq;
	int r = kri_store_get_state(monitor->store, LIST, &bytes, &count, &seq);
	const char *line;

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	text = (struct text){ .at = bytes, .end = (char *)bytes + count };
	while (r >= 0 && (line = next_line(&text))) {
		char **known = realloc(monitor->known, (monitor->known_count + 1) * sizeof(*known));
		char *name = strdup(line);

		r = known && name ? 0 : -ENOMEM;
		monitor->known = known ? known : monitor->known;
		if (r >= 0)
			monitor->known[monitor->known_count++] = name;
		else
			free(name);
	}
	free(bytes);
	return r;
}

static void put_known(struct kryos_monitor *monitor)
{
	char *bytes = NULL;
	size_t count = 0;
	FILE *stream = open_memstream(&bytes, &count);
	int r = stream ? 0 : -ENOMEM;

	for (size_t i = 0; stream && i < monitor->known_count; i++)
		fprintf(stream, "%s\n", monitor->known[i]);
	if (stream && fclose(stream) != 0)
		r = -ENOMEM;
	if (r >= 0)
		r = kri_store_put_state(monitor->store, LIST, count ? bytes : NULL, count, NULL, 0);
	if (r < 0)
		kri_log(monitor->ctx, KRYOS_LOG_WARNING, "monitor", r, "which channels are watched is not stored: %s",
		        kryos_strerror(r));
	free(bytes);
}

bool kri_known_has(const struct kryos_monitor *monitor, const char *channel)
{
	for (size_t i = 0; i < monitor->known_count; i++)
		if (strcmp(monitor->known[i], channel) == 0)
			return true;
	return false;
}

int kri_known_add(struct kryos_monitor *monitor, const char *channel)
{
	char **known, *name;

	if (kri_known_has(monitor, channel))
		return 0;
	known = realloc(monitor->known, (monitor->known_count + 1) * sizeof(*known));
	if (!known)
		return -ENOMEM;
	monitor->known = known;
	name = strdup(channel);
	if (!name)
		return -ENOMEM;
	known[monitor->known_count++] = name;
	put_known(monitor);
	return 0;
}

void kri_known_remove(struct kryos_monitor *monitor, const char *channel)
{
	for (size_t i = 0; i < monitor->known_count; i++) {
		if (strcmp(monitor->known[i], channel) != 0)
			continue;
		free(monitor->known[i]);
		monitor->known[i] = monitor->known[--monitor->known_count];
		put_known(monitor);
		return;
	}
}

void kri_known_free(struct kryos_monitor *monitor)
{
	while (monitor->known_count)
		free(monitor->known[--monitor->known_count]);
	free(monitor->known);
}

const char *kri_monitor_known(struct kryos_monitor *monitor, unsigned int index)
{
	for (size_t i = 0; i < monitor->known_count; i++)
		if (!kri_monitor_is_leaving(monitor, monitor->known[i]) && index-- == 0)
			return monitor->known[i];
	return NULL;
}
