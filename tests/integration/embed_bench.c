/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What examples/embed lacks on a machine without its board: a TMP117 with a driver for it, a folder
 * that is there, and rounds that come sooner. The linker puts these calls in the place of the library's
 * (ld --wrap), so that embed.c runs as it stands.
 *
 * EMBED_STORE is the folder; every tenth reading finds the chip unplugged.
 */
#include <errno.h>
#include <kryos/kryos.h>
#include <kryos/sys/bus.h>
#include <kryos/sys/sensor.h>
#include <stdlib.h>
#include <string.h>

int __real_kryos_ctx_new(struct kryos_ctx **ret_ctx, const struct kryos_ctx_config *config);
int __wrap_kryos_ctx_new(struct kryos_ctx **ret_ctx, const struct kryos_ctx_config *config);
int __real_kryos_store_open(struct kryos_store **ret_store, struct kryos_ctx *ctx, const char *path,
                            const struct kryos_store_config *config);
int __wrap_kryos_store_open(struct kryos_store **ret_store, struct kryos_ctx *ctx, const char *path,
                            const struct kryos_store_config *config);
int __real_kryos_sampler_new(struct kryos_sampler **ret_sampler, struct kryos_store *store,
                             const struct kryos_sampler_config *config);
int __wrap_kryos_sampler_new(struct kryos_sampler **ret_sampler, struct kryos_store *store,
                             const struct kryos_sampler_config *config);

/* TI TMP117, data sheet SNOSD82: the result is register 0x00 in 1/128 C (7.6.1), the device id is 0x0f (7.6.11). */
static int probe(void *priv, struct kryos_dev *dev)
{
	uint8_t id[2];
	int r = kryos_dev_read_registers(dev, 0x0f, id, sizeof(id));

	(void)priv;
	if (r == -ENXIO)
		return kryos_fail(-ENODEV, "%s: nothing answers", kryos_dev_name(dev));
	if (r >= 0 && ((id[0] & 0x0f) != 0x01 || id[1] != 0x17))
		return kryos_fail(KRYOS_ECHIP, "%s: this is no TMP117", kryos_dev_name(dev));
	return r;
}

static int fetch(void *priv, struct kryos_dev *dev, uint8_t *raw)
{
	(void)priv;
	return kryos_dev_read_registers(dev, 0x00, raw, 2);
}

static void decode(const void *priv, const uint8_t *raw, struct kryos_reading *ret_readings)
{
	(void)priv;
	ret_readings->value_micro = (int16_t)(raw[0] << 8 | raw[1]) * INT64_C(15625) / 2;
	ret_readings->quality = KRYOS_QUALITY_GOOD;
}

static const struct kryos_channel_info channels[] = {
	{ .quantity = "temperature", .unit = "Cel", .min_micro = -55000000, .max_micro = 150000000 },
};

static const struct kryos_sensor_driver tmp117 = {
	.size = sizeof(tmp117),
	.name = "tmp117",
	.title = "TI TMP117",
	.bus = "i2c",
	.channels = channels,
	.channel_count = 1,
	.raw_size = 2,
	.probe = probe,
	.fetch = fetch,
	.decode = decode,
};

struct board_bus {
	unsigned int readings;
};

static int bus_open(void *priv, const char *name, void *userdata)
{
	(void)priv;
	(void)name;
	(void)userdata;
	return 0;
}

static void bus_close(void *priv)
{
	(void)priv;
}

static int bus_parse(void *priv, const char *place, struct kryos_address *ret_address)
{
	(void)priv;
	if (strcmp(place, "0x48") != 0)
		return kryos_fail(KRYOS_EDEVICE, "\"%s\": this board has a chip at 0x48 only", place);
	memset(ret_address, 0, sizeof(*ret_address));
	ret_address->number = 0x48;
	strcpy(ret_address->text, place);
	return 0;
}

/* 5.25 C is 672 of 128ths. */
static int bus_transfer(void *priv, const struct kryos_address *address, const uint8_t *out, size_t out_count,
                        uint8_t *in, size_t in_count)
{
	struct board_bus *bus = priv;
	unsigned int value = out_count && out[0] == 0x0f ? 0x0117 : 672;

	(void)address;
	if (++bus->readings % 10 == 0)
		return kryos_fail(-ENXIO, "0x48 does not acknowledge");
	for (size_t i = 0; i < in_count; i++)
		in[i] = (uint8_t)(value >> (i % 2 ? 0 : 8));
	return 0;
}

static const struct kryos_bus_driver board_bus = {
	.size = sizeof(board_bus),
	.prefix = "i2c-",
	.private_size = sizeof(struct board_bus),
	.open = bus_open,
	.close = bus_close,
	.parse = bus_parse,
	.transfer = bus_transfer,
};

int __wrap_kryos_ctx_new(struct kryos_ctx **ret_ctx, const struct kryos_ctx_config *config)
{
	int r = __real_kryos_ctx_new(ret_ctx, config);

	if (r >= 0)
		r = kryos_register_bus(*ret_ctx, &board_bus, NULL);
	if (r >= 0 && !getenv("EMBED_NO_DRIVER"))
		r = kryos_register_sensor(*ret_ctx, &tmp117);
	return r;
}

int __wrap_kryos_store_open(struct kryos_store **ret_store, struct kryos_ctx *ctx, const char *path,
                            const struct kryos_store_config *config)
{
	(void)path;
	return __real_kryos_store_open(ret_store, ctx, getenv("EMBED_STORE"), config);
}

int __wrap_kryos_sampler_new(struct kryos_sampler **ret_sampler, struct kryos_store *store,
                             const struct kryos_sampler_config *config)
{
	struct kryos_sampler_config sooner = *config;

	sooner.every_ns = KRYOS_MILLISECONDS(100);
	return __real_kryos_sampler_new(ret_sampler, store, &sooner);
}
