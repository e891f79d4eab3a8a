/* SPDX-License-Identifier: Apache-2.0 */
/* What a sensor's driver has to say to its section: the address, the options, the channels they make; and its power. */
#include "../output/output.h"
#include "station_rules.h"
#include <stdlib.h>
#include <string.h>

bool kri_station_describe(struct kryos_ctx *ctx, const struct kri_section *sensor,
                          const struct kryos_sensor_driver **ret_driver, struct kryos_description *ret_description)
{
	int64_t values[KRYOS_SENSOR_MAX_OPTIONS];
	struct kri_device device;
	char *options = NULL;
	bool good = kri_has(sensor, KRI_SENSOR_ADDRESS) &&
	            kri_device_parse(sensor->entries[KRI_SENSOR_ADDRESS].text, &device) >= 0 &&
	            kri_device_find_sensor(ctx, &device, ret_driver) >= 0;

	if (good)
		options = kri_station_options(sensor);
	good = options && kri_options_parse(*ret_driver, options, values) >= 0 &&
	       kri_sensor_describe(*ret_driver, device.place, values, ret_description) >= 0;
	free(options);
	return good;
}

/* What a driver says to a key that sections of sensors do not have in general. */
static bool judge_option(struct kri_judging *judging, const struct kryos_sensor_driver *driver,
                         const struct kri_option *option)
{
	const struct kryos_option_info *info = kri_option_find(driver, option->name, NULL);
	char words[512] = "";
	int64_t value;
	int r;

	if (!info) {
		for (size_t i = 0; i < driver->option_count; i++)
			snprintf(words + strlen(words), sizeof(words) - strlen(words), "%s%s", i ? " " : "",
			         driver->options[i].name);
		kri_station_unknown_key(judging->ini, KRI_SECTION_SENSOR, option->name, option->line, words);
		return false;
	}
	if (!*option->text) {
		kri_ini_error(judging->ini, option->line, "%s has no value; leave the line out if it should have none",
		              option->name);
		return false;
	}
	r = kri_option_parse(info, option->text, &value);
	if (r < 0)
		kri_ini_error(judging->ini, option->line, "%s: %s", option->name, kryos_strerror(r));
	return r >= 0;
}

static int has_option(void *data, const void *driver, void *userdata)
{
	(void)userdata;
	return kri_option_find(driver, data, NULL) != NULL;
}

/* Where the address does not say which driver it is, a key may be any driver's. */
static void judge_options_of_any(struct kri_judging *judging, const struct kri_section *section)
{
	for (const struct kri_option *option = section->options; option; option = option->next)
		if (kri_registry_each(judging->ctx, KRI_SENSOR, has_option, option->name) == 0)
			kri_station_unknown_key(judging->ini, KRI_SECTION_SENSOR, option->name, option->line, "");
}

/* What the place and the options together make of it; each option for itself is allowed. */
static void judge_description(struct kri_judging *judging, const struct kri_section *section)
{
	const struct kryos_sensor_driver *driver;
	struct kryos_description description;

	if (!kri_station_describe(judging->ctx, section, &driver, &description))
		kri_wrong(judging, section, KRI_SENSOR_ADDRESS, "%s", kryos_strerror(KRYOS_EDEVICE));
}

void kri_judge_recovery(struct kri_judging *judging, const struct kri_section *section)
{
	const char *power = section->entries[KRI_SENSOR_POWER].text;
	char names[400] = "";
	uint32_t recover;
	int r = kri_station_recover(section, &recover);

	for (const struct kri_section *other = judging->file->sections; power && other; other = other->next) {
		size_t length = strlen(names);

		if (other->kind == KRI_SECTION_POWER)
			snprintf(names + length, sizeof(names) - length, "%s%s", length ? ", " : "", other->label);
	}
	if (power && !kri_station_find(judging->file, KRI_SECTION_POWER, power))
		kri_wrong(judging, section, KRI_SENSOR_POWER, "there is no [power %s]; there is %s", power,
		          *names ? names : "none");
	if (r < 0)
		kri_wrong(judging, section, KRI_SENSOR_RECOVER, "%s", kryos_strerror(r));
	else if (recover & KRYOS_RECOVER_POWER && !section->entries[KRI_SENSOR_POWER].line)
		kri_wrong(
			judging, section, KRI_SENSOR_RECOVER,
			"power can be cycled where it is switched; allowed with a line power = NAME, and [power NAME]");
}

bool kri_judge_power(struct kri_judging *judging, const struct kri_section *section, struct kri_device *ret_device)
{
	int r;

	if (!kri_needs(judging, section, KRI_POWER_ADDRESS, "switch@gpio:GPIO5"))
		return false;
	r = kri_device_parse(section->entries[KRI_POWER_ADDRESS].text, ret_device);
	if (r >= 0)
		r = kri_output_check_switch(ret_device);
	if (r >= 0)
		return kri_judge_bus(judging, section, KRI_POWER_ADDRESS, ret_device);
	kri_wrong(judging, section, KRI_POWER_ADDRESS, "%s", kryos_strerror(r));
	return false;
}

bool kri_judge_address(struct kri_judging *judging, const struct kri_section *section, struct kri_device *ret_device)
{
	const struct kryos_sensor_driver *driver;
	bool good = true;
	int r;

	if (!kri_needs(judging, section, KRI_SENSOR_ADDRESS, "bme280@i2c-1:0x76")) {
		judge_options_of_any(judging, section);
		return false;
	}
	r = kri_device_parse(section->entries[KRI_SENSOR_ADDRESS].text, ret_device);
	if (r >= 0)
		r = kri_device_find_sensor(judging->ctx, ret_device, &driver);
	if (r >= 0)
		r = kri_device_check_bus(ret_device, driver->bus);
	if (r < 0) {
		kri_wrong(judging, section, KRI_SENSOR_ADDRESS, "%s", kryos_strerror(r));
		judge_options_of_any(judging, section);
		return false;
	}
	for (const struct kri_option *option = section->options; option; option = option->next)
		good = judge_option(judging, driver, option) && good;
	if (good)
		judge_description(judging, section);
	return kri_judge_bus(judging, section, KRI_SENSOR_ADDRESS, ret_device);
}
