/* SPDX-License-Identifier: Apache-2.0 */
#include "core/core.h"
#include "station/station_file.h"
#include "support.h"
#include <kryos/station.h>
#include <kryos/sys/rtc.h>
#include <kryos/sys/sensor.h>
#include <kryos/sys/transport.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Drivers of the test's own, so that what is switched off in a build does not matter. */

static int check_link(const struct kryos_relay_config *config)
{
	if (strncmp(config->url, "mqtt://", 7) == 0 && strncmp(config->url + 7, "127.0.0.1", 9) != 0)
		return kryos_fail(KRYOS_ECONFIG, "url: \"%s\": unencrypted is for loopback only; mqtts:// is allowed",
		                  config->url);
	if (strncmp(config->url, "mqtts://", 8) == 0 && !config->ca)
		return kryos_fail(KRYOS_ECONFIG, "ca: is missing; mqtts needs the file the server is checked against");
	if (config->cert && !config->key)
		return kryos_fail(KRYOS_ECONFIG, "key: is missing");
	return 0;
}

static int open_link(void *priv, const struct kryos_relay_config *config, struct kryos_link_port *port, void *userdata)
{
	(void)priv;
	(void)config;
	(void)port;
	(void)userdata;
	return -ENOSYS;
}

static int connect_link(void *priv, const char *topic)
{
	(void)priv;
	(void)topic;
	return -ENOSYS;
}

static int publish(void *priv, const struct kryos_message *message)
{
	(void)priv;
	(void)message;
	return -ENOSYS;
}

static void end_link(void *priv)
{
	(void)priv;
}

static const struct kryos_transport_driver transport = {
	.size = sizeof(transport),
	.name = "test",
	.schemes = "mqtt mqtts",
	.check = check_link,
	.open = open_link,
	.connect = connect_link,
	.publish = publish,
	.disconnect = end_link,
	.close = end_link,
};

static int open_rtc(void *priv, struct kryos_dev *dev, const char *path)
{
	(void)priv;
	(void)dev;
	(void)path;
	return -ENODEV;
}

static void close_rtc(void *priv, struct kryos_dev *dev)
{
	(void)priv;
	(void)dev;
}

static int read_rtc(void *priv, struct kryos_dev *dev, struct kryos_rtc_reading *ret_reading)
{
	(void)priv;
	(void)dev;
	(void)ret_reading;
	return -ENODEV;
}

static int set_rtc(void *priv, struct kryos_dev *dev, int64_t t_wall_ns)
{
	(void)priv;
	(void)dev;
	(void)t_wall_ns;
	return -ENODEV;
}

static const struct kryos_rtc_driver rtc = {
	.size = sizeof(rtc),
	.name = "ds3231",
	.bus = "i2c",
	.open = open_rtc,
	.close = close_rtc,
	.read = read_rtc,
	.set = set_rtc,
};

struct fixture {
	struct kryos_ctx *ctx;
	char *folder;
	char path[300];
	struct kri_station_file *file;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	unsetenv("STATE_DIRECTORY");
	assert_ok(kryos_ctx_new(&fixture->ctx, NULL));
	assert_ok(kryos_register_transport(fixture->ctx, &transport, NULL));
	assert_ok(kryos_register_rtc(fixture->ctx, &rtc));
	fixture->folder = scratch_new();
	snprintf(fixture->path, sizeof(fixture->path), "%s/station.ini", fixture->folder);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	kri_station_file_free(fixture->file);
	kryos_ctx_free(fixture->ctx);
	scratch_free(fixture->folder);
	free(fixture);
	return 0;
}

static void write_file(const char *path, const char *text, unsigned int mode)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

/* "~" in text is the scratch folder, "^" the sensor drivers of this build. */
static char *expanded(const char *text, const char *folder)
{
	char drivers[1024] = "", *result, *to;
	size_t count = 0, size = strlen(text) + 1;

	for (const void *const *driver = kri_builtin_drivers[KRI_SENSOR]; *driver; driver++) {
		strcat(drivers, *drivers ? ", " : "");
		strcat(drivers, ((const struct kryos_sensor_driver *)*driver)->name);
	}
	for (const char *at = text; *at; at++)
		count += *at == '~' || *at == '^';
	result = to = malloc(size + count * (strlen(folder) + strlen(drivers)));
	for (; *text; text++) {
		if (*text == '~')
			to = stpcpy(to, folder);
		else if (*text == '^')
			to = stpcpy(to, drivers);
		else
			*to++ = *text;
	}
	*to = 0;
	return result;
}

static int read_text(struct fixture *fixture, const char *text, char **ret_errors)
{
	char *full = expanded(text, fixture->folder);
	int r;

	write_file(fixture->path, full, 0600);
	free(full);
	kri_station_file_free(fixture->file);
	fixture->file = NULL;
	r = kri_station_file_read(&fixture->file, fixture->ctx, fixture->path, ret_errors);
	return r;
}

static void assert_reads(struct fixture *fixture, const char *text)
{
	char *errors = NULL;
	int r = read_text(fixture, text, &errors);

	if (r < 0)
		fail_msg("%s", errors ? errors : kryos_strerror(r));
	assert_null(errors);
	assert_non_null(fixture->file);
}

/* All mistakes, each line without the path, must be expected. */
static void assert_refuses(struct fixture *fixture, const char *text, const char *expected)
{
	char *errors = NULL, *full = expanded(expected, fixture->folder), *plain, *to;
	size_t prefix = strlen(fixture->path);
	bool begin = true;

	assert_fails(KRYOS_ECONFIG, read_text(fixture, text, &errors));
	assert_null(fixture->file);
	assert_non_null(errors);
	plain = to = malloc(strlen(errors) + 1);
	for (const char *from = errors; *from;) {
		if (begin && strncmp(from, fixture->path, prefix) == 0)
			from += prefix;
		begin = *from == '\n';
		*to++ = *from++;
	}
	*to = 0;
	assert_string_equal(plain, full);
	/* The sentence says the same, as long as it fits. */
	assert_true(strncmp(kryos_strerror(KRYOS_ECONFIG), errors, 200) == 0 ||
	            strcmp(kryos_strerror(KRYOS_ECONFIG), errors) == 0);
	free(plain);
	free(full);
	free(errors);
}

#define SENSOR "[sensor fridge]\naddress = ds18b20@w1:28-0316a2795bff\n"
#define PROBES "[power probes]\naddress = switch@gpio:GPIO5\n"
#define SHARES                                                                                                         \
	"what is on a bus itself, multiplexers too, shares its address with nothing behind a channel, nor do two "     \
	"chips on one channel"
#define DOOR "[sensor lid]\naddress = door@gpio:GPIO17\n"
#define LAMP "[output alarm]\naddress = lamp@gpio:GPIO22\n"

static void the_smallest_file_is_one_sensor(void **state)
{
	struct fixture *fixture = *state;
	const struct kri_section *sensor;
	char path[100];

	assert_reads(fixture, SENSOR);
	sensor = kri_station_find(fixture->file, KRI_SECTION_SENSOR, "fridge");
	assert_non_null(sensor);
	assert_string_equal(kri_station_text(sensor, KRI_SENSOR_ADDRESS), "ds18b20@w1:28-0316a2795bff");
	assert_true(kri_station_number(sensor, KRI_SENSOR_EVERY) == KRYOS_MINUTES(1));
	assert_true(kri_station_number(sensor, KRI_SENSOR_RECORD) == 0);
	assert_null(kri_station_text(sensor, KRI_SENSOR_PLACE));
	assert_null(kri_station_find(fixture->file, KRI_SECTION_STORE, NULL));
	assert_string_equal(kri_station_store_path(fixture->file, path, sizeof(path)), "/var/lib/kryos");
	assert_true(kri_station_number(NULL, KRI_STORE_KEEP) == KRYOS_DAYS(400));
	assert_null(fixture->file->remarks);
}

static void the_state_directory_is_the_default_store(void **state)
{
	struct fixture *fixture = *state;
	char path[100];

	assert_reads(fixture, SENSOR);
	setenv("STATE_DIRECTORY", "/var/lib/one:/var/lib/two", 1);
	assert_string_equal(kri_station_store_path(fixture->file, path, sizeof(path)), "/var/lib/one");
	assert_reads(fixture, SENSOR "[store]\npath = ~/store\n");
	assert_string_equal(kri_station_store_path(fixture->file, path, sizeof(path)), in(fixture->folder, "store"));
	unsetenv("STATE_DIRECTORY");
}

/* The file of the first evening with a Raspberry Pi, as docs and packages show it. */
static void the_example_file_is_right(void **state)
{
	struct fixture *fixture = *state;
	const struct kri_section *section;

	assert_reads(fixture, "# /etc/kryos/station.ini\n"
	                      "[station]\n"
	                      "name     = Vaccine fridge 1, Mawlai health centre\n"
	                      "timezone = Asia/Kolkata\n"
	                      "\n"
	                      "[clock]\n"
	                      "rtc = ds3231@i2c-1:0x68\n"
	                      "\n"
	                      "[sensor fridge]\n"
	                      "address = ds18b20@w1:28-0316a2795bff\n"
	                      "place   = vaccine\n"
	                      "every   = 1min\n"
	                      "\n"
	                      "[sensor room]\n"
	                      "address = bme280@i2c-1:0x76\n"
	                      "place   = ambient\n"
	                      "every   = 5min\n"
	                      "\n"
	                      "[alarm fridge]\n"
	                      "channel = fridge.temperature\n"
	                      "profile = who-refrigerator\n"
	                      "# above +8.0 for 10 h, or -0.5 and below for 60 min\n"
	                      "\n"
	                      "[store]\n"
	                      "path = /var/lib/kryos\n"
	                      "keep = 400d\n"
	                      "size = 2GB\n"
	                      "\n"
	                      "[watchdog]\n"
	                      "device  = auto\n"
	                      "timeout = 15s\n");
	section = kri_station_find(fixture->file, KRI_SECTION_SENSOR, "room");
	assert_true(kri_station_number(section, KRI_SENSOR_EVERY) == KRYOS_MINUTES(5));
	section = kri_station_find(fixture->file, KRI_SECTION_STATION, NULL);
	assert_string_equal(kri_station_text(section, KRI_STATION_NAME), "Vaccine fridge 1, Mawlai health centre");
	assert_null(fixture->file->remarks);
}

static void a_relay_with_everything_is_taken_as_written(void **state)
{
	struct fixture *fixture = *state;
	struct kryos_relay_config config;
	char password[256];

	write_file(in(fixture->folder, "ca.crt"), "x", 0644);
	write_file(in(fixture->folder, "device.crt"), "x", 0644);
	write_file(in(fixture->folder, "device.key"), "x", 0600);
	write_file(in(fixture->folder, "password"), "secret\nmore\n", 0600);
	assert_reads(fixture, SENSOR "record = 15min\n"
	                             "[relay programme]\n"
	                             "url = mqtts://broker.example.org:8883\n"
	                             "ca = ~/ca.crt\n"
	                             "cert = ~/device.crt\n"
	                             "key = ~/device.key\n"
	                             "client_id = fridge-17\n"
	                             "username = me\n"
	                             "password_file = ~/password\n"
	                             "topic = cold/{device}/a\n"
	                             "channels = fridge.temperature , fridge.*,fridge.temperature.max\n"
	                             "alpn = x-amzn-mqtt-ca\n"
	                             "mqtt = 5\n"
	                             "rate = 0.25\n"
	                             "burst = 7\n"
	                             "live = 30%\n"
	                             "inflight = 3\n"
	                             "max_payload = 4kB\n"
	                             "keepalive = 30s\n"
	                             "backoff_min = 2s\n"
	                             "backoff_max = 1min\n"
	                             "stable = 10s\n"
	                             "ack_timeout = 5s\n"
	                             "connect_timeout = 8s\n");
	assert_null(fixture->file->remarks);
	assert_ok(kri_station_read_password(in(fixture->folder, "password"), password));
	assert_string_equal(password, "secret");
	kri_station_relay_config(kri_station_find(fixture->file, KRI_SECTION_RELAY, "programme"), password, &config);
	assert_int_equal(config.mqtt_version, 5);
	assert_true(config.rate == 0.25);
	assert_int_equal(config.burst, 7);
	assert_int_equal(config.live_percent, 30);
	assert_int_equal(config.inflight, 3);
	assert_int_equal(config.max_payload, 4000);
	assert_true(config.keepalive_ns == KRYOS_SECONDS(30));
	assert_true(config.backoff_min_ns == KRYOS_SECONDS(2) && config.backoff_max_ns == KRYOS_MINUTES(1));
	assert_true(config.stable_ns == KRYOS_SECONDS(10) && config.ack_timeout_ns == KRYOS_SECONDS(5));
	assert_true(config.connect_timeout_ns == KRYOS_SECONDS(8));
	assert_string_equal(config.url, "mqtts://broker.example.org:8883");
	assert_string_equal(config.client_id, "fridge-17");
	assert_string_equal(config.username, "me");
	assert_string_equal(config.topic, "cold/{device}/a");
	assert_string_equal(config.alpn, "x-amzn-mqtt-ca");
	assert_string_equal(config.channels, "fridge.temperature , fridge.*,fridge.temperature.max");
}

static void what_a_relay_does_not_say_is_the_default(void **state)
{
	struct fixture *fixture = *state;
	struct kryos_relay_config config;

	assert_reads(fixture, SENSOR "[relay local]\nurl = mqtt://127.0.0.1:1883\n");
	kri_station_relay_config(kri_station_find(fixture->file, KRI_SECTION_RELAY, "local"), NULL, &config);
	assert_int_equal(config.mqtt_version, 311);
	assert_true(config.rate == 20);
	assert_int_equal(config.burst, 100);
	assert_int_equal(config.live_percent, 20);
	assert_int_equal(config.max_payload, 131072);
	assert_string_equal(config.topic, "kryos/{device}");
	assert_null(config.client_id);
	assert_null(config.password);
	assert_null(config.channels);
}

/* One file with one mistake of every kind, and more: one run names them all, in the order of their lines. */
static void every_mistake_is_named_in_one_run(void **state)
{
	struct fixture *fixture = *state;

	write_file(in(fixture->folder, "empty"), "", 0600);
	write_file(in(fixture->folder, "ca.crt"), "x", 0644);
	assert_refuses(
		fixture,
		"orphan = 1\n"
		"[staiton]\n"
		"[station]\n"
		"nmae = A fridge\n"
		"timezone = Asia Calcutta\n"
		"colour = white\n"
		"[clock]\n"
		"rtc = ds3132@i2c-1:0x68\n"
		"[sensor fridge]\n"
		"address = ds18b20@w1:28-0316a2795bff\n"
		"every = 60\n"
		"every = 1min\n"
		"place = Vaccine Store\n"
		"[sensor fridge]\n"
		"address = bme280@i2c-1:0x76\n"
		"[sensor room]\n"
		"address = ds18b20@w1:28-0316a2795bff\n"
		"every = 2d\n"
		"[sensor Door]\n"
		"address = bme208@i2c-1:0x76\n"
		"[sensor lid]\n"
		"address = bme280@i2c-1:0x99\n"
		"every = 5min\n"
		"record = 1min\n"
		"[sensor bare]\n"
		"[sensor]\n"
		"address = bme280@usb-1:0x76\n"
		"[alarm fridge]\n"
		"channel = frigde.temperature\n"
		"profile = who-refridgerator\n"
		"[alarm empty]\n"
		"[store]\n"
		"path = kryos\n"
		"keep = 400 d\n"
		"size = 1kB\n"
		"full = wait\n"
		"[store main]\n"
		"[watchdog]\n"
		"device = watchdog0\n"
		"timeout = 1s\n"
		"task =\n"
		"[relay a]\n"
		"url = mqtts://broker.example.org\n"
		"rate = 200\n"
		"live = 20\n"
		"inflight = 1000\n"
		"mqtt = 4\n"
		"[relay b]\n"
		"url = mqtt://192.0.2.7\n"
		"topic = a/#\n"
		"channels = fridge.temperature, room.humidity, nowhere.temperature,\n"
		"cert = ~/none.crt\n"
		"[relay c]\n"
		"url = https://example.org\n"
		"password_file = ~/empty\n"
		"backoff_min = 10min\n"
		"[relay d]\n"
		"url = mqtts://broker.example.org:x\n"
		"key = ~/ca.crt\n"
		"  indented = 1\n"
		"[relay e]\n"
		"url = mqtts://127.0.0.1\n"
		"ca = ~/ca.crt\n"
		"[relay f]\n"
		"url = mqtts://127.0.0.1\n"
		"ca = ~/ca.crt\n"
		"[relay g]\n"
		"ca = ~/ca.crt\n",
		":1: \"orphan\" stands in no section; a header such as [station] must come first\n"
		":2: there is no section [staiton]; did you mean [station]?\n"
		":3: [station] was there before, on line 2; once is allowed\n"
		":4: [station] has no key nmae; did you mean name?\n"
		":5: timezone: \"Asia Calcutta\" is no time zone; a name of the tz database is allowed, as in "
		"Asia/Kolkata\n"
		":6: [station] has no key colour; allowed are name timezone language vvm\n"
		":8: rtc: there is no clock driver \"ds3132\"; there is ds3231, rtc\n"
		":11: every: \"60\" is no duration: a whole number and its unit are allowed, as in 500ms, 10s, 15min, "
		"10h, 30d\n"
		":12: every was there before, on line 11; once is allowed\n"
		":13: place: \"Vaccine Store\" is not allowed; 1 to 31 of a-z 0-9 _ - are, as in vaccine\n"
		":14: [sensor fridge] was there before, on line 9; once is allowed\n"
		":17: address: ds18b20@w1:28-0316a2795bff is taken by [sensor fridge] on line 9 "
		"(ds18b20@w1:28-0316a2795bff); one chip has one section\n"
		":18: every: 2d is not allowed: 100ms to 1d is\n"
		":19: [sensor Door]: a name of 1 to 31 of a-z 0-9 _ - is allowed, as in [sensor one]\n"
		":20: address: bme208@i2c-1:0x76: no sensor driver \"bme208\"; there is ^\n"
		":22: address: bme280@i2c-1:0x99: 0x99 is no i2c address; 0x03 to 0x77 are allowed\n"
		":24: record: a period of 1min holds no measurement of every 5min; \"every\", or 5min and more, is "
		"allowed\n"
		":25: [sensor bare] has no address; one is needed, as in address = bme280@i2c-1:0x76\n"
		":26: [sensor] needs a name of 1 to 31 of a-z 0-9 _ -, as in [sensor one]\n"
		":27: address: bme280@usb-1:0x76: a bme280 is on i2c-0, -1, ... or spi-0.0, -0.1, ..., not on usb-1\n"
		":29: channel: \"frigde.temperature\": there is no sensor \"frigde\"; did you mean fridge?\n"
		":30: profile: \"who-refridgerator\" is not allowed; did you mean who-refrigerator?\n"
		":31: [alarm empty] has no channel; one is needed, as in channel = fridge.temperature\n"
		":31: [alarm empty] has no profile; one is needed, as in profile = who-refrigerator\n"
		":33: path: \"kryos\" is not allowed; a path from the root is, as in /etc/kryos/tls/ca.crt\n"
		":34: keep: \"400 d\" is no duration: a whole number and its unit are allowed, as in 500ms, 10s, "
		"15min, 10h, 30d\n"
		":35: size: 1kB is not allowed: 1MB to 1TB is\n"
		":36: full: \"wait\" is not allowed; one of these is: drop-oldest refuse\n"
		":37: [store main]: this section takes no name; [store] is allowed\n"
		":37: [store] was there before, on line 32; once is allowed\n"
		":39: device: \"watchdog0\" is not allowed; auto, or one of /dev/watchdog, systemd, none is\n"
		":40: timeout: 1s is not allowed: 2s to 10min is\n"
		":41: task has no value; leave the line out if it should have none\n"
		":42: ca: is missing; mqtts needs the file the server is checked against\n"
		":44: rate: 200 is not allowed: 0.01 to 100 is\n"
		":45: live: \"20\" is no percentage: 0% to 100% is allowed, as in 20%\n"
		":46: inflight: \"1000\" is not allowed: a whole number from 1 to 100 is\n"
		":47: mqtt: \"4\" is not allowed; one of these is: 3.1.1 5\n"
		":49: url: \"mqtt://192.0.2.7\": unencrypted is for loopback only; mqtts:// is allowed\n"
		":50: topic: \"a/#/sample\" has the wildcard \"#\"; + and # are not allowed in a topic that is "
		"published to\n"
		":51: channels: \"room.humidity\": a ds18b20 has no such channel; there is room.temperature\n"
		":51: channels: \"nowhere.temperature\": there is no sensor \"nowhere\"; there is fridge room Door lid "
		"bare\n"
		":51: channels: a name is missing between the commas; as in fridge.temperature, room.* is allowed\n"
		":52: cert: ~/none.crt can't be read: No such file or directory\n"
		":52: cert: key is missing beside it; both, or none, are allowed\n"
		":54: url: there is no transport for https://; there is mqtt mqtts\n"
		":55: password_file: ~/empty is no file with something in it\n"
		":55: password_file: username is missing beside it\n"
		":56: backoff_min: backoff_min 10min is more than backoff_max 5min\n"
		":58: url: \"mqtts://broker.example.org:x\": the port is 1 to 65535; allowed is scheme://host[:port], "
		"e.g. mqtts://broker.example.org:8883\n"
		":59: key: cert is missing beside it; both, or none, are allowed\n"
		":60: the line is indented; entries and headers must begin in the first column\n"
		":64: client_id: [relay e] on line 61 uses the same at the same url; each needs its own\n"
		":67: [relay g] has no url; one is needed, as in url = mqtts://broker.example.org:8883");
	/* What stands below a header with a mistake is judged as what the header is meant to be. */
	assert_refuses(
		fixture,
		SENSOR "[store\nkeep = 400\nsize = 31MB\n[wathcdog]\ntimeout = 1s\n"
		       "[senosr lid]\nadress = bme280@i2c-1:0x76\n[relay a] ; the only one\nrate = 200\n"
		       "[relay b c]\nmqtt = 4\n [clock]\nrct = rtc\n[colour]\nred = 1\nblue\n[alarm x\n"
		       "channel = lid.temperature\nprofile = fridge-2-8\n",
		":3: a section header must end in \"]\" with nothing behind it, as in [store] or [sensor fridge]\n"
		":4: keep: \"400\" is no duration: a whole number and its unit are allowed, as in 500ms, 10s, 15min, "
		"10h, 30d\n"
		":5: size: segments of 16MB in a store of 31MB leave none to remove; at most half of size is allowed\n"
		":6: there is no section [wathcdog]; did you mean [watchdog]?\n"
		":7: timeout: 1s is not allowed: 2s to 10min is\n"
		":8: there is no section [senosr]; did you mean [sensor]?\n"
		":8: [sensor lid] has no address; one is needed, as in address = bme280@i2c-1:0x76\n"
		":9: [sensor] has no key adress; did you mean address?\n"
		":10: a section header must end in \"]\" with nothing behind it, as in [store] or [sensor fridge]\n"
		":10: [relay a] has no url; one is needed, as in url = mqtts://broker.example.org:8883\n"
		":11: rate: 200 is not allowed: 0.01 to 100 is\n"
		":12: a section header holds one name and at most one label of up to 49 bytes, as in [sensor "
		"fridge]\n"
		":12: [relay b] has no url; one is needed, as in url = mqtts://broker.example.org:8883\n"
		":13: mqtt: \"4\" is not allowed; one of these is: 3.1.1 5\n"
		":14: the line is indented; entries and headers must begin in the first column\n"
		":15: [clock] has no key rct; did you mean rtc?\n"
		":16: there is no section [colour]; allowed are station clock power sensor channel output button "
		"rule profile alarm store watchdog relay\n"
		":18: \"blue\" is no entry; key = value is allowed\n"
		":19: a section header must end in \"]\" with nothing behind it, as in [store] or [sensor fridge]");
}

/* The timezone, address, transport and period rules one by one: the least that is wrong, and its neighbour that is
 * right. */
static void neighbours_of_a_mistake_are_right(void **state)
{
	struct fixture *fixture = *state;

	assert_reads(fixture, SENSOR "[sensor a]\naddress = ds18b20@w1:28-0316a2795bfe\n");
	assert_reads(fixture,
	             DOOR "active = low\nbias = off\ndebounce = 1ms\n" LAMP "active = low\nshows = problems\n");
	assert_refuses(
		fixture, DOOR "debounce = 999us\nactive = up\n",
		":3: debounce: \"999us\" is no duration: a whole number and its unit are allowed, as in 500ms, 10s, "
		"15min, 10h, 30d\n:4: active: \"up\" is not allowed; one of these is: high low");
	assert_refuses(fixture, DOOR "debounce = 11s\n", ":3: debounce: 11s is not allowed: 1ms to 10s is");
	assert_refuses(
		fixture, SENSOR "bias = off\n",
		":3: bias: ds18b20@w1:28-0316a2795bff is no GPIO line; allowed with one, as with door@gpio:GPIO17");
	assert_refuses(
		fixture, DOOR "[sensor b]\naddress = mains@gpio:GPIO17\n",
		":4: address: mains@gpio:GPIO17 is taken by [sensor lid] on line 1 (door@gpio:GPIO17); one chip has "
		"one section");
	assert_refuses(
		fixture, DOOR "[output alarm]\naddress = lamp@gpio:GPIO17\n",
		":4: address: lamp@gpio:GPIO17 is taken by [sensor lid] on line 1 (door@gpio:GPIO17); one chip has "
		"one section");
	assert_refuses(fixture, DOOR "[output alarm]\naddress = door@gpio:GPIO18\n[output b]\n",
	               ":4: address: door@gpio:GPIO18: no output \"door\"; there is lamp, buzzer\n"
	               ":5: [output b] has no address; one is needed, as in address = lamp@gpio:GPIO22");
	assert_refuses(
		fixture, SENSOR "[sensor a]\naddress = ds18b20@w1:any\n",
		":4: address: ds18b20@w1:any is taken by [sensor fridge] on line 1 (ds18b20@w1:28-0316a2795bff); one "
		"chip has one section");
	assert_reads(fixture, "[sensor a]\naddress = bme280@i2c-1:0x76\n[sensor b]\naddress = bme280@i2c-2:0x76\n");
	assert_refuses(
		fixture, "[sensor a]\naddress = bme280@i2c-1:0x77\n[sensor b]\naddress = bme280@i2c-1:0x077\n",
		":4: address: bme280@i2c-1:0x077 is taken by [sensor a] on line 1 (bme280@i2c-1:0x77); one chip has "
		"one section");
	assert_refuses(
		fixture, "[clock]\nrtc = ds3231@i2c-1:0x68\n[sensor b]\naddress = bme280@i2c-1:0x68\n",
		":4: address: bme280@i2c-1:0x68 is taken by [clock] on line 1 (ds3231@i2c-1:0x68); one chip has one "
		"section");
	assert_reads(fixture, SENSOR "power = probes\nrecover = bus power\n" PROBES "off = 10ms\n");
	assert_reads(fixture, SENSOR "recover = report\n");
	assert_refuses(fixture, SENSOR "power = prob\n" PROBES, ":3: power: there is no [power prob]; there is probes");
	assert_refuses(fixture, SENSOR "power = probes\n", ":3: power: there is no [power probes]; there is none");
	assert_refuses(fixture, SENSOR "recover = retry power\n",
	               ":3: recover: power can be cycled where it is switched; allowed with a line power = NAME, and "
	               "[power NAME]");
	assert_refuses(fixture, SENSOR "recover = bus retry\n",
	               ":3: recover: \"bus retry\" is not allowed; of retry, bus, power and report, in this order, "
	               "each once at most, is");
	assert_refuses(fixture, SENSOR "[power p]\n[power q]\naddress = lamp@gpio:GPIO5\nagain = 1s\n",
	               ":3: [power p] has no address; one is needed, as in address = switch@gpio:GPIO5\n"
	               ":5: address: lamp@gpio:GPIO5: no output \"lamp\"; there is switch\n"
	               ":6: again: 1s is not allowed: 10s to 7d is");
	assert_refuses(fixture, SENSOR PROBES "[output o]\naddress = lamp@gpio:GPIO5\n",
	               ":6: address: lamp@gpio:GPIO5 is taken by [power probes] on line 3 (switch@gpio:GPIO5); one "
	               "chip has one section");
	assert_reads(fixture, "[sensor a]\naddress = bme280@i2c-1:0x70.0:0x76\n"
	                      "[sensor b]\naddress = bme280@i2c-1:0x70.1:0x76\n"
	                      "[sensor c]\naddress = bme280@i2c-1:0x71.0:0x76\n"
	                      "[sensor d]\naddress = bme280@i2c-1:0x77\n");
	assert_refuses(fixture,
	               "[sensor a]\naddress = bme280@i2c-1:0x70.1:0x76\n"
	               "[sensor b]\naddress = bme280@i2c-1:0x70.1:0X76\n",
	               ":4: address: bme280@i2c-1:0x70.1:0X76: 0X76 is no i2c address; 0x03 to 0x77 are allowed");
	assert_refuses(fixture,
	               "[sensor a]\naddress = bme280@i2c-1:0x70.1:0x76\n"
	               "[sensor b]\naddress = bme280@i2c-1:0x70.1:0x076\n",
	               ":4: address: bme280@i2c-1:0x70.1:0x076 is taken by [sensor a] on line 1 "
	               "(bme280@i2c-1:0x70.1:0x76); " SHARES);
	assert_refuses(
		fixture,
		"[sensor a]\naddress = bme280@i2c-1:0x70.1:0x76\n[sensor b]\naddress = bme280@i2c-1:0x76\n"
		"[sensor c]\naddress = bme280@i2c-1:0x76.1:0x77\n",
		":4: address: bme280@i2c-1:0x76 is taken by [sensor a] on line 1 (bme280@i2c-1:0x70.1:0x76); " SHARES
		"\n"
		":6: address: bme280@i2c-1:0x76.1:0x77 is taken by [sensor a] on line 1 "
		"(bme280@i2c-1:0x70.1:0x76); " SHARES);
	assert_reads(fixture, SENSOR "every = 5min\nrecord = 5min\n");
	assert_reads(fixture, SENSOR "every = 5min\nrecord = every\n");
	assert_refuses(fixture, SENSOR "record = 0s\n",
	               ":3: record: \"0s\" is not allowed: \"every\", or a longer time, is");
	assert_reads(fixture, SENSOR "[store]\nsize = 32MB\n");
	assert_refuses(
		fixture, SENSOR "[store]\nsize = 31MB\n",
		":4: size: segments of 16MB in a store of 31MB leave none to remove; at most half of size is allowed");
	assert_reads(fixture,
	             SENSOR "[relay a]\nurl = mqtt://127.0.0.1\n[relay b]\nurl = mqtt://127.0.0.1\nclient_id = b\n");
	assert_refuses(fixture, SENSOR "[relay abcdefghijklmnopqrstuvwxyz]\nurl = mqtt://127.0.0.1\n",
	               ":3: [relay abcdefghijklmnopqrstuvwxyz]: a name of 1 to 25 of a-z 0-9 _ - is allowed, as in "
	               "[relay one]");
	assert_refuses(fixture, SENSOR "[relay a]\nurl = mqtt://127.0.0.1\nrate = 0.0125\n",
	               ":5: rate: \"0.0125\" is not allowed: at most three decimals are, per second");
	assert_refuses(
		fixture, SENSOR "[relay a]\nurl = mqtt://127.0.0.1\nchannels = fridge.temperature.min\n",
		":5: channels: \"fridge.temperature.min\": a ds18b20 has no such channel; there is fridge.temperature");
	assert_refuses(fixture, SENSOR "record = 15min\n[alarm a]\nchannel = fridge.*\nprofile = fridge-2-8\n",
	               ":5: channel: \"fridge.*\": a ds18b20 has no such channel; there is fridge.temperature");
	assert_refuses(
		fixture,
		"[sensor room]\naddress = bme280@i2c-1:0x76\n[alarm a]\nchannel = room.humidity\n"
		"profile = fridge-2-8\n",
		":4: channel: \"room.humidity\": fridge-2-8 has rules of heat or freeze, which judge temperatures "
		"only");
}

#define TWO SENSOR "[sensor twin]\naddress = ds18b20@w1:28-0316a2795b00\n"
#define ROOM "[sensor room]\naddress = bme280@i2c-1:0x76\n"

static void what_is_said_of_a_channel_is_taken_as_written(void **state)
{
	struct fixture *fixture = *state;
	struct kri_station_channels said;
	const struct kryos_channel_config *config;

	assert_reads(fixture, "[channel fridge.temperature]\n"
	                      "min = -30\nmax = 50\nrate = 5\nfrozen = never\nagrees = twin.temperature\n"
	                      "within = 0.5\npoints = 0:0.10  5:5.08 25:24.97\ncertificate = NPL 2026/0815\n"
	                      "calibrated = 2026-03-01\nexpires = 2027-03-01\n"
	                      "[channel room.humidity]\noffset = -1.5\n[channel room.temperature]\n" TWO ROOM);
	assert_ok(kri_station_channels(fixture->file, "fridge", &said));
	config = said.configs[0];
	assert_null(said.configs[1]);
	assert_string_equal(config->quantity, "temperature");
	assert_int_equal(config->has, KRYOS_CHANNEL_MIN | KRYOS_CHANNEL_MAX);
	assert_int_equal(config->min_micro, -30000000);
	assert_int_equal(config->max_micro, 50000000);
	assert_int_equal(config->rate_micro, 5000000);
	assert_true(config->frozen_ns == KRYOS_FROZEN_NEVER);
	assert_string_equal(config->agrees, "twin.temperature");
	assert_int_equal(config->within_micro, 500000);
	assert_int_equal(config->point_count, 3);
	assert_int_equal(config->points[0].reading_micro, 0);
	assert_int_equal(config->points[0].true_micro, 100000);
	assert_int_equal(config->points[2].reading_micro, 25000000);
	assert_int_equal(config->points[2].true_micro, 24970000);
	assert_string_equal(config->certificate, "NPL 2026/0815");
	assert_true(config->calibrated_ns == INT64_C(1772323200000000000));
	assert_true(config->expires_ns == INT64_C(1803859200000000000));
	/* min was not said: it is none, and not 0. */
	assert_ok(kri_station_channels(fixture->file, "room", &said));
	assert_string_equal(said.configs[0]->quantity, "humidity");
	assert_int_equal(said.configs[0]->has, 0);
	assert_int_equal(said.configs[0]->offset_micro, -1500000);
	assert_string_equal(said.configs[1]->quantity, "temperature");
	assert_null(said.configs[2]);
	assert_ok(kri_station_channels(fixture->file, "twin", &said));
	assert_null(said.configs[0]);
}

static void every_mistake_about_a_channel_is_on_its_line(void **state)
{
	struct fixture *fixture = *state;

	assert_refuses(
		fixture,
		TWO "[sensor room]\naddress = bme280@i2c-1:0x76\nevery = 5min\n" DOOR
		    "[sensor bad]\naddress = bme208@i2c-1:0x77\n"
		    "[channel]\nmin = 1\n"
		    "[channel Fridge.temperature]\n"
		    "[channel frigde.temperature]\nmin = x\n"
		    "[channel fridge]\n"
		    "[channel fridge.humidity]\n"
		    "[channel lid.open]\nfrozen = 2d\n"
		    "[channel bad.temperature]\nmin = 4\n"
		    "[channel fridge.temperature]\nmin = -60\nmax = warm\n"
		    "[channel fridge.temperature]\nrate = 0\n"
		    "[channel twin.temperature]\nmax = 5\nmin = 5\nagrees = room.temperature\nwithin = 0.5\n"
		    "[channel room.temperature]\nagrees = room.humidity\nwithin = 0\noffset = 300\nmin = -41\n"
		    "expires = 2026-03-01\ncalibrated = 2026-03-01\ncertificate = a;b\nrate = 0\n"
		    "[channel room.humidity]\npoints = 0:0 50\nmax = 100.1\nagrees = fridge.temperature\n"
		    "[channel room.pressure]\npoints = 30000:30000 50000:50000\noffset = 0\ncertificate =\n"
		    "calibrated = 2026-02-30\nexpires = tomorrow\nfrozen = 10min\nagree = twin.temperature\n",
		":11: address: bme208@i2c-1:0x77: no sensor driver \"bme208\"; there is ^\n"
		":12: [channel] needs the name of a channel, as in [channel fridge.temperature]\n"
		":14: [channel Fridge.temperature] needs the name of a channel, as in [channel fridge.temperature]\n"
		":15: [channel frigde.temperature]: \"frigde.temperature\": there is no sensor \"frigde\"; did you "
		"mean fridge?\n"
		":16: min: \"x\" is no number: digits with at most six decimals are allowed, as in 8, -0.5 or 21.125\n"
		":17: [channel fridge]: \"fridge\" is no channel; sensor.quantity is allowed, as in "
		"fridge.temperature\n"
		":18: [channel fridge.humidity]: \"fridge.humidity\": a ds18b20 has no such channel; there is "
		"fridge.temperature\n"
		":19: [channel lid.open]: open has two states; limits and a calibration are of what is measured\n"
		":25: max: \"warm\" is no number: digits with at most six decimals are allowed, as in 8, -0.5 or "
		"21.125\n"
		":26: [channel fridge.temperature] was there before, on line 23; once is allowed\n"
		":29: max: nothing lies between min and max; more than min is allowed\n"
		":31: agrees: \"room.temperature\" is measured every 5min, and twin.temperature every 1min; only what "
		"is measured equally often is compared\n"
		":34: agrees: \"room.humidity\" is of the same sensor; another one's channel is allowed\n"
		":35: within: 0 is not allowed; how far both may differ is\n"
		":36: offset: is more than the chip's whole range; a correction is allowed\n"
		":37: min: -41 is not allowed: -40 to 85 Cel is, what the chip measures\n"
		":38: expires: is not after calibrated; a later day is allowed\n"
		":40: certificate: 1 to 47 bytes without \";\" and control characters are allowed\n"
		":41: rate: 0 is not allowed; a move per minute is\n"
		":43: points: \"50\" is no point; reading:true value is allowed, as in 0:0.10 5:5.08 25:24.97\n"
		":44: max: 100.1 is not allowed: 0 to 100 %RH is, what the chip measures\n"
		":45: agrees: \"fridge.temperature\" is in Cel, and room.humidity in %RH; the same unit is allowed\n"
		":45: agrees: \"fridge.temperature\" is measured every 1min, and room.humidity every 5min; only what "
		"is measured equally often is compared\n"
		":45: agrees: within is missing beside it; both, or none, are allowed\n"
		":49: certificate has no value; leave the line out if it should have none\n"
		":50: calibrated: \"2026-02-30\" is no day; one from 1970 to 2261 is allowed, as in 2026-11-20\n"
		":51: expires: \"tomorrow\" is no day; one from 1970 to 2261 is allowed, as in 2026-11-20\n"
		":52: frozen: 10min is not allowed: 1h to 365d, or never, is\n"
		":53: [channel] has no key agree; did you mean agrees?");
	assert_refuses(fixture,
	               TWO "[channel fridge.temperature]\nagrees = twin.temperature\nwithin = 0.5\n"
	                   "[channel twin.temperature]\nagrees = fridge.temperature\nwithin = 0.5\n"
	                   "points = 0:0.1 0:5.08\noffset = 0\n",
	               ":9: agrees: [channel fridge.temperature] on line 5 says it already; once is allowed\n"
	               ":11: points: number 2 is not above the one before it; readings and true values must both "
	               "ascend\n"
	               ":12: offset: is beside points; one of both is allowed");
	/* Three probes are two pairs, or three. */
	assert_reads(fixture, TWO "[sensor third]\naddress = ds18b20@w1:28-0316a2795b01\n"
	                          "[channel fridge.temperature]\nagrees = twin.temperature\nwithin = 0.5\n"
	                          "[channel twin.temperature]\nagrees = third.temperature\nwithin = 0.5\n"
	                          "[channel third.temperature]\nagrees = fridge.temperature\nwithin = 0.5\n");
}

static void a_file_without_sensors_is_refused(void **state)
{
	assert_refuses(*state, "",
	               ":1: a station needs at least one sensor, as in [sensor fridge] with address = ds18b20@w1:any");
	assert_refuses(*state, "[store]\nkeep = 30d\n",
	               ":2: a station needs at least one sensor, as in [sensor fridge] with address = ds18b20@w1:any");
}

static void a_zone_that_is_not_installed_is_refused(void **state)
{
	struct fixture *fixture = *state;

	assert_reads(fixture, SENSOR "[station]\ntimezone = UTC\n");
	assert_refuses(fixture, SENSOR "[station]\ntimezone = ../etc/passwd\n",
	               ":4: timezone: \"../etc/passwd\" is no time zone; a name of the tz database is allowed, as in "
	               "Asia/Kolkata");
	if (access("/usr/share/zoneinfo/Europe/Berlin", F_OK) < 0) {
		print_message("no time zones are installed here\n");
		skip();
	}
	assert_reads(fixture, SENSOR "[station]\ntimezone = Europe/Berlin\n");
	assert_refuses(
		fixture, SENSOR "[station]\ntimezone = Asia/Calcuta\n",
		":4: timezone: \"Asia/Calcuta\" is not in /usr/share/zoneinfo; a name from there is allowed, as in "
		"Asia/Kolkata");
	assert_refuses(fixture, SENSOR "[station]\ntimezone = Europe\n",
	               ":4: timezone: \"Europe\" is not in /usr/share/zoneinfo; a name from there is allowed, as in "
	               "Asia/Kolkata");
}

static void language_and_vial_monitors_of_its_reports_are_what_there_is(void **state)
{
	struct fixture *fixture = *state;
	const struct kri_section *section;

	assert_reads(fixture, SENSOR "[station]\nname = a\n");
	section = kri_station_find(fixture->file, KRI_SECTION_STATION, NULL);
	assert_string_equal(kri_station_text(section, KRI_STATION_LANGUAGE), "en");
	assert_null(kri_station_text(section, KRI_STATION_VVM));
	assert_reads(fixture, SENSOR "[station]\nlanguage = pt\nvvm = vvm7, vvm14\n");
	section = kri_station_find(fixture->file, KRI_SECTION_STATION, NULL);
	assert_string_equal(kri_station_text(section, KRI_STATION_LANGUAGE), "pt");
	assert_string_equal(kri_station_text(section, KRI_STATION_VVM), "vvm7, vvm14");
	assert_refuses(fixture, SENSOR "[station]\nlanguage = de\n",
	               ":4: language: \"de\" is not allowed; one of these is: en fr es pt");
	assert_refuses(fixture, SENSOR "[station]\nname = a\nvvm = vvm7, vvm8\n",
	               ":5: vvm: \"vvm7, vvm8\" is not allowed; vvm2, vvm7, vvm14, vvm30 with commas between are");
	assert_refuses(fixture, SENSOR "[station]\nvvm = vvm7 vvm14\n",
	               ":4: vvm: \"vvm7 vvm14\" is not allowed; vvm2, vvm7, vvm14, vvm30 with commas between are");
	assert_refuses(fixture, SENSOR "[station]\nvvm = vvm7,\n",
	               ":4: vvm: \"vvm7,\" is not allowed; vvm2, vvm7, vvm14, vvm30 with commas between are");
}

static void secrets_that_anyone_can_read_are_remarked_not_refused(void **state)
{
	struct fixture *fixture = *state;

	write_file(in(fixture->folder, "ca.crt"), "x", 0644);
	write_file(in(fixture->folder, "a.crt"), "x", 0644);
	write_file(in(fixture->folder, "a.key"), "x", 0644);
	write_file(in(fixture->folder, "pw"), "secret", 0604);
	assert_reads(fixture,
	             SENSOR "[relay a]\nurl = mqtts://example.org\nca = ~/ca.crt\ncert = ~/a.crt\nkey = ~/a.key\n"
	                    "username = u\npassword_file = ~/pw\n[store]\nkey = ~/a.key\n");
	assert_int_equal(fixture->file->remarks->line, 7);
	assert_non_null(strstr(fixture->file->remarks->text, "anyone on this machine can open"));
	assert_int_equal(fixture->file->remarks->next->line, 9);
	assert_int_equal(fixture->file->remarks->next->next->line, 11);
	assert_null(fixture->file->remarks->next->next->next);
}

static void a_sampler_too_slow_for_a_task_is_remarked(void **state)
{
	struct fixture *fixture = *state;

	assert_reads(fixture, SENSOR "every = 30min\n");
	assert_non_null(fixture->file->remarks);
	assert_non_null(strstr(fixture->file->remarks->text, "none watches the sampler"));
	assert_reads(fixture, SENSOR "every = 29min\n");
	assert_null(fixture->file->remarks);
	assert_reads(fixture, SENSOR "every = 30min\n[watchdog]\ndevice = none\n");
	assert_null(fixture->file->remarks);
}

static void passwords_are_one_line_of_at_most_255_bytes(void **state)
{
	struct fixture *fixture = *state;
	const char *path = in(fixture->folder, "pw");
	char text[300], password[256];

	memset(text, 'x', sizeof(text));
	text[255] = 0;
	write_file(path, text, 0600);
	assert_ok(kri_station_read_password(path, password));
	assert_string_equal(password, text);
	text[255] = 'x';
	text[256] = 0;
	write_file(path, text, 0600);
	assert_fails(KRYOS_ECONFIG, kri_station_read_password(path, password));
	write_file(path, "\nsecret\n", 0600);
	assert_fails(KRYOS_ECONFIG, kri_station_read_password(path, password));
	assert_says(KRYOS_ECONFIG, "1 to 255 bytes");
	write_file(path, "win\r\n", 0600);
	assert_ok(kri_station_read_password(path, password));
	assert_string_equal(password, "win");
	assert_fails(KRYOS_ECONFIG, kri_station_read_password(in(fixture->folder, "none"), password));
}

static void a_sentence_holds_whole_lines_and_counts_the_rest(void **state)
{
	struct fixture *fixture = *state;
	char text[8192] = SENSOR, *errors = NULL, *last;

	for (int i = 0; i < 300; i++)
		sprintf(text + strlen(text), "unknown%d = 1\n", i);
	assert_fails(KRYOS_ECONFIG, read_text(fixture, text, &errors));
	last = strrchr(kryos_strerror(KRYOS_ECONFIG), '\n');
	assert_non_null(last);
	assert_true(strncmp(last, "\nand ", 5) == 0);
	assert_non_null(strstr(errors, ":302: [sensor] has no key unknown299"));
	free(errors);
}

static void check_prints_what_is_in_force(void **state)
{
	struct fixture *fixture = *state;
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	write_file(fixture->path,
	           SENSOR "every = 5min\n[alarm a]\nchannel = fridge.temperature\nprofile = fridge-2-8\n"
	                  "[rule b]\nkind = sensor\nduration = 1h\n",
	           0600);
	assert_ok(kryos_station_check(fixture->path, stream));
	fclose(stream);
	assert_non_null(strstr(text, "station.ini:7: notice: [rule b] is in no [profile ...]: it judges nothing\n"));
	assert_non_null(strstr(text,
	                       "[sensor fridge]\naddress         = ds18b20@w1:28-0316a2795bff\n"
	                       "every           = 5min\nrecord          = every                        # default\n"));
	assert_non_null(strstr(text, "path            = /var/lib/kryos               # default\n"));
	assert_non_null(strstr(text, "keep            = 400d                         # default\n"));
	assert_non_null(strstr(text, "size            = 2GB                          # default\n"));
	assert_non_null(strstr(text, "full            = drop-oldest                  # default\n"));
	assert_non_null(strstr(text, "[watchdog]\ndevice          = auto                         # default\n"));
	assert_non_null(strstr(text, "nothing leaves this device"));
	free(text);
}

static void check_prints_every_mistake(void **state)
{
	struct fixture *fixture = *state;
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	write_file(fixture->path, "[sensor a]\n[sensor b]\n", 0600);
	assert_fails(KRYOS_ECONFIG, kryos_station_check(fixture->path, stream));
	fclose(stream);
	assert_non_null(strstr(text, "station.ini:1: [sensor a] has no address"));
	assert_non_null(strstr(text, "station.ini:2: [sensor b] has no address"));
	free(text);
	assert_fails(KRYOS_ECONFIG, kryos_station_check(fixture->path, NULL));
	assert_fails(-ENOENT, kryos_station_check(in(fixture->folder, "none.ini"), NULL));
	assert_says(-ENOENT, "none.ini");
	assert_fails(-EINVAL, kryos_station_check(NULL, NULL));
}

static void the_nearest_word_is_suggested(void **state)
{
	char buffer[64];

	(void)state;
	assert_string_equal(kri_suggest("adress", "address place every", buffer, sizeof(buffer)), "address");
	assert_string_equal(kri_suggest("palce", "address place every", buffer, sizeof(buffer)), "place");
	assert_null(kri_suggest("colour", "address place every", buffer, sizeof(buffer)));
	assert_null(kri_suggest("xx", "ca key", buffer, sizeof(buffer)));
	assert_null(kri_suggest("", "a b", buffer, sizeof(buffer)));
	assert_null(kri_suggest("anything", "", buffer, sizeof(buffer)));
}

/* Whatever stands behind the equals signs: no crash, an answer. */
static void random_values_never_crash_the_judge(void **state)
{
	static const char *const values[] = { "",      "0",   "1",        "-1",        "1s",
		                              "1000d", "20%", "every",    "any",       "a@b:c",
		                              "@",     ":",   "x.y",      "fridge.",   "fridge.*",
		                              ".",     ",",   "mqtt://",  "mqtts://x", "/dev/null",
		                              "/",     "5",   "\xc3\xa9", "{device}",  "drop-oldest" };
	uint64_t random = seed_from_environment(42);
	struct fixture *fixture = *state;
	unsigned int good = 0;

	for (int round = 0; round < 400; round++) {
		char text[8192] = SENSOR, *errors = NULL;
		int r;

		for (int i = 0; i < 12; i++) {
			const struct kri_key_info *info = &kri_station_keys[next_random(&random) % KRI_KEY_COUNT];
			const struct kri_section_info *section = &kri_station_sections[info->section];

			sprintf(text + strlen(text), "[%s%s]\n%s = %s\n", section->name, section->labelled ? " x" : "",
			        info->name, values[next_random(&random) % KRI_ARRAY_SIZE(values)]);
		}
		r = read_text(fixture, text, &errors);
		assert_true(r == 0 || r == KRYOS_ECONFIG);
		good += r == 0;
		free(errors);
	}
	assert_true(good < 400);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_smallest_file_is_one_sensor),
		TEST(the_state_directory_is_the_default_store),
		TEST(the_example_file_is_right),
		TEST(a_relay_with_everything_is_taken_as_written),
		TEST(what_a_relay_does_not_say_is_the_default),
		TEST(every_mistake_is_named_in_one_run),
		TEST(neighbours_of_a_mistake_are_right),
		TEST(what_is_said_of_a_channel_is_taken_as_written),
		TEST(every_mistake_about_a_channel_is_on_its_line),
		TEST(a_file_without_sensors_is_refused),
		TEST(a_zone_that_is_not_installed_is_refused),
		TEST(language_and_vial_monitors_of_its_reports_are_what_there_is),
		TEST(secrets_that_anyone_can_read_are_remarked_not_refused),
		TEST(a_sampler_too_slow_for_a_task_is_remarked),
		TEST(passwords_are_one_line_of_at_most_255_bytes),
		TEST(a_sentence_holds_whole_lines_and_counts_the_rest),
		TEST(check_prints_what_is_in_force),
		TEST(check_prints_every_mistake),
		TEST(the_nearest_word_is_suggested),
		TEST(random_values_never_crash_the_judge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
