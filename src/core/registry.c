/* SPDX-License-Identifier: Apache-2.0 */
#include "ctx.h"
#include <kryos/sys/codec.h>
#include <kryos/sys/gpio.h>
#include <kryos/sys/rtc.h>
#include <kryos/sys/sensor.h>
#include <kryos/sys/transport.h>
#include <kryos/sys/watchdog.h>
#include <stdlib.h>

int kri_registry_add(struct kryos_ctx *ctx, enum kri_kind kind, const void *driver, void *userdata)
{
	struct kri_registration *registration;
	int r = kri_ctx_check(ctx);

	if (r < 0)
		return r;
	registration = malloc(sizeof(*registration));
	if (!registration)
		return -ENOMEM;
	registration->driver = driver;
	registration->userdata = userdata;
	pthread_mutex_lock(&ctx->lock);
	registration->next = ctx->registrations[kind];
	ctx->registrations[kind] = registration;
	pthread_mutex_unlock(&ctx->lock);
	return 0;
}

int kri_registry_each(struct kryos_ctx *ctx, enum kri_kind kind,
                      int (*visit)(void *data, const void *driver, void *userdata), void *data)
{
	const struct kri_registration *registration;
	int r = 0;

	/* Registrations are only ever added in front, and live as long as the context. */
	pthread_mutex_lock(&ctx->lock);
	registration = ctx->registrations[kind];
	pthread_mutex_unlock(&ctx->lock);
	for (; registration && !r; registration = registration->next)
		r = visit(data, registration->driver, registration->userdata);
	for (const void *const *builtin = kri_builtin_drivers[kind]; *builtin && !r; builtin++)
		r = visit(data, *builtin, NULL);
	return r;
}

#define KRI_REQUIRE(condition, message)                                                                                \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			return kryos_fail(-EINVAL, "%s: %s", __func__, message);                                       \
	} while (0)

int kryos_register_bus(struct kryos_ctx *ctx, const struct kryos_bus_driver *driver, void *userdata)
{
	KRI_REQUIRE(driver && driver->size >= sizeof(*driver), "size is not set");
	KRI_REQUIRE(driver->prefix && driver->open && driver->close && driver->parse,
	            "prefix, open, close and parse are required");
	KRI_REQUIRE(driver->transfer || driver->read_scratchpad || driver->line || driver->read_text,
	            "transfer, read_scratchpad, line or read_text is required");
	KRI_REQUIRE(!driver->line || (driver->line->size >= sizeof(*driver->line) && driver->line->open &&
	                              driver->line->close && driver->line->get && driver->line->set),
	            "line: size is not set, or a slot is missing");
	return kri_registry_add(ctx, KRI_BUS, driver, userdata);
}

int kryos_register_sensor(struct kryos_ctx *ctx, const struct kryos_sensor_driver *driver)
{
	KRI_REQUIRE(driver && driver->size >= sizeof(*driver), "size is not set");
	KRI_REQUIRE(driver->name && driver->bus && driver->probe && driver->fetch && driver->decode,
	            "name, bus, probe, fetch and decode are required");
	KRI_REQUIRE(driver->describe || (driver->channels && driver->channel_count >= 1 &&
	                                 driver->channel_count <= KRYOS_SENSOR_MAX_CHANNELS),
	            "1 to 8 channels are allowed, or describe is required");
	KRI_REQUIRE(driver->option_count <= KRYOS_SENSOR_MAX_OPTIONS && (driver->options || !driver->option_count),
	            "at most 32 options are allowed");
	KRI_REQUIRE(driver->raw_size >= 1 && driver->raw_size <= KRYOS_SENSOR_MAX_RAW, "raw_size is 1 to 64");
	return kri_registry_add(ctx, KRI_SENSOR, driver, NULL);
}

int kryos_register_rtc(struct kryos_ctx *ctx, const struct kryos_rtc_driver *driver)
{
	KRI_REQUIRE(driver && driver->size >= sizeof(*driver), "size is not set");
	KRI_REQUIRE(driver->name && driver->open && driver->close && driver->read && driver->set,
	            "name, open, close, read and set are required");
	return kri_registry_add(ctx, KRI_RTC, driver, NULL);
}

int kryos_register_watchdog(struct kryos_ctx *ctx, const struct kryos_watchdog_driver *driver, void *userdata)
{
	KRI_REQUIRE(driver && driver->size >= sizeof(*driver), "size is not set");
	KRI_REQUIRE(driver->name && driver->prefix && driver->open && driver->pet && driver->close,
	            "name, prefix, open, pet and close are required");
	return kri_registry_add(ctx, KRI_WATCHDOG, driver, userdata);
}

int kryos_register_transport(struct kryos_ctx *ctx, const struct kryos_transport_driver *driver, void *userdata)
{
	KRI_REQUIRE(driver && driver->size >= sizeof(*driver), "size is not set");
	KRI_REQUIRE(driver->schemes && driver->check && driver->open && driver->connect && driver->publish &&
	                    driver->disconnect && driver->close,
	            "every slot is required");
	return kri_registry_add(ctx, KRI_TRANSPORT, driver, userdata);
}

int kryos_register_codec(struct kryos_ctx *ctx, const struct kryos_codec *codec)
{
	KRI_REQUIRE(codec && codec->size >= sizeof(*codec), "size is not set");
	KRI_REQUIRE(codec->name && codec->encode, "name and encode are required");
	return kri_registry_add(ctx, KRI_CODEC, codec, NULL);
}

int kryos_register_resolver(struct kryos_ctx *ctx, kryos_resolve_fn resolve, void *userdata)
{
	kryos_resolve_fn *boxed;
	int r;

	KRI_REQUIRE(resolve, "a function is required");
	/* ISO C has no object pointer to a function, so the registry holds a pointer to the pointer. */
	boxed = malloc(sizeof(*boxed));
	if (!boxed)
		return -ENOMEM;
	*boxed = resolve;
	r = kri_registry_add(ctx, KRI_RESOLVER, boxed, userdata);
	if (r < 0)
		free(boxed);
	return r;
}
