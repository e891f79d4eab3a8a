/* SPDX-License-Identifier: Apache-2.0 */
/* What is in force: a file's values, the defaults where it says nothing, and both in print. */
#include "../alarm/alarm.h"
#include "station_file.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *kri_station_text(const struct kri_section *section, enum kri_key key)
{
	return section && section->entries[key].text ? section->entries[key].text : kri_station_keys[key].default_text;
}

int64_t kri_station_number(const struct kri_section *section, enum kri_key key)
{
	return section && section->entries[key].text ? section->entries[key].number
	                                             : kri_default(kri_station_keys[key].default_id);
}

bool kri_station_is_line(const struct kri_section *sensor)
{
	const char *address = sensor ? sensor->entries[KRI_SENSOR_ADDRESS].text : NULL,
		   *at = address ? strchr(address, '@') : NULL;

	return at && strncmp(at, "@gpio:", 6) == 0;
}

void kri_station_line_config(const struct kri_section *section, struct kryos_line_config *ret_config)
{
	bool is_button = section->kind == KRI_SECTION_BUTTON;
	const char *bias = kri_station_text(section, is_button ? KRI_BUTTON_BIAS : KRI_SENSOR_BIAS);
	const char *active = kri_station_text(section, is_button ? KRI_BUTTON_ACTIVE : KRI_SENSOR_ACTIVE);

	*ret_config = (struct kryos_line_config){
		.size = sizeof(*ret_config),
		.active_low = strcmp(active, "low") == 0,
		.bias = KRYOS_BIAS_PULL_UP,
		.debounce_ns = kri_station_number(section, is_button ? KRI_BUTTON_DEBOUNCE : KRI_SENSOR_DEBOUNCE),
	};
	if (strcmp(bias, "pull-up") != 0)
		ret_config->bias = strcmp(bias, "off") == 0 ? KRYOS_BIAS_OFF : KRYOS_BIAS_PULL_DOWN;
}

int kri_station_recover(const struct kri_section *sensor, uint32_t *ret_recover)
{
	static const char *const words[] = { "retry", "bus", "power", "report" };
	const char *text = kri_station_text(sensor, KRI_SENSOR_RECOVER);
	uint32_t recover = 0;
	size_t next = 0, count;

	for (const char *word = text ? text : ""; *word; word += count + strspn(word + count, " ")) {
		count = strcspn(word, " ");
		while (next < KRI_ARRAY_SIZE(words) &&
		       (strlen(words[next]) != count || strncmp(words[next], word, count) != 0))
			next++;
		if (next == KRI_ARRAY_SIZE(words))
			return kryos_fail(-EINVAL,
			                  "\"%s\" is not allowed; of retry, bus, power and report, in this order, each "
			                  "once at most, is",
			                  text);
		recover |= 1u << next++;
	}
	*ret_recover = recover;
	return 0;
}

char *kri_station_options(const struct kri_section *sensor)
{
	size_t size = 1, length = 0;
	char *text;

	for (const struct kri_option *option = sensor->options; option; option = option->next)
		size += strlen(option->name) + strlen(option->text) + 2;
	text = calloc(1, size);
	for (const struct kri_option *option = sensor->options; text && option; option = option->next)
		length += (size_t)snprintf(text + length, size - length, "%s=%s ", option->name, option->text);
	return text;
}

static bool options_equal(const struct kri_section *one, const struct kri_section *other)
{
	const struct kri_option *a = one ? one->options : NULL, *b = other ? other->options : NULL;

	for (; a && b; a = a->next, b = b->next)
		if (strcmp(a->name, b->name) != 0 || strcmp(a->text, b->text) != 0)
			return false;
	return !a && !b;
}

bool kri_section_equal(const struct kri_section *one, const struct kri_section *other)
{
	for (unsigned int key = 0; key < KRI_KEY_COUNT; key++) {
		const char *a = one ? one->entries[key].text : NULL, *b = other ? other->entries[key].text : NULL;

		if (a && b ? strcmp(a, b) != 0 : a != b)
			return false;
	}
	return options_equal(one, other);
}

const char *kri_station_store_path(const struct kri_station_file *file, char *buffer, size_t size)
{
	const char *path = kri_station_text(kri_station_find(file, KRI_SECTION_STORE, NULL), KRI_STORE_PATH);
	const char *state = getenv("STATE_DIRECTORY"); /* systemd.exec(5): paths, colon-separated */

	if (path)
		snprintf(buffer, size, "%s", path);
	else if (state && *state == '/')
		snprintf(buffer, size, "%.*s", (int)strcspn(state, ":"), state);
	else
		snprintf(buffer, size, "/var/lib/kryos");
	return buffer;
}

void kri_station_relay_config(const struct kri_section *section, const char *password,
                              struct kryos_relay_config *ret_config)
{
	const struct kri_entry *entries = section->entries;

	*ret_config = (struct kryos_relay_config){
		.size = sizeof(*ret_config),
		.mqtt_version =
			entries[KRI_RELAY_MQTT].text && strcmp(entries[KRI_RELAY_MQTT].text, "5") == 0 ? 5 : 311,
		.url = entries[KRI_RELAY_URL].text,
		.client_id = entries[KRI_RELAY_CLIENT_ID].text,
		.username = entries[KRI_RELAY_USERNAME].text,
		.password = password,
		.ca = entries[KRI_RELAY_CA].text,
		.cert = entries[KRI_RELAY_CERT].text,
		.key = entries[KRI_RELAY_KEY].text,
		.alpn = entries[KRI_RELAY_ALPN].text,
		.topic = kri_station_text(section, KRI_RELAY_TOPIC),
		.channels = entries[KRI_RELAY_CHANNELS].text,
		.rate = (double)kri_station_number(section, KRI_RELAY_RATE) / 1000,
		.burst = (uint32_t)kri_station_number(section, KRI_RELAY_BURST),
		.live_percent = (uint32_t)kri_station_number(section, KRI_RELAY_LIVE),
		.inflight = (uint32_t)kri_station_number(section, KRI_RELAY_INFLIGHT),
		.max_payload = (uint32_t)kri_station_number(section, KRI_RELAY_MAX_PAYLOAD),
		.keepalive_ns = kri_station_number(section, KRI_RELAY_KEEPALIVE),
		.backoff_min_ns = kri_station_number(section, KRI_RELAY_BACKOFF_MIN),
		.backoff_max_ns = kri_station_number(section, KRI_RELAY_BACKOFF_MAX),
		.stable_ns = kri_station_number(section, KRI_RELAY_STABLE),
		.ack_timeout_ns = kri_station_number(section, KRI_RELAY_ACK_TIMEOUT),
		.connect_timeout_ns = kri_station_number(section, KRI_RELAY_CONNECT_TIMEOUT),
	};
}

int kri_station_read_password(const char *path, char ret_password[256])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t count;

	if (fd < 0)
		return kryos_fail(KRYOS_ECONFIG, "%s can't be read: %s", path, strerror(errno));
	count = read(fd, ret_password, 256);
	close(fd);
	if (count < 0)
		return kryos_fail(KRYOS_ECONFIG, "%s can't be read", path);
	for (ssize_t i = 0; i < count && i < 255; i++) {
		if (ret_password[i] == '\n' || ret_password[i] == '\r')
			count = i;
	}
	if (count == 0 || count > 255 || memchr(ret_password, 0, (size_t)count)) {
		explicit_bzero(ret_password, 256);
		return kryos_fail(KRYOS_ECONFIG, "the first line of %s must be a password of 1 to 255 bytes", path);
	}
	ret_password[count] = 0;
	return 0;
}

/* "key = value", and where the value comes from when not from the file. */
static void print_value(FILE *stream, const char *name, const char *value, bool is_default)
{
	if (is_default)
		fprintf(stream, "%-15s = %-28s # default\n", name, value);
	else
		fprintf(stream, "%-15s = %s\n", name, value);
}

static void default_text(enum kri_key key, char text[64])
{
	switch (kri_station_keys[key].default_id) {
#define KRYOS_DEFAULT(section, key, symbol, kind, value, in_text, minimum, maximum, doc)                               \
	case KRI_ID_##symbol:                                                                                          \
		snprintf(text, 64, "%s", in_text);                                                                     \
		break;
#include "../config/defaults.def"
#undef KRYOS_DEFAULT
	default:
		*text = 0;
	}
}

/* What a profile's name stands for, so that nobody has to look it up. */
static void print_rules(const struct kri_station_file *file, const struct kri_section *alarm, FILE *stream)
{
	struct kri_station_rules rules;
	char text[400];

	for (unsigned int i = kri_station_rules(file, kri_station_text(alarm, KRI_ALARM_CHANNEL), alarm, &rules);
	     i < rules.count; i++) {
		kri_rule_text(&rules.rules[i], text, sizeof(text));
		fprintf(stream, "# rule %s: %s\n", rules.names[i], text);
	}
}

static void print_section(const struct kri_station_file *file, enum kri_section_kind kind,
                          const struct kri_section *section, FILE *stream)
{
	char text[4096];

	fprintf(stream, "\n[%s%s%s]\n", kri_station_sections[kind].name, section && *section->label ? " " : "",
	        section ? section->label : "");
	for (unsigned int key = 0; key < KRI_KEY_COUNT; key++) {
		const struct kri_key_info *info = &kri_station_keys[key];
		const char *value = section ? section->entries[key].text : NULL;

		if (info->section != kind)
			continue;
		if ((key == KRI_SENSOR_ACTIVE || key == KRI_SENSOR_BIAS || key == KRI_SENSOR_DEBOUNCE) &&
		    !kri_station_is_line(section))
			continue;
		if (value) {
			print_value(stream, info->name, value, false);
		} else if (key == KRI_STORE_PATH) {
			print_value(stream, info->name, kri_station_store_path(file, text, sizeof(text)), true);
		} else if (info->default_id >= 0) {
			default_text(key, text);
			print_value(stream, info->name, text, true);
		} else if (info->default_text) {
			print_value(stream, info->name, info->default_text, true);
		} else if (key == KRI_SENSOR_RECOVER) {
			print_value(stream, info->name,
			            kri_station_text(section, KRI_SENSOR_POWER) ? "retry bus power" : "retry bus",
			            true);
		}
	}
	for (const struct kri_option *option = section ? section->options : NULL; option; option = option->next)
		print_value(stream, option->name, option->text, false);
	if (kind == KRI_SECTION_ALARM)
		print_rules(file, section, stream);
}

void kri_station_file_print(const struct kri_station_file *file, FILE *stream)
{
	static const enum kri_section_kind order[] = {
		KRI_SECTION_STATION, KRI_SECTION_CLOCK,  KRI_SECTION_POWER,    KRI_SECTION_SENSOR,  KRI_SECTION_CHANNEL,
		KRI_SECTION_OUTPUT,  KRI_SECTION_BUTTON, KRI_SECTION_RULE,     KRI_SECTION_PROFILE, KRI_SECTION_ALARM,
		KRI_SECTION_STORE,   KRI_SECTION_RELAY,  KRI_SECTION_WATCHDOG,
	};

	for (const struct kri_remark *remark = file->remarks; remark; remark = remark->next)
		fprintf(stream, "%s:%d: notice: %s\n", file->path, remark->line, remark->text);
	fprintf(stream, "# %s is right. In force:\n", file->path);
	for (size_t i = 0; i < KRI_ARRAY_SIZE(order); i++) {
		bool any = false;

		for (const struct kri_section *section = file->sections; section; section = section->next) {
			if (section->kind != order[i])
				continue;
			any = true;
			print_section(file, order[i], section, stream);
		}
		if (any)
			continue;
		if (order[i] == KRI_SECTION_RELAY)
			fprintf(stream, "\n# no [relay NAME]: nothing leaves this device\n");
		else if (order[i] == KRI_SECTION_CLOCK)
			fprintf(stream, "\n# no [clock]: the time comes from the system alone\n");
		else if (!kri_station_sections[order[i]].labelled)
			print_section(file, order[i], NULL, stream);
	}
}
