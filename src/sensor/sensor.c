/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor.h"
#include <kryos/clock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_NS KRYOS_SECONDS(5)
#define CLOSE_NS KRYOS_SECONDS(1)

struct kryos_sensor *kri_sensor_ref(struct kryos_sensor *sensor)
{
	atomic_fetch_add(&sensor->refs, 1);
	return sensor;
}

void kri_sensor_unref(struct kryos_sensor *sensor)
{
	if (atomic_fetch_sub(&sensor->refs, 1) != 1)
		return;
	kri_dev_close(sensor->dev);
	kri_edges_free(sensor->edges);
	kri_rail_unref(sensor->rail);
	pthread_mutex_destroy(&sensor->lock);
	kri_ctx_unref(sensor->ctx);
	free(sensor->priv);
	free(sensor);
}

static void destroy_object(struct kri_object *object)
{
	kryos_sensor_close(KRI_CONTAINER_OF(object, struct kryos_sensor, object));
}

static int check_name(const char *name)
{
	size_t length = name ? strlen(name) : 0;

	if (length < 1 || length > 31 || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != length)
		return kryos_fail(-EINVAL, "\"%.40s\": a sensor's name is 1 to 31 of a-z 0-9 _ -", name ? name : "");
	return 0;
}

static int add_channels(struct kryos_sensor *sensor)
{
	char name[64];
	int r = 0;

	for (size_t i = 0; i < sensor->has.channel_count && r >= 0; i++) {
		int length = snprintf(name, sizeof(name), "%s.%s", sensor->name, sensor->has.channels[i].quantity);

		if (length < 0 || (size_t)length >= sizeof(name))
			return kryos_fail(-EINVAL, "%s: quantity \"%.40s\" is too long for a channel's name",
			                  sensor->name, sensor->has.channels[i].quantity);
		r = kryos_channel_add(sensor->ctx, name, sensor->has.channels[i].unit, &sensor->channels[i]);
	}
	return r;
}

/* "fridge: " before a sentence that does not begin with it. */
static int fail_named(const char *name, int result)
{
	char text[512];

	snprintf(text, sizeof(text), "%s", kryos_strerror(result));
	if (!strncmp(text, name, strlen(name)) && text[strlen(name)] == ':')
		return result;
	return kryos_fail(result, "%s: %s", name, text);
}

static int make(struct kryos_sensor *sensor, const char *text)
{
	struct kri_device device;
	int r = kri_device_parse(text, &device);

	if (r >= 0)
		r = kri_device_find_sensor(sensor->ctx, &device, &sensor->driver);
	if (r >= 0)
		r = kri_dev_open(sensor->ctx, text, sensor->driver->bus, &sensor->dev);
	if (r >= 0)
		r = kri_dev_take(sensor->dev);
	if (r < 0)
		return r;
	sensor->priv = calloc(1, sensor->driver->private_size ? sensor->driver->private_size : 1);
	return sensor->priv ? 0 : -ENOMEM;
}

static const struct kryos_channel_info *find_channel(const struct kryos_sensor *sensor, const char *quantity,
                                                     size_t *ret_index)
{
	for (size_t i = 0; quantity && i < sensor->has.channel_count; i++) {
		if (!strcmp(sensor->has.channels[i].quantity, quantity)) {
			*ret_index = i;
			return &sensor->has.channels[i];
		}
	}
	return NULL;
}

/* What is said of the channels, each once. */
static int take_channels(struct kryos_sensor *sensor, const struct kryos_channel_config *const *configs)
{
	bool said[KRYOS_SENSOR_MAX_CHANNELS] = { false };
	struct kryos_channel_config config;
	int r = 0;

	for (size_t i = 0; i < sensor->has.channel_count; i++)
		kri_channel_take(&sensor->said[i], NULL);
	for (; configs && *configs && r >= 0; configs++) {
		const struct kryos_channel_info *info;
		const char *field;
		char text[256];
		size_t i = 0;

		memset(&config, 0, sizeof(config));
		r = kri_config_copy(&config, sizeof(config), *configs);
		if (r < 0)
			return r;
		info = find_channel(sensor, config.quantity, &i);
		if (!info)
			return kryos_fail(-EINVAL, "a %s has no channel \"%.40s\", of which something is said",
			                  sensor->driver->title, config.quantity ? config.quantity : "");
		if (said[i])
			return kryos_fail(-EINVAL, "%s: something is said of it twice; once is allowed",
			                  info->quantity);
		said[i] = true;
		r = kri_channel_check(&config, info, &field);
		if (r < 0) {
			snprintf(text, sizeof(text), "%s", kryos_strerror(r));
			return kryos_fail(r, "%s: %s: %s", info->quantity, field, text);
		}
		kri_channel_take(&sensor->said[i], &config);
	}
	return r;
}

static int configure_recovery(struct kryos_sensor *sensor, const struct kryos_sensor_config *config)
{
	const uint32_t always = KRYOS_RECOVER_RETRY | KRYOS_RECOVER_BUS;
	const uint32_t all = always | KRYOS_RECOVER_POWER | KRYOS_RECOVER_REPORT;

	if (config->recover & ~all)
		return kryos_fail(-EINVAL, "recover is 0x%x; of 0x%x is allowed", config->recover, all);
	if (config->recover & KRYOS_RECOVER_POWER && !config->power)
		return kryos_fail(-EINVAL, "recover has power, and no power is named");
	sensor->recover = config->recover ? config->recover : config->power ? always | KRYOS_RECOVER_POWER : always;
	kri_dev_set_recovery(sensor->dev, sensor->recover & KRYOS_RECOVER_BUS);
	if (config->power)
		sensor->rail = kri_rail_ref((struct kri_rail *)config->power);
	return 0;
}

static int configure(struct kryos_sensor *sensor, const struct kryos_sensor_config *config)
{
	int64_t options[KRYOS_SENSOR_MAX_OPTIONS];
	int r = kri_options_parse(sensor->driver, config->options, options);

	if (r >= 0)
		r = kri_sensor_describe(sensor->driver, kri_dev_place(sensor->dev), options, &sensor->has);
	if (r >= 0)
		r = take_channels(sensor, config->channels);
	if (r < 0)
		return r;
	kri_dev_configure(sensor->dev, sensor->driver, options);
	r = configure_recovery(sensor, config);
	if (r < 0)
		return r;
	if (config->line && strcmp(sensor->driver->bus, "gpio") != 0)
		return kryos_fail(-EINVAL, "a %s is no GPIO line, so nothing can be said of one",
		                  sensor->driver->title);
	if (config->line)
		r = kri_line_config_copy(&kri_dev_line(sensor->dev)->request.config, config->line, sensor->name);
	return r;
}

int kri_sensor_new_lazy(struct kryos_sensor **ret_sensor, struct kryos_ctx *ctx, const char *name, const char *device,
                        const struct kryos_sensor_config *config)
{
	struct kryos_sensor_config own = { 0 };
	struct kryos_sensor *sensor;
	int r = check_name(name);

	if (r >= 0 && config)
		r = kri_config_copy(&own, sizeof(own), config);

	if (r < 0)
		return r;
	r = kri_bus_claim_name(ctx, name);
	if (r < 0)
		return r;
	kri_say_nothing();
	sensor = calloc(1, sizeof(*sensor));
	if (!sensor) {
		r = -ENOMEM;
		goto release_name;
	}
	atomic_init(&sensor->refs, 1);
	atomic_init(&sensor->probed, false);
	pthread_mutex_init(&sensor->lock, NULL);
	sensor->ctx = kri_ctx_ref(ctx);
	strcpy(sensor->name, name);
	r = make(sensor, device);
	if (r >= 0)
		r = configure(sensor, &own);
	if (r >= 0)
		r = add_channels(sensor);
	if (r < 0)
		goto unref_sensor;
	if (sensor->rail)
		kri_rail_add(sensor->rail, sensor);
	*ret_sensor = sensor;
	return 0;
unref_sensor:
	kri_sensor_unref(sensor);
release_name:
	kri_bus_release_name(ctx, name);
	return fail_named(name, r);
}

int kryos_sensor_open(struct kryos_sensor **ret_sensor, struct kryos_ctx *ctx, const char *name, const char *device)
{
	return kryos_sensor_open_with(ret_sensor, ctx, name, device, NULL);
}

int kryos_sensor_open_with(struct kryos_sensor **ret_sensor, struct kryos_ctx *ctx, const char *name,
                           const char *device, const struct kryos_sensor_config *config)
{
	struct kri_measured measured;
	struct kryos_sensor *sensor;
	int r = kri_ctx_check(ctx);

	if (r < 0)
		return r;
	if (!ret_sensor)
		return kryos_fail(-EINVAL, "no place for the sensor given");
	r = kri_sensor_new_lazy(&sensor, ctx, name, device, config);
	if (r < 0)
		return r;
	r = kri_measure(sensor, true, LIMIT_NS, &measured);
	if (r < 0) {
		char text[512];

		/* The sentence is kept over the close, in which other calls fail. */
		snprintf(text, sizeof(text), "%s", kryos_strerror(r));
		kryos_sensor_close(sensor);
		return fail_named(name, kryos_fail(r, "%s", text));
	}
	sensor->presence = KRI_PRESENT;
	kri_object_add(ctx, &sensor->object, destroy_object);
	*ret_sensor = sensor;
	return 0;
}

struct removal {
	struct kri_job job;
	struct kryos_sensor *sensor;
};

static void removal_run(struct kri_job *job)
{
	struct kryos_sensor *sensor = KRI_CONTAINER_OF(job, struct removal, job)->sensor;

	if (atomic_exchange(&sensor->probed, false) && sensor->driver->remove && kri_dev_ready(sensor->dev, false) >= 0)
		sensor->driver->remove(sensor->priv, sensor->dev);
}

static void removal_drop(struct kri_job *job)
{
	struct removal *removal = KRI_CONTAINER_OF(job, struct removal, job);

	kri_sensor_unref(removal->sensor);
	free(removal);
}

/* Behind whatever is under way for the chip, so that it also waits for that; not at all where the bus hangs anyway. */
static void put_to_rest(struct kryos_sensor *sensor)
{
	struct kri_bus *bus = kri_dev_bus(sensor->dev);
	struct removal *removal;
	int r;

	if (atomic_load(&sensor->refs) == 1 && !atomic_load(&sensor->probed))
		return;
	removal = calloc(1, sizeof(*removal));
	if (!removal)
		return;
	removal->job.run = removal_run;
	removal->job.drop = removal_drop;
	removal->sensor = kri_sensor_ref(sensor);
	if (kri_bus_hangs(bus)) {
		r = kri_worker_post(kri_bus_worker(bus), &removal->job);
		if (r < 0)
			removal_drop(&removal->job);
		return;
	}
	r = kri_bus_call(bus, &removal->job, kri_ctx_patience(sensor->ctx, CLOSE_NS));
	if (r >= 0)
		kri_job_unref(&removal->job);
	else if (r != -ETIMEDOUT)
		removal_drop(&removal->job);
}

void kryos_sensor_close(struct kryos_sensor *sensor)
{
	/* In a child after fork there is no worker to wait for. */
	if (!sensor || kri_ctx_check(sensor->ctx) < 0)
		return;
	if (sensor->object.ctx)
		kri_object_remove(&sensor->object);
	kri_edges_stop(sensor->edges);
	if (sensor->rail)
		kri_rail_remove(sensor->rail, sensor);
	kri_bus_release_name(sensor->ctx, sensor->name);
	put_to_rest(sensor);
	/* Whatever hangs on it may go on: what takes its place waits for the same bus. */
	kri_dev_give_back(sensor->dev);
	kri_sensor_unref(sensor);
}

void kri_stamp(struct kryos_ctx *ctx, struct kryos_sample *samples, size_t count)
{
	struct kryos_time now;

	if (kryos_clock_now(ctx, &now) < 0)
		now = (struct kryos_time){ .t_boot_ns = kri_boot_ns(ctx), .t_wall_ns = kri_wall_ns(ctx) };
	for (size_t i = 0; i < count; i++) {
		samples[i].t_wall_ns = now.t_wall_ns - (now.t_boot_ns - samples[i].t_boot_ns);
		samples[i].trust = now.trust;
	}
}

int kryos_sensor_read(struct kryos_sensor *sensor, struct kryos_sample *samples, size_t count)
{
	struct kri_measured measured;
	char text[256];
	int r;

	if (!sensor || !samples || !count)
		return kryos_fail(-EINVAL, "read: a sensor and room for at least one sample are needed");
	r = kri_ctx_check(sensor->ctx);
	if (r < 0)
		return r;
	r = kri_measure(sensor, false, LIMIT_NS, &measured);
	if (r < 0 && measured.sensor == NULL) {
		snprintf(text, sizeof(text), "%s", kryos_strerror(r));
		kri_measured_fail(&measured, sensor, r == -EAGAIN ? -ETIMEDOUT : r, text, kri_boot_ns(sensor->ctx));
	}
	kri_measured_announce(&measured);
	kri_stamp(sensor->ctx, measured.samples, measured.count);
	if (count > measured.count)
		count = measured.count;
	memcpy(samples, measured.samples, count * sizeof(*samples));
	return (int)count;
}

int kryos_sensor_get_channel_count(struct kryos_sensor *sensor)
{
	return sensor ? (int)sensor->has.channel_count : kryos_fail(-EINVAL, "no sensor given");
}

int kryos_sensor_get_channel(struct kryos_sensor *sensor, unsigned int index, uint32_t *ret_channel)
{
	if (!sensor || !ret_channel)
		return kryos_fail(-EINVAL, "no sensor given, or no place for its channel");
	if (index >= sensor->has.channel_count)
		return kryos_fail(-EINVAL, "%s: has %zu channels; there is no index %u", sensor->name,
		                  sensor->has.channel_count, index);
	*ret_channel = sensor->channels[index];
	return 0;
}
