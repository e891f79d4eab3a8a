/* SPDX-License-Identifier: Apache-2.0 */
/* The table of a station file: which sections and keys there are. */
#include "station_file.h"
#include <string.h>

const struct kri_section_info kri_station_sections[KRI_SECTION_COUNT] = {
	[KRI_SECTION_STATION] = { "station", false, 0, false },
	[KRI_SECTION_CLOCK] = { "clock", false, 0, false },
	[KRI_SECTION_POWER] = { "power", true, 31, false },
	[KRI_SECTION_SENSOR] = { "sensor", true, 31, false },
	[KRI_SECTION_CHANNEL] = { "channel", true, 49, true },
	[KRI_SECTION_OUTPUT] = { "output", true, 31, false },
	/* What it does is done by "button <name>", and such a name has 31 bytes. */
	[KRI_SECTION_BUTTON] = { "button", true, 24, false },
	/* As long as a rule's name may be. */
	[KRI_SECTION_RULE] = { "rule", true, KRYOS_RULE_NAME_MAX - 1, false },
	[KRI_SECTION_PROFILE] = { "profile", true, 31, false },
	[KRI_SECTION_ALARM] = { "alarm", true, 31, false },
	[KRI_SECTION_STORE] = { "store", false, 0, false },
	[KRI_SECTION_WATCHDOG] = { "watchdog", false, 0, false },
	/* A relay's task is called "relay <name>", and a task's name has 31 bytes. */
	[KRI_SECTION_RELAY] = { "relay", true, 25, false },
};

#define PLAIN(section, name, kind, in_force)                                                                           \
	{                                                                                                              \
		KRI_SECTION_##section, name, KRI_VALUE_##kind, -1, in_force, NULL                                      \
	}
#define CHOICE(section, name, in_force, words)                                                                         \
	{                                                                                                              \
		KRI_SECTION_##section, name, KRI_VALUE_CHOICE, -1, in_force, words                                     \
	}
#define NUMBER(section, name, kind, symbol)                                                                            \
	{                                                                                                              \
		KRI_SECTION_##section, name, KRI_VALUE_##kind, KRI_ID_##symbol, NULL, NULL                             \
	}

const struct kri_key_info kri_station_keys[KRI_KEY_COUNT] = {
	[KRI_STATION_NAME] = PLAIN(STATION, "name", TEXT, NULL),
	[KRI_STATION_TIMEZONE] = PLAIN(STATION, "timezone", TEXT, "UTC"),
	[KRI_STATION_LANGUAGE] = CHOICE(STATION, "language", "en", "en fr es pt"),
	[KRI_STATION_VVM] = PLAIN(STATION, "vvm", TEXT, NULL),
	[KRI_CLOCK_RTC] = PLAIN(CLOCK, "rtc", TEXT, NULL),
	[KRI_POWER_ADDRESS] = PLAIN(POWER, "address", TEXT, NULL),
	[KRI_POWER_ACTIVE] = CHOICE(POWER, "active", "high", "high low"),
	[KRI_POWER_OFF] = NUMBER(POWER, "off", DURATION, POWER_OFF_NS),
	[KRI_POWER_SETTLE] = NUMBER(POWER, "settle", DURATION, POWER_SETTLE_NS),
	[KRI_POWER_AGAIN] = NUMBER(POWER, "again", DURATION, POWER_AGAIN_NS),
	[KRI_SENSOR_ADDRESS] = PLAIN(SENSOR, "address", TEXT, NULL),
	[KRI_SENSOR_PLACE] = PLAIN(SENSOR, "place", NAME, NULL),
	[KRI_SENSOR_EVERY] = NUMBER(SENSOR, "every", DURATION, EVERY_NS),
	[KRI_SENSOR_RECORD] = NUMBER(SENSOR, "record", RECORD, RECORD_NS),
	[KRI_SENSOR_ACTIVE] = CHOICE(SENSOR, "active", "high", "high low"),
	[KRI_SENSOR_BIAS] = CHOICE(SENSOR, "bias", "pull-up", "pull-up pull-down off"),
	[KRI_SENSOR_DEBOUNCE] = NUMBER(SENSOR, "debounce", DURATION, DEBOUNCE_NS),
	[KRI_SENSOR_POWER] = PLAIN(SENSOR, "power", NAME, NULL),
	[KRI_SENSOR_RECOVER] = PLAIN(SENSOR, "recover", TEXT, NULL),
	[KRI_CHANNEL_MIN] = PLAIN(CHANNEL, "min", MICRO, NULL),
	[KRI_CHANNEL_MAX] = PLAIN(CHANNEL, "max", MICRO, NULL),
	[KRI_CHANNEL_RATE] = PLAIN(CHANNEL, "rate", MICRO, NULL),
	[KRI_CHANNEL_FROZEN] = NUMBER(CHANNEL, "frozen", FROZEN, FROZEN_NS),
	[KRI_CHANNEL_AGREES] = PLAIN(CHANNEL, "agrees", TEXT, NULL),
	[KRI_CHANNEL_WITHIN] = PLAIN(CHANNEL, "within", MICRO, NULL),
	[KRI_CHANNEL_OFFSET] = PLAIN(CHANNEL, "offset", MICRO, NULL),
	[KRI_CHANNEL_POINTS] = PLAIN(CHANNEL, "points", TEXT, NULL),
	[KRI_CHANNEL_CERTIFICATE] = PLAIN(CHANNEL, "certificate", TEXT, NULL),
	[KRI_CHANNEL_CALIBRATED] = PLAIN(CHANNEL, "calibrated", DATE, NULL),
	[KRI_CHANNEL_EXPIRES] = PLAIN(CHANNEL, "expires", DATE, NULL),
	[KRI_OUTPUT_ADDRESS] = PLAIN(OUTPUT, "address", TEXT, NULL),
	[KRI_OUTPUT_ACTIVE] = CHOICE(OUTPUT, "active", "high", "high low"),
	[KRI_OUTPUT_SHOWS] = CHOICE(OUTPUT, "shows", NULL, "problems alarms alarm-sound"),
	[KRI_BUTTON_ADDRESS] = PLAIN(BUTTON, "address", TEXT, NULL),
	[KRI_BUTTON_ACTIVE] = CHOICE(BUTTON, "active", "low", "high low"),
	[KRI_BUTTON_BIAS] = CHOICE(BUTTON, "bias", "pull-up", "pull-up pull-down off"),
	[KRI_BUTTON_DEBOUNCE] = NUMBER(BUTTON, "debounce", DURATION, DEBOUNCE_NS),
	[KRI_RULE_KIND] = PLAIN(RULE, "kind", TEXT, NULL),
	[KRI_RULE_THRESHOLD] = PLAIN(RULE, "threshold", TEXT, NULL),
	[KRI_RULE_COMPARATOR] = PLAIN(RULE, "comparator", TEXT, NULL),
	[KRI_RULE_DURATION] = PLAIN(RULE, "duration", TEXT, NULL),
	[KRI_RULE_MODE] = PLAIN(RULE, "mode", TEXT, "consecutive"),
	[KRI_RULE_WINDOW] = PLAIN(RULE, "window", TEXT, NULL),
	[KRI_RULE_GAP] = PLAIN(RULE, "gap", TEXT, "hold"),
	[KRI_RULE_RESET] = PLAIN(RULE, "reset", TEXT, NULL),
	[KRI_RULE_HYSTERESIS] = PLAIN(RULE, "hysteresis", TEXT, NULL),
	[KRI_PROFILE_RULES] = PLAIN(PROFILE, "rules", TEXT, NULL),
	[KRI_ALARM_CHANNEL] = PLAIN(ALARM, "channel", TEXT, NULL),
	[KRI_ALARM_PROFILE] = PLAIN(ALARM, "profile", NAME, NULL),
	[KRI_STORE_PATH] = PLAIN(STORE, "path", PATH, NULL),
	[KRI_STORE_KEEP] = NUMBER(STORE, "keep", DURATION, KEEP_NS),
	[KRI_STORE_SIZE] = NUMBER(STORE, "size", SIZE, KEEP_BYTES),
	[KRI_STORE_SEGMENT] = NUMBER(STORE, "segment", DURATION, SEGMENT_NS),
	[KRI_STORE_SEGMENT_SIZE] = NUMBER(STORE, "segment_size", SIZE, SEGMENT_BYTES),
	[KRI_STORE_FULL] = CHOICE(STORE, "full", "drop-oldest", "drop-oldest refuse"),
	[KRI_STORE_KEY] = PLAIN(STORE, "key", PATH, NULL),
	[KRI_WATCHDOG_DEVICE] = PLAIN(WATCHDOG, "device", TEXT, "auto"),
	[KRI_WATCHDOG_TIMEOUT] = NUMBER(WATCHDOG, "timeout", DURATION, WATCHDOG_TIMEOUT_NS),
	[KRI_WATCHDOG_TASK] = NUMBER(WATCHDOG, "task", DURATION, TASK_DEADLINE_NS),
	[KRI_RELAY_URL] = PLAIN(RELAY, "url", TEXT, NULL),
	[KRI_RELAY_CA] = PLAIN(RELAY, "ca", PATH, NULL),
	[KRI_RELAY_CERT] = PLAIN(RELAY, "cert", PATH, NULL),
	[KRI_RELAY_KEY] = PLAIN(RELAY, "key", PATH, NULL),
	[KRI_RELAY_CLIENT_ID] = PLAIN(RELAY, "client_id", TEXT, NULL),
	[KRI_RELAY_USERNAME] = PLAIN(RELAY, "username", TEXT, NULL),
	[KRI_RELAY_PASSWORD_FILE] = PLAIN(RELAY, "password_file", PATH, NULL),
	[KRI_RELAY_TOPIC] = PLAIN(RELAY, "topic", TEXT, "kryos/{device}"),
	[KRI_RELAY_CHANNELS] = PLAIN(RELAY, "channels", TEXT, NULL),
	[KRI_RELAY_ALPN] = PLAIN(RELAY, "alpn", TEXT, NULL),
	[KRI_RELAY_MQTT] = CHOICE(RELAY, "mqtt", "3.1.1", "3.1.1 5"),
	[KRI_RELAY_RATE] = NUMBER(RELAY, "rate", RATE, RELAY_RATE),
	[KRI_RELAY_BURST] = NUMBER(RELAY, "burst", COUNT, RELAY_BURST),
	[KRI_RELAY_LIVE] = NUMBER(RELAY, "live", PERCENT, RELAY_LIVE_PERCENT),
	[KRI_RELAY_INFLIGHT] = NUMBER(RELAY, "inflight", COUNT, RELAY_INFLIGHT),
	[KRI_RELAY_MAX_PAYLOAD] = NUMBER(RELAY, "max_payload", SIZE, RELAY_MAX_PAYLOAD),
	[KRI_RELAY_KEEPALIVE] = NUMBER(RELAY, "keepalive", DURATION, RELAY_KEEPALIVE_NS),
	[KRI_RELAY_BACKOFF_MIN] = NUMBER(RELAY, "backoff_min", DURATION, RELAY_BACKOFF_MIN_NS),
	[KRI_RELAY_BACKOFF_MAX] = NUMBER(RELAY, "backoff_max", DURATION, RELAY_BACKOFF_MAX_NS),
	[KRI_RELAY_STABLE] = NUMBER(RELAY, "stable", DURATION, RELAY_STABLE_NS),
	[KRI_RELAY_ACK_TIMEOUT] = NUMBER(RELAY, "ack_timeout", DURATION, RELAY_ACK_TIMEOUT_NS),
	[KRI_RELAY_CONNECT_TIMEOUT] = NUMBER(RELAY, "connect_timeout", DURATION, RELAY_CONNECT_TIMEOUT_NS),
};

/* Edits that turn one word into the other, where a swap of neighbours is one. */
static unsigned int distance(const char *a, size_t a_count, const char *b, size_t b_count)
{
	unsigned int rows[3][64], *before = rows[0], *above = rows[1], *here = rows[2], *spare;

	if (a_count > 62 || b_count > 62)
		return 99;
	for (unsigned int j = 0; j <= b_count; j++)
		above[j] = j;
	for (unsigned int i = 1; i <= a_count; i++) {
		here[0] = i;
		for (unsigned int j = 1; j <= b_count; j++) {
			unsigned int best = above[j - 1] + (a[i - 1] != b[j - 1]);

			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (here[j - 1] + 1 < best)
				best = here[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			here[j] = best;
		}
		spare = before;
		before = above;
		above = here;
		here = spare;
	}
	return above[b_count];
}

const char *kri_suggest(const char *text, const char *words, char *buffer, size_t size)
{
	unsigned int best = 3;
	const char *found = NULL;
	size_t found_count = 0, count;

	for (const char *word = words; *word; word += count + strspn(word + count, " ")) {
		unsigned int edits;

		count = strcspn(word, " ");
		edits = distance(text, strlen(text), word, count);
		/* "ca" is two edits from every other word of two letters: more than a third must be right. */
		if (edits < best && 2 * edits < count + 1) {
			best = edits;
			found = word;
			found_count = count;
		}
	}
	if (!found || found_count >= size)
		return NULL;
	memcpy(buffer, found, found_count);
	buffer[found_count] = 0;
	return buffer;
}
