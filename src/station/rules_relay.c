/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of a station file for relays, and for what names a channel. */
#include "../relay/relay.h"
#include "station_rules.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEVICE "00000000000000000000000000000000" /* any device's id, for its length */

/* Names of the file's sensors, for messages and suggestions. */
static void list_sensors(const struct kri_station_file *file, char *words, size_t size)
{
	*words = 0;
	for (const struct kri_section *section = file->sections; section; section = section->next) {
		size_t length = strlen(words);

		if (section->kind == KRI_SECTION_SENSOR && !section->repeated && *section->label)
			snprintf(words + length, size - length, "%s%s", length ? " " : "", section->label);
	}
}

static void no_such_sensor(struct kri_judging *judging, const struct kri_section *section, enum kri_key key,
                           const char *name, const char *sensor)
{
	char words[1024], near[64];
	const char *meant;

	list_sensors(judging->file, words, sizeof(words));
	meant = kri_suggest(sensor, words, near, sizeof(near));
	if (meant)
		kri_wrong(judging, section, key, "\"%s\": there is no sensor \"%s\"; did you mean %s?", name, sensor,
		          meant);
	else
		kri_wrong(judging, section, key, "\"%s\": there is no sensor \"%s\"; there is %s", name, sensor,
		          *words ? words : "none");
}

/* "temperature", or of a recorded period "temperature.min" and ".max". */
static bool has_quantity(const struct kryos_description *has, const char *quantity, bool periods)
{
	for (size_t i = 0; i < has->channel_count; i++) {
		size_t count = strlen(has->channels[i].quantity);

		if (strncmp(quantity, has->channels[i].quantity, count) != 0)
			continue;
		if (!quantity[count])
			return true;
		if (periods && (strcmp(quantity + count, ".min") == 0 || strcmp(quantity + count, ".max") == 0))
			return true;
	}
	return false;
}

bool kri_judge_channel(struct kri_judging *judging, const struct kri_section *section, enum kri_key key,
                       const char *name, bool wild)
{
	const char *dot = strchr(name, '.');
	const struct kryos_sensor_driver *driver;
	struct kryos_description has;
	const struct kri_section *sensor;
	char label[50], words[256] = "";

	if (!dot || dot == name || !dot[1] || dot - name >= (ptrdiff_t)sizeof(label)) {
		kri_wrong(judging, section, key,
		          "\"%s\" is no channel; sensor.quantity is allowed, as in fridge.temperature%s", name,
		          wild ? " or fridge.*" : "");
		return false;
	}
	memcpy(label, name, (size_t)(dot - name));
	label[dot - name] = 0;
	sensor = kri_station_find(judging->file, KRI_SECTION_SENSOR, label);
	if (!sensor) {
		no_such_sensor(judging, section, key, name, label);
		return false;
	}
	if (!kri_station_describe(judging->ctx, sensor, &driver, &has))
		return false; /* its address is reported already */
	if (wild && strcmp(dot + 1, "*") == 0)
		return true;
	if (has_quantity(&has, dot + 1, wild && kri_station_number(sensor, KRI_SENSOR_RECORD) > 0))
		return true;
	for (size_t i = 0; i < has.channel_count; i++)
		snprintf(words + strlen(words), sizeof(words) - strlen(words), "%s%s.%s", i ? ", " : "", label,
		         has.channels[i].quantity);
	kri_wrong(judging, section, key, "\"%s\": a %s has no such channel; there is %s", name, driver->name, words);
	return false;
}

static void judge_channels(struct kri_judging *judging, const struct kri_section *section)
{
	const char *text = section->entries[KRI_RELAY_CHANNELS].text;
	char name[256];
	size_t count;

	for (const char *at = text; at; at = at[count] ? at + count + 1 : NULL) {
		size_t begin = strspn(at, " \t"), end;

		count = strcspn(at, ",");
		for (end = count; end > begin && strchr(" \t", at[end - 1]); end--)
			;
		/* A line has at most 197 bytes. */
		snprintf(name, sizeof(name), "%.*s", end > begin ? (int)(end - begin) : 0, at + begin);
		if (!*name) {
			kri_wrong(judging, section, KRI_RELAY_CHANNELS,
			          "a name is missing between the commas; as in fridge.temperature, room.* is allowed");
			return;
		}
		kri_judge_channel(judging, section, KRI_RELAY_CHANNELS, name, true);
	}
}

struct scheme {
	const char *name;
	const struct kryos_transport_driver *driver;
	char names[200];
};

static int find_scheme(void *data, const void *candidate, void *userdata)
{
	const struct kryos_transport_driver *driver = candidate;
	struct scheme *scheme = data;
	size_t count, length = strlen(scheme->names);

	(void)userdata;
	for (const char *word = driver->schemes; *word; word += count + strspn(word + count, " ")) {
		count = strcspn(word, " ");
		if (strlen(scheme->name) == count && strncmp(scheme->name, word, count) == 0) {
			scheme->driver = driver;
			return 1;
		}
	}
	if (!strstr(scheme->names, driver->schemes))
		snprintf(scheme->names + length, sizeof(scheme->names) - length, "%s%s", length ? " " : "",
		         driver->schemes);
	return 0;
}

/* The transport's own check names the field first; it goes to that field's line, unless that is reported already. */
static void ask_transport(struct kri_judging *judging, const struct kri_section *section,
                          const struct kryos_transport_driver *driver)
{
	struct kryos_relay_config config;
	const char *text;
	int r;

	kri_station_relay_config(section, kri_has(section, KRI_RELAY_PASSWORD_FILE) ? "" : NULL, &config);
	if (!config.client_id)
		config.client_id = DEVICE; /* as the relay completes it before it asks */
	r = driver->check(&config);
	if (r >= 0)
		return;
	text = kryos_strerror(r);
	for (enum kri_key key = KRI_RELAY_URL; key < KRI_KEY_COUNT; key++) {
		size_t count = strlen(kri_station_keys[key].name);

		if (strncmp(text, kri_station_keys[key].name, count) != 0 || text[count] != ':')
			continue;
		if (!judging->wrong[key] && (!section->entries[key].line || section->entries[key].text))
			kri_wrong(judging, section, key, "%s", text + count + 1 + strspn(text + count + 1, " "));
		return;
	}
	kri_wrong(judging, section, KRI_RELAY_URL, "%s", text);
}

static const struct kryos_transport_driver *judge_url(struct kri_judging *judging, const struct kri_section *section)
{
	struct scheme scheme = { 0 };
	struct kri_url url;
	int r;

	if (!kri_needs(judging, section, KRI_RELAY_URL, "mqtts://broker.example.org:8883"))
		return NULL;
	r = kri_url_parse(&url, "url", section->entries[KRI_RELAY_URL].text);
	if (r < 0) {
		const char *text = kryos_strerror(r);

		kri_wrong(judging, section, KRI_RELAY_URL, "%s", strncmp(text, "url: ", 5) == 0 ? text + 5 : text);
		return NULL;
	}
	scheme.name = url.scheme;
	kri_registry_each(judging->ctx, KRI_TRANSPORT, find_scheme, &scheme);
	if (!scheme.driver)
		kri_wrong(judging, section, KRI_RELAY_URL, "there is no transport for %s://; there is %s", url.scheme,
		          *scheme.names ? scheme.names : "none in this build");
	return scheme.driver;
}

static void judge_topic(struct kri_judging *judging, const struct kri_section *section)
{
	char topic[KRI_TOPIC_MAX + 1];
	const char *text;
	int r;

	if (!kri_has(section, KRI_RELAY_TOPIC))
		return;
	/* A device's id has 32 digits; "sample" is the longest of what is added. */
	r = kri_topic_make(topic, "topic", section->entries[KRI_RELAY_TOPIC].text, DEVICE, "sample");
	if (r >= 0)
		return;
	text = kryos_strerror(r);
	kri_wrong(judging, section, KRI_RELAY_TOPIC, "%s", strncmp(text, "topic: ", 7) == 0 ? text + 7 : text);
}

static void judge_files(struct kri_judging *judging, const struct kri_section *section)
{
	bool cert = section->entries[KRI_RELAY_CERT].line, key = section->entries[KRI_RELAY_KEY].line;
	char password[256];

	kri_judge_file(judging, section, KRI_RELAY_CA);
	kri_judge_file(judging, section, KRI_RELAY_CERT);
	if (kri_judge_file(judging, section, KRI_RELAY_KEY))
		kri_judge_secret(judging, section, KRI_RELAY_KEY);
	if (cert != key) {
		kri_wrong(judging, section, cert ? KRI_RELAY_CERT : KRI_RELAY_KEY,
		          "%s is missing beside it; both, or none, are allowed", cert ? "key" : "cert");
		judging->wrong[KRI_RELAY_CERT] = judging->wrong[KRI_RELAY_KEY] = true;
	}
	if (kri_judge_file(judging, section, KRI_RELAY_PASSWORD_FILE)) {
		int r = kri_station_read_password(section->entries[KRI_RELAY_PASSWORD_FILE].text, password);

		if (r < 0)
			kri_wrong(judging, section, KRI_RELAY_PASSWORD_FILE, "%s", kryos_strerror(r));
		explicit_bzero(password, sizeof(password));
		kri_judge_secret(judging, section, KRI_RELAY_PASSWORD_FILE);
	}
	if (section->entries[KRI_RELAY_PASSWORD_FILE].line && !section->entries[KRI_RELAY_USERNAME].line) {
		kri_wrong(judging, section, KRI_RELAY_PASSWORD_FILE, "username is missing beside it");
		judging->wrong[KRI_RELAY_USERNAME] = true;
	}
}

/* Two links with one client id at one broker push each other off for ever (MQTT 3.1.1, 3.1.4-2). */
static void judge_client(struct kri_judging *judging, const struct kri_section *section)
{
	const char *url = section->entries[KRI_RELAY_URL].text, *id = section->entries[KRI_RELAY_CLIENT_ID].text;

	if (id && strlen(id) > 128)
		kri_wrong(judging, section, KRI_RELAY_CLIENT_ID, "it has %zu bytes; 1 to 128 are allowed", strlen(id));
	for (const struct kri_section *other = judging->file->sections; url && other != section; other = other->next) {
		const char *other_url = other->entries[KRI_RELAY_URL].text;
		const char *other_id = other->entries[KRI_RELAY_CLIENT_ID].text;

		if (other->kind != KRI_SECTION_RELAY || other->repeated || !other_url || strcmp(url, other_url) != 0)
			continue;
		if (id && other_id ? strcmp(id, other_id) == 0 : id == other_id)
			kri_wrong(judging, section, KRI_RELAY_CLIENT_ID,
			          "[relay %s] on line %d uses the same at the same url; each needs its own",
			          other->label, other->line);
	}
}

void kri_judge_relay(struct kri_judging *judging, const struct kri_section *section)
{
	int64_t backoff_min = kri_station_number(section, KRI_RELAY_BACKOFF_MIN);
	int64_t backoff_max = kri_station_number(section, KRI_RELAY_BACKOFF_MAX);
	const struct kryos_transport_driver *driver = judge_url(judging, section);
	char least[32], most[32];

	judge_files(judging, section);
	judge_topic(judging, section);
	judge_channels(judging, section);
	judge_client(judging, section);
	if (backoff_min > backoff_max) {
		kri_duration_text(backoff_min, least);
		kri_duration_text(backoff_max, most);
		kri_wrong(judging, section,
		          kri_has(section, KRI_RELAY_BACKOFF_MIN) ? KRI_RELAY_BACKOFF_MIN : KRI_RELAY_BACKOFF_MAX,
		          "backoff_min %s is more than backoff_max %s", least, most);
	}
	if (driver)
		ask_transport(judging, section, driver);
}
