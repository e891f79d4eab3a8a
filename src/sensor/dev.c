/* SPDX-License-Identifier: Apache-2.0 */
/* One chip on a bus: finding it, and talking to it with retries and recovery. */
#include "sensor.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRIES 2

struct kryos_dev {
	atomic_int refs;
	struct kri_bus *bus;
	struct kri_device device;

	/* The worker's. */
	struct kryos_address address;
	unsigned int generation;  /* of the bus when address was resolved; 0: it is not */
	struct kri_mux_place mux; /* set before the first job */
	bool claimed;
	struct kri_line line;

	/* Set before the first job. */
	uint32_t spi_mode, spi_max_hz;
	int64_t options[KRYOS_SENSOR_MAX_OPTIONS];
	bool keeps_stuck;

	unsigned int chip; /* its address on I2C; 0: it is on another bus */
	bool taken;        /* its owner's, and at the end whoever's is the last reference */
};

void kri_say_nothing(void)
{
	int ignored = kryos_fail(-EINVAL, "%s", "");

	(void)ignored;
}

const char *kri_own_sentence(int result, char *buffer, size_t size)
{
	snprintf(buffer, size, "%s", kryos_strerror(result));
	kri_say_nothing();
	return strcmp(buffer, kryos_strerror(result)) ? buffer : NULL;
}

/* Puts the chip's name before the sentence, if it does not stand there yet. */
static int fail_for(const struct kryos_dev *dev, int result)
{
	char text[512];

	snprintf(text, sizeof(text), "%s", kryos_strerror(result));
	if (!strncmp(text, dev->device.text, strlen(dev->device.text)))
		return result;
	return kryos_fail(result, "%s: %s", dev->device.text, text);
}

int kri_dev_open(struct kryos_ctx *ctx, const char *device, const char *kind, struct kryos_dev **ret_dev)
{
	struct kryos_dev *dev = calloc(1, sizeof(*dev));
	const char *chip;
	int r;

	if (!dev)
		return -ENOMEM;
	atomic_init(&dev->refs, 1);
	r = kri_line_config_copy(&dev->line.request.config, NULL, "line");
	if (r >= 0)
		r = kri_device_parse(device, &dev->device);
	if (r >= 0)
		r = kri_device_check_bus(&dev->device, kind);
	if (r >= 0)
		r = kri_bus_get(ctx, &dev->device, &dev->bus);
	if (r < 0) {
		free(dev);
		return r;
	}
	if (!strncmp(dev->device.bus, "i2c-", 4) && kri_mux_parse(dev->device.place, &dev->mux, &chip) >= 0)
		dev->chip = (unsigned int)strtoul(chip, NULL, 16) & 127;
	*ret_dev = dev;
	return 0;
}

int kri_dev_take(struct kryos_dev *dev)
{
	int r = dev->chip ? kri_muxes_take(kri_bus_muxes(dev->bus), &dev->mux, dev->chip) : 0;

	if (r < 0)
		return fail_for(dev, r);
	dev->taken = dev->chip > 0;
	return 0;
}

void kri_dev_give_back(struct kryos_dev *dev)
{
	if (dev->taken)
		kri_muxes_give_back(kri_bus_muxes(dev->bus), &dev->mux, dev->chip);
	dev->taken = false;
}

void kri_dev_configure(struct kryos_dev *dev, const struct kryos_sensor_driver *driver, const int64_t *options)
{
	dev->spi_mode = driver->spi_mode;
	dev->spi_max_hz = driver->spi_max_hz ? driver->spi_max_hz : 1000000;
	memcpy(dev->options, options, driver->option_count * sizeof(options[0]));
}

void kri_dev_set_recovery(struct kryos_dev *dev, bool recovers)
{
	dev->keeps_stuck = !recovers;
}

int64_t kryos_dev_option(const struct kryos_dev *dev, size_t option)
{
	return option < KRYOS_SENSOR_MAX_OPTIONS ? dev->options[option] : 0;
}

const char *kryos_dev_bus_kind(const struct kryos_dev *dev)
{
	return !strncmp(dev->device.bus, "spi-", 4)   ? "spi"
	       : !strncmp(dev->device.bus, "i2c-", 4) ? "i2c"
	       : !strcmp(dev->device.bus, "gpio")     ? "gpio"
	       : strchr(dev->device.bus, '@')         ? "sysfs"
	                                              : "w1";
}

const char *kri_dev_place(const struct kryos_dev *dev)
{
	return dev->device.place;
}

struct kryos_dev *kri_dev_ref(struct kryos_dev *dev)
{
	atomic_fetch_add(&dev->refs, 1);
	return dev;
}

void kri_dev_close(struct kryos_dev *dev)
{
	if (!dev || atomic_fetch_sub(&dev->refs, 1) != 1)
		return;
	/* Open still only where the bus hung so that the job which would have closed it never ran. */
	kryos_dev_close_line(dev);
	kri_dev_give_back(dev);
	kri_bus_unref(dev->bus);
	free(dev);
}

struct kri_line *kri_dev_line(struct kryos_dev *dev)
{
	return &dev->line;
}

struct kri_bus *kri_dev_bus(struct kryos_dev *dev)
{
	return dev->bus;
}

struct kri_worker *kri_dev_worker(struct kryos_dev *dev)
{
	return kri_bus_worker(dev->bus);
}

const char *kryos_dev_name(const struct kryos_dev *dev)
{
	return dev->device.text;
}

const struct kryos_address *kryos_dev_address(const struct kryos_dev *dev)
{
	return &dev->address;
}

/* 1-Wire families by the drivers that speak to them: Linux drivers/w1/slaves/w1_therm.c, w1_family.h. */
static const struct {
	const char *driver, *prefix;
} families[] = {
	{ "ds18s20", "10-" }, { "ds1822", "22-" }, { "ds18b20", "28-" }, { "ds1825", "3b-" }, { "ds28ea00", "42-" },
};

const char *kri_dev_w1_driver(const char *place)
{
	for (size_t i = 0; i < KRI_ARRAY_SIZE(families); i++)
		if (!strncmp(place, families[i].prefix, strlen(families[i].prefix)))
			return families[i].driver;
	return NULL;
}

struct present {
	const char *prefix; /* "": every device counts */
	unsigned int count;
	struct kryos_address first;
	char names[256];
	size_t length;
};

static void found(void *userdata, const struct kryos_address *address)
{
	struct present *present = userdata;

	if (strncmp(address->text, present->prefix, strlen(present->prefix)) != 0)
		return;
	if (!present->count++)
		present->first = *address;
	if (present->length < sizeof(present->names))
		present->length +=
			(size_t)snprintf(present->names + present->length, sizeof(present->names) - present->length,
		                         "%s%s", present->count > 1 ? ", " : "", address->text);
}

static int list_present(struct kryos_dev *dev, struct present *ret_present)
{
	unsigned int generation;
	void *priv;
	const struct kryos_bus_driver *driver = kri_bus_driver(dev->bus, &priv, &generation);

	*ret_present = (struct present){ .prefix = "" };
	if (!generation)
		return -ENODEV;
	for (size_t i = 0; i < KRI_ARRAY_SIZE(families); i++)
		if (!strcmp(families[i].driver, dev->device.driver))
			ret_present->prefix = families[i].prefix;
	return driver->list ? driver->list(priv, found, ret_present) : -EOPNOTSUPP;
}

/* No device string here: who wrote "any" thinks of a kind of probe. */
static int fail_none(const struct kryos_dev *dev)
{
	char title[sizeof(dev->device.driver)];
	size_t i;

	for (i = 0; dev->device.driver[i]; i++)
		title[i] = (char)toupper((unsigned char)dev->device.driver[i]);
	title[i] = '\0';
	return kryos_fail(-ENODEV, "no %s on any 1-Wire bus; is \"dtoverlay=w1-gpio\" in /boot/firmware/config.txt?",
	                  title);
}

static bool is_any(const struct kryos_dev *dev)
{
	return !strcmp(dev->device.place, "any");
}

static int resolve_any(struct kryos_dev *dev)
{
	struct present present;
	int r;

	kri_say_nothing();
	r = list_present(dev, &present);
	if (r == -EOPNOTSUPP)
		return kryos_fail(KRYOS_EDEVICE, "%s: %s cannot list what is present; name the place", dev->device.text,
		                  dev->device.bus);
	if (r < 0 && r != -ENODEV && r != -ENOENT)
		return fail_for(dev, r);
	if (r < 0 || !present.count)
		return fail_none(dev);
	if (present.count > 1)
		return kryos_fail(KRYOS_EDEVICE, "%s: %u are present, name one of them: %s", dev->device.text,
		                  present.count, present.names);
	dev->address = present.first;
	return 0;
}

/* Bus drivers know nothing of multiplexers: theirs is the chip's own address. */
static int parse_place(struct kryos_dev *dev, const struct kryos_bus_driver *driver, void *priv)
{
	const char *chip;
	int r;

	if (!dev->mux.address)
		return driver->parse(priv, dev->device.place, &dev->address);
	r = kri_mux_parse(dev->device.place, &dev->mux, &chip);
	if (r >= 0)
		r = driver->parse(priv, chip, &dev->address);
	if (r >= 0)
		snprintf(dev->address.text, sizeof(dev->address.text), "%s", dev->device.place);
	return r;
}

static int resolve(struct kryos_dev *dev, unsigned int generation)
{
	void *priv;
	const struct kryos_bus_driver *driver = kri_bus_driver(dev->bus, &priv, NULL);
	int r;

	dev->claimed = false;
	if (is_any(dev)) {
		r = resolve_any(dev);
		if (r < 0)
			return r;
	} else {
		memset(&dev->address, 0, sizeof(dev->address));
		kri_say_nothing();
		r = parse_place(dev, driver, priv);
		if (r < 0)
			return fail_for(dev, r);
	}
	dev->address.spi_mode = dev->spi_mode;
	dev->address.spi_max_hz = dev->spi_max_hz;
	dev->generation = generation;
	return 0;
}

static int find_and_claim(struct kryos_dev *dev, bool shared)
{
	const struct kryos_bus_driver *driver;
	unsigned int generation;
	void *priv;
	int r = kri_bus_ready(dev->bus);

	if (r == -ENODEV && is_any(dev))
		return fail_none(dev);
	if (r < 0)
		return fail_for(dev, r);
	driver = kri_bus_driver(dev->bus, &priv, &generation);
	if (dev->generation != generation) {
		r = resolve(dev, generation);
		if (r < 0)
			return r;
	}
	/* Another process, or a reset, may have changed it since the last measurement. */
	kri_muxes_forget(kri_bus_muxes(dev->bus));
	if (dev->claimed || !driver->claim)
		return 0;
	kri_say_nothing();
	r = 0;
	if (dev->mux.address) {
		struct kryos_address mux = kri_mux_address(dev->mux.address);

		r = driver->claim(priv, &mux);
	}
	if (r >= 0 && !shared)
		r = driver->claim(priv, &dev->address);
	if (r == -ENODEV)
		kri_bus_lost(dev->bus);
	if (r < 0)
		return fail_for(dev, r);
	dev->claimed = !shared;
	return 0;
}

int kri_dev_ready(struct kryos_dev *dev, bool shared)
{
	unsigned int before, after;
	int r;

	kri_bus_driver(dev->bus, NULL, &before);
	r = find_and_claim(dev, shared);
	kri_bus_driver(dev->bus, NULL, &after);
	/* What was open has gone since it was last asked; there may be another by now. */
	return r == -ENODEV && before && !after ? find_and_claim(dev, shared) : r;
}

void kri_dev_lost(struct kryos_dev *dev)
{
	dev->generation = 0;
	dev->claimed = false;
}

static int fail_absent(struct kryos_dev *dev)
{
	struct present present;
	int r = list_present(dev, &present);
	const char *place = dev->address.text[0] ? dev->address.text : dev->device.place;

	if (r >= 0)
		return kryos_fail(-ENODEV, "%s: nothing answers at %s on %s; there is %s", dev->device.text, place,
		                  dev->device.bus, present.count ? present.names : "nothing of its kind");
	return kryos_fail(-ENODEV, "%s: nothing answers at %s on %s", dev->device.text, place, dev->device.bus);
}

int kri_dev_fail(struct kryos_dev *dev, int result)
{
	unsigned int generation;
	const struct kryos_bus_driver *driver = kri_bus_driver(dev->bus, NULL, &generation);

	/* Nothing answers on a line, at a chip select, or in the kernel, as such: who looked for it says more. */
	if (driver->line || driver->read_text || !dev->address.text[0])
		return fail_for(dev, result);
	/*
	 * Drivers say "not there" in many words, and only here is it known where else there is something; but where the
	 * bus itself went, its own sentence says more.
	 */
	return generation && (result == -ENODEV || result == -ENXIO) ? fail_absent(dev) : fail_for(dev, result);
}

struct exchange {
	const uint8_t *out;
	size_t out_count;
	uint8_t *in;
	size_t in_count;
	bool scratchpad;
};

/* Behind a multiplexer -ENXIO is the chip's alone: what the multiplexer does not acknowledge is -EIO. */
static int exchange_once(struct kryos_dev *dev, const struct kryos_bus_driver *driver, void *priv,
                         const struct exchange *x)
{
	struct kri_muxes *muxes = kri_bus_muxes(dev->bus);
	int r, blame = 1;

	if (x->scratchpad)
		return driver->read_scratchpad(priv, &dev->address, x->in);
	for (int i = 0; i < 2 && blame > 0; i++) {
		r = kri_muxes_select(muxes, driver, priv, &dev->mux);
		if (r < 0)
			return r;
		r = driver->transfer(priv, &dev->address, x->out, x->out_count, x->in, x->in_count);
		blame = r == -ENXIO ? kri_muxes_blame(muxes, driver, priv, &dev->mux) : 0;
	}
	return blame < 0 ? blame : r;
}

/* The driver of the bus, opened as when the chip was found; -ENODEV. */
static int opened(struct kryos_dev *dev, const struct kryos_bus_driver **ret_driver, void **ret_priv)
{
	unsigned int generation;

	*ret_driver = kri_bus_driver(dev->bus, ret_priv, &generation);
	if (!generation || dev->generation != generation)
		return kryos_fail(-ENODEV, "%s: the bus is not open", dev->device.text);
	kri_say_nothing();
	return 0;
}

/*
 * -EAGAIN is a lost arbitration: the next try is as good as the first. A line that is held low, or a
 * transfer that does not end, is a chip that was interrupted within a byte; nothing gets better
 * without a recovery, and one is enough.
 */
static int exchange(struct kryos_dev *dev, const struct exchange *x)
{
	const struct kryos_bus_driver *driver;
	unsigned int again = 0;
	bool recovered = dev->keeps_stuck;
	void *priv;
	int r, stuck = 0;

	r = opened(dev, &driver, &priv);
	if (r < 0)
		return r;
	if (x->scratchpad ? !driver->read_scratchpad : !driver->transfer)
		return kryos_fail(-EOPNOTSUPP, "%s: %s has no such transfer", dev->device.text, dev->device.bus);
	for (;;) {
		kri_say_nothing();
		r = exchange_once(dev, driver, priv, x);
		if (r == -EAGAIN && again < RETRIES) {
			again++;
			continue;
		}
		if ((r == KRYOS_ESTUCK || r == -ETIMEDOUT) && !recovered && driver->recover) {
			recovered = true;
			kri_muxes_forget(kri_bus_muxes(dev->bus));
			stuck = r;
			if (driver->recover(priv) >= 0)
				continue;
			return kryos_fail(r, "%s: %s is stuck, and could not be freed", dev->device.text,
			                  dev->device.bus);
		}
		break;
	}
	if (stuck && r != KRYOS_ESTUCK && r != -ETIMEDOUT)
		kri_bus_freed(dev->bus, dev->device.text, stuck);
	if (r >= 0)
		return 0;
	if (r == -ENXIO || (r == -ENODEV && x->scratchpad)) {
		int absent = fail_absent(dev);

		return r == -ENODEV ? absent : kryos_fail(r, "%s", kryos_strerror(absent));
	}
	r = fail_for(dev, r);
	/* Of i2c and spi this is the adapter's own end (unplugged USB): what is open now never works again. */
	if (r == -ENODEV)
		kri_bus_lost(dev->bus);
	return r;
}

int kryos_dev_transfer(struct kryos_dev *dev, const void *out, size_t out_count, void *in, size_t in_count)
{
	if (!dev || (out_count && !out) || (in_count && !in) || !(out_count || in_count))
		return kryos_fail(-EINVAL, "transfer: nothing to write or read, or nowhere to read it to");
	return exchange(dev, &(struct exchange){ .out = out, .out_count = out_count, .in = in, .in_count = in_count });
}

int kryos_dev_write_register(struct kryos_dev *dev, uint8_t reg, uint8_t value)
{
	uint8_t bytes[2] = { reg, value };

	return kryos_dev_transfer(dev, bytes, sizeof(bytes), NULL, 0);
}

int kryos_dev_read_registers(struct kryos_dev *dev, uint8_t reg, void *in, size_t count)
{
	return kryos_dev_transfer(dev, &reg, 1, in, count);
}

void kryos_dev_begin_scratchpad(struct kryos_dev *dev)
{
	const struct kryos_bus_driver *driver;
	void *priv;

	if (dev && opened(dev, &driver, &priv) >= 0 && driver->begin)
		driver->begin(priv, &dev->address);
}

int kryos_dev_read_scratchpad(struct kryos_dev *dev, uint8_t scratchpad[9])
{
	if (!dev || !scratchpad)
		return kryos_fail(-EINVAL, "scratchpad: nowhere to read it to");
	return exchange(dev, &(struct exchange){ .in = scratchpad, .in_count = 9, .scratchpad = true });
}

int kryos_dev_read_text(struct kryos_dev *dev, const char *file, char *text, size_t size)
{
	const struct kryos_bus_driver *driver;
	void *priv;
	int r;

	if (!dev || !file || !text || size < 2)
		return kryos_fail(-EINVAL, "read text: no file named, or nowhere to read it to");
	r = opened(dev, &driver, &priv);
	if (r < 0)
		return r;
	if (!driver->read_text)
		return kryos_fail(-EOPNOTSUPP, "%s: %s has no files", dev->device.text, dev->device.bus);
	r = driver->read_text(priv, &dev->address, file, text, size);
	/* The device may come back under another number, and another one under this: it is looked for anew. */
	if (r == -ENODEV)
		kri_bus_lost(dev->bus);
	return r < 0 ? fail_for(dev, r) : r;
}

int kryos_dev_list(struct kryos_dev *dev, kryos_found_fn list_one, void *userdata)
{
	const struct kryos_bus_driver *driver;
	void *priv;
	int r;

	if (!dev || !list_one)
		return kryos_fail(-EINVAL, "list: nobody is told");
	r = opened(dev, &driver, &priv);
	if (r < 0)
		return r;
	if (!driver->list)
		return kryos_fail(-EOPNOTSUPP, "%s: %s cannot list what is present", dev->device.text, dev->device.bus);
	r = driver->list(priv, list_one, userdata);
	return r < 0 ? fail_for(dev, r) : r;
}
