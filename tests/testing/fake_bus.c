/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of one transfer. */
#define MAX_BYTES 256

/*
 * Counted references, because a call that hangs outlives both the context (which abandons its
 * worker) and the owner's kryos_fake_bus_free: the worker closes the bus when it is let go.
 */
struct kryos_fake_bus {
	struct kryos_bus_driver driver; /* prefix is the whole name */
	char name[32];
	enum kri_wire wire;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* the plan, or freed */
	unsigned int refs;
	bool freed;
	struct kryos_model *models;

	enum kryos_fault fault;
	int after, times;
	unsigned int since; /* transfers since the plan was made */
	unsigned int plan;  /* which plan, for those who hang in one */
	bool held_low;
	struct kryos_model *holder; /* holds it low as long as it has power; NULL: nobody */
	unsigned int transfers, recoveries;
	uint8_t idle; /* spi: what is read where no chip drives the wire */
	int64_t transfer_ns;
};

struct fake_private {
	struct kryos_fake_bus *bus;
};

static void bus_unref_unlock(struct kryos_fake_bus *bus)
{
	struct kryos_model *model;
	bool last = --bus->refs == 0;

	pthread_mutex_unlock(&bus->lock);
	if (!last)
		return;
	while ((model = bus->models)) {
		bus->models = model->next;
		free(model);
	}
	pthread_cond_destroy(&bus->changed);
	pthread_mutex_destroy(&bus->lock);
	free(bus);
}

static int fake_open(void *priv, const char *name, void *userdata)
{
	struct fake_private *fake = priv;
	struct kryos_fake_bus *bus = userdata;

	if (strcmp(name, bus->name) != 0)
		return kryos_fail(-ENODEV, "%s: no such bus; the fake one is called %s", name, bus->name);
	pthread_mutex_lock(&bus->lock);
	bus->refs++;
	pthread_mutex_unlock(&bus->lock);
	fake->bus = bus;
	return 0;
}

static void fake_close(void *priv)
{
	struct fake_private *fake = priv;

	pthread_mutex_lock(&fake->bus->lock);
	bus_unref_unlock(fake->bus);
}

/* What a chip is behind, "0x70.3:" before its own address; leaves 0 where it is on the bus itself. */
static const char *parse_mux(const char *place, uint32_t *ret_mux, uint32_t *ret_channel)
{
	unsigned int mux, channel;
	int length = 0;

	if (sscanf(place, "0x%2x.%1u:%n", &mux, &channel, &length) != 2 || !length)
		return place;
	*ret_mux = mux;
	*ret_channel = channel;
	return place + length;
}

static int parse_i2c(const char *bus, const char *place, struct kryos_address *ret_address)
{
	char *end = NULL;
	unsigned long number;

	number = isdigit((unsigned char)place[0]) ? strtoul(place, &end, 0) : 0;
	if (!end || *end || number < 0x03 || number > 0x77)
		return kryos_fail(KRYOS_EDEVICE, "%s: \"%s\" is no I2C address; 0x03 to 0x77 are", bus, place);
	*ret_address = (struct kryos_address){ .number = (uint32_t)number };
	snprintf(ret_address->text, sizeof(ret_address->text), "%s", place);
	return 0;
}

static int parse_w1(const char *bus, const char *place, struct kryos_address *ret_address)
{
	size_t i, length = strlen(place);
	bool right = length == 15 && place[2] == '-';

	for (i = 0; right && i < length; i++)
		right = i == 2 || (isxdigit((unsigned char)place[i]) && !isupper((unsigned char)place[i]));
	if (!right)
		return kryos_fail(KRYOS_EDEVICE, "%s: \"%s\" is no 1-Wire device; one is written 28-0316a2795bff", bus,
		                  place);
	*ret_address = (struct kryos_address){ .number = 0 };
	memcpy(ret_address->text, place, length);
	return 0;
}

static int parse_line(const char *bus, const char *place, struct kryos_address *ret_address)
{
	*ret_address = (struct kryos_address){ .number = 0 };
	if (!place[0] || strlen(place) >= sizeof(ret_address->text))
		return kryos_fail(KRYOS_EDEVICE, "%s: \"%s\" is no place here", bus, place);
	strcpy(ret_address->text, place);
	return 0;
}

static int parse_spi(const char *bus, const char *place, struct kryos_address *ret_address)
{
	if (place[0])
		return kryos_fail(KRYOS_EDEVICE, "%s: \"%s\" is too much; the chip select is all the place there is",
		                  bus, place);
	*ret_address = (struct kryos_address){ .number = 0 };
	return 0;
}

static int bus_parse(const struct kryos_fake_bus *bus, const char *place, struct kryos_address *ret_address)
{
	switch (bus->wire) {
	case KRI_WIRE_GPIO:
	case KRI_WIRE_SYSFS:
		return parse_line(bus->name, place, ret_address);
	case KRI_WIRE_SPI:
		return parse_spi(bus->name, place, ret_address);
	case KRI_WIRE_W1:
		return parse_w1(bus->name, place, ret_address);
	default:
		return parse_i2c(bus->name, place, ret_address);
	}
}

static int fake_parse(void *priv, const char *place, struct kryos_address *ret_address)
{
	struct fake_private *fake = priv;

	return bus_parse(fake->bus, place, ret_address);
}

static bool same_address(const struct kryos_fake_bus *bus, const struct kryos_address *a, const struct kryos_address *b)
{
	/* A device of the kernel is alone on its bus, whatever is asked of it. */
	if (bus->wire == KRI_WIRE_SYSFS)
		return true;
	return bus->wire != KRI_WIRE_I2C ? strcmp(a->text, b->text) == 0 : a->number == b->number;
}

static bool is_reached(struct kryos_fake_bus *bus, const struct kryos_model *model)
{
	struct kryos_model *mux = bus->models;

	if (!model->mux)
		return true;
	while (mux && !(mux->ops->opens && mux->address.number == model->mux))
		mux = mux->next;
	return mux && mux->present && mux->ops->opens(mux, model->channel);
}

/*
 * The chip at an address behind what is open, or the next one of that address; NULL: none. Chips may take turns at one
 * place: one that is plugged in goes first.
 */
static struct kryos_model *find_model(struct kryos_fake_bus *bus, const struct kryos_address *address,
                                      const struct kryos_model *after)
{
	struct kryos_model *model, *first = NULL;

	for (model = after ? after->next : bus->models; model; model = model->next) {
		if (!same_address(bus, &model->address, address) || !is_reached(bus, model))
			continue;
		if (model->present)
			return model;
		if (!first)
			first = model;
	}
	return first;
}

static bool same_place(const struct kryos_model *a, const struct kryos_model *b)
{
	return same_address(a->bus, &a->address, &b->address) && a->mux == b->mux && a->channel == b->channel;
}

/* Whether another chip is plugged in at a model's place. */
static bool is_taken(const struct kryos_model *model)
{
	const struct kryos_model *other = model->bus->models;

	while (other && (other == model || !other->present || !same_place(other, model)))
		other = other->next;
	return other;
}

/* Counts a transfer and gives the fault that hits it. Locked; waits there as long as the plan says to hang. */
static enum kryos_fault next_fault(struct kryos_fake_bus *bus)
{
	unsigned int plan = bus->plan, index = bus->since++;
	bool hit = index >= (unsigned int)bus->after &&
	           (bus->times < 0 || index - (unsigned int)bus->after < (unsigned int)bus->times);

	bus->transfers++;
	if (hit && bus->fault == KRYOS_FAULT_HANG) {
		while (!bus->freed && bus->plan == plan)
			pthread_cond_wait(&bus->changed, &bus->lock);
		return KRYOS_FAULT_HANG;
	}
	if (hit && bus->fault == KRYOS_FAULT_STUCK)
		bus->held_low = true;
	if (bus->held_low || bus->holder)
		return KRYOS_FAULT_STUCK;
	return hit ? bus->fault : KRYOS_FAULT_NONE;
}

/* The result of a transfer that fails as a whole, or 0. */
static int fail_so(struct kryos_fake_bus *bus, enum kryos_fault fault, const char *place)
{
	switch (fault) {
	case KRYOS_FAULT_NACK:
		return bus->wire == KRI_WIRE_I2C ? kryos_fail(-ENXIO, "%s: %s does not acknowledge", bus->name, place)
		                                 : kryos_fail(-ENODEV, "%s: %s is unplugged", bus->name, place);
	case KRYOS_FAULT_EIO:
		return kryos_fail(-EIO, "%s: I/O error at %s", bus->name, place);
	case KRYOS_FAULT_TIMEOUT:
	case KRYOS_FAULT_HANG:
		return kryos_fail(-ETIMEDOUT, "%s: no answer from %s in time", bus->name, place);
	case KRYOS_FAULT_STUCK:
		return kryos_fail(KRYOS_ESTUCK, "%s: a line is held low", bus->name);
	case KRYOS_FAULT_EMPTY:
		return kryos_fail(-EIO, "%s: %s read empty: bad checksum or unplugged", bus->name, place);
	default:
		return 0;
	}
}

static void flip(uint8_t *bytes, size_t count, size_t bit)
{
	bit %= count * 8;
	bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

/* Which bit flips follows from the transfer's number, so that a run can be repeated and a series hits many. */

static void spoil(struct kryos_fake_bus *bus, enum kryos_fault fault, uint8_t *answer, size_t count)
{
	if (!count)
		return;
	if (fault == KRYOS_FAULT_ZERO)
		memset(answer, 0, count);
	if (fault == KRYOS_FAULT_FLIP)
		flip(answer, count, (size_t)bus->transfers * 29 + 3);
}

/* What the chip hears. Few bytes are written, so that each plan hits the next bit of them. */
static const uint8_t *garble(struct kryos_fake_bus *bus, enum kryos_fault fault, const uint8_t *out, size_t count,
                             uint8_t *heard)
{
	if (fault != KRYOS_FAULT_FLIP_OUT || count < 2 || count > MAX_BYTES)
		return out;
	memcpy(heard, out, count);
	flip(heard + 1, count - 1, bus->plan);
	return heard;
}

static void reset_model(struct kryos_model *model)
{
	if (model->ops->reset)
		model->ops->reset(model);
	else
		model->ops->power_on(model);
}

/* What befalls the chip just before a transfer to it, rather than the transfer. */
static void befall(struct kryos_model *model, enum kryos_fault fault)
{
	if (model && fault == KRYOS_FAULT_UNPLUG)
		model->present = false;
	if (model && fault == KRYOS_FAULT_RESET && model->present)
		reset_model(model);
}

/* Of chips that answer together a bit is low where one of them holds it low; acknowledging is such a bit. */
static int exchange(struct kryos_model *model, const uint8_t *out, size_t out_count, uint8_t *in, size_t in_count)
{
	struct kryos_fake_bus *bus = model->bus;
	uint8_t bytes[MAX_BYTES];
	int result = -ENXIO;

	if (in_count > sizeof(bytes))
		return -EIO;
	if (in_count)
		memset(in, 0xff, in_count);
	for (struct kryos_model *next; model; model = next) {
		int r = 0;

		next = find_model(bus, &model->address, model);
		if (!model->present)
			continue;
		if (out_count)
			r = model->ops->write(model, out, out_count);
		if (r >= 0 && in_count)
			r = model->ops->read(model, bytes, in_count);
		for (size_t i = 0; r >= 0 && i < in_count; i++)
			in[i] &= bytes[i];
		result = r >= 0 ? 0 : result;
	}
	return result;
}

static int do_transfer(struct kryos_fake_bus *bus, const struct kryos_address *address, const uint8_t *out,
                       size_t out_count, uint8_t *in, size_t in_count)
{
	struct kryos_model *model = find_model(bus, address, NULL);
	enum kryos_fault fault = next_fault(bus);
	int r = fail_so(bus, fault, address->text);
	uint8_t garbled[MAX_BYTES];

	if (r < 0 && model && model->ops->missed)
		model->ops->missed(model);
	if (r < 0)
		return r;
	befall(model, fault);
	out = garble(bus, fault, out, out_count, garbled);
	if (bus->freed || !model || exchange(model, out, out_count, in, in_count) < 0)
		return fail_so(bus, KRYOS_FAULT_NACK, address->text);
	spoil(bus, fault, in, in_count);
	return 0;
}

/*
 * Nobody acknowledges anything on SPI: where no chip drives the wire, or none understands what is sent, the transfer
 * succeeds and reads an idle wire. A line that is held low is the one by which chips answer.
 */
static int do_spi_transfer(struct kryos_fake_bus *bus, const struct kryos_address *address, const uint8_t *out,
                           size_t out_count, uint8_t *in, size_t in_count)
{
	struct kryos_model *model = find_model(bus, address, NULL);
	enum kryos_fault fault = next_fault(bus);
	uint8_t garbled[MAX_BYTES];
	bool heard;
	int r = 0;

	if (fault == KRYOS_FAULT_EIO || fault == KRYOS_FAULT_EMPTY || fault == KRYOS_FAULT_TIMEOUT ||
	    fault == KRYOS_FAULT_HANG)
		return fail_so(bus, fault, bus->name);
	befall(model, fault);
	heard = fault != KRYOS_FAULT_NACK && !bus->freed && model && model->present &&
	        model->ops->spi_modes >> address->spi_mode & 1 && address->spi_max_hz <= model->ops->spi_max_hz;
	if (in_count)
		memset(in, bus->idle, in_count);
	out = garble(bus, fault, out, out_count, garbled);
	if (heard)
		r = model->ops->write(model, out, out_count);
	if (heard && r >= 0 && in_count && model->ops->read(model, in, in_count) < 0)
		memset(in, bus->idle, in_count);
	spoil(bus, fault == KRYOS_FAULT_STUCK ? KRYOS_FAULT_ZERO : fault, in, in_count);
	return 0;
}

static void elapse(struct kryos_fake_bus *bus)
{
	for (struct kryos_model *model = bus->models; model; model = model->next)
		if (model->present && model->ops->elapse)
			model->ops->elapse(model, bus->transfer_ns);
}

static int fake_transfer(void *priv, const struct kryos_address *address, const uint8_t *out, size_t out_count,
                         uint8_t *in, size_t in_count)
{
	struct fake_private *fake = priv;
	int r;

	pthread_mutex_lock(&fake->bus->lock);
	elapse(fake->bus);
	r = (fake->bus->wire == KRI_WIRE_SPI ? do_spi_transfer : do_transfer)(fake->bus, address, out, out_count, in,
	                                                                      in_count);
	pthread_mutex_unlock(&fake->bus->lock);
	return r;
}

static int do_read_scratchpad(struct kryos_fake_bus *bus, const struct kryos_address *address, uint8_t scratchpad[9])
{
	struct kryos_model *model;
	enum kryos_fault fault = next_fault(bus);
	int r = fail_so(bus, fault, address->text);

	if (r < 0)
		return r;
	model = find_model(bus, address, NULL);
	befall(model, fault);
	if (bus->freed || !model || !model->present)
		return fail_so(bus, KRYOS_FAULT_NACK, address->text);
	model->ops->convert(model, scratchpad);
	spoil(bus, fault, scratchpad, 9);
	return 0;
}

/* Hands on what the chip sends without checking it, as a bus driver may: its chip's driver must check too. */
static int fake_read_scratchpad(void *priv, const struct kryos_address *address, uint8_t scratchpad[9])
{
	struct fake_private *fake = priv;
	int r;

	pthread_mutex_lock(&fake->bus->lock);
	r = do_read_scratchpad(fake->bus, address, scratchpad);
	pthread_mutex_unlock(&fake->bus->lock);
	return r;
}

static int do_read_text(struct kryos_fake_bus *bus, const struct kryos_address *address, const char *file, char *text,
                        size_t size)
{
	struct kryos_model *model = find_model(bus, address, NULL);
	enum kryos_fault fault = next_fault(bus);
	int r = fault == KRYOS_FAULT_EMPTY ? 0 : fail_so(bus, fault, address->text);

	if (r < 0)
		return r;
	befall(model, fault);
	if (bus->freed || !model || !model->present)
		return fail_so(bus, KRYOS_FAULT_NACK, address->text);
	r = model->ops->read_text(model, file, text, size);
	if (r <= 0)
		return r;
	if (fault == KRYOS_FAULT_EMPTY) {
		text[0] = '\0';
		return 0;
	}
	/* A checksum is the kernel's to look at; what is garbled on the way from it is no number any more. */
	if (fault == KRYOS_FAULT_FLIP)
		text[0] ^= 0x40;
	if (fault == KRYOS_FAULT_ZERO)
		memset(text, 0, (size_t)r);
	return r;
}

static int fake_read_text(void *priv, const struct kryos_address *address, const char *file, char *text, size_t size)
{
	struct fake_private *fake = priv;
	int r;

	pthread_mutex_lock(&fake->bus->lock);
	r = do_read_text(fake->bus, address, file, text, size);
	pthread_mutex_unlock(&fake->bus->lock);
	return r;
}

static int fake_list_files(void *priv, kryos_found_fn found, void *userdata)
{
	struct fake_private *fake = priv;
	struct kryos_model *model;
	int r = 0;

	pthread_mutex_lock(&fake->bus->lock);
	model = fake->bus->models;
	if (model && model->present)
		model->ops->list(model, found, userdata);
	else
		r = fail_so(fake->bus, KRYOS_FAULT_NACK, "it");
	pthread_mutex_unlock(&fake->bus->lock);
	return r;
}

static int fake_list(void *priv, kryos_found_fn found, void *userdata)
{
	struct fake_private *fake = priv;
	struct kryos_model *model;

	pthread_mutex_lock(&fake->bus->lock);
	for (model = fake->bus->models; model; model = model->next)
		if (model->present)
			found(userdata, &model->address);
	pthread_mutex_unlock(&fake->bus->lock);
	return 0;
}

static void fake_each(void (*found)(void *data, const char *name), void *data, void *userdata)
{
	struct kryos_fake_bus *bus = userdata;

	found(data, bus->name);
}

static int fake_recover(void *priv)
{
	struct fake_private *fake = priv;
	struct kryos_fake_bus *bus = fake->bus;
	int r = 0;

	pthread_mutex_lock(&bus->lock);
	bus->recoveries++;
	if (bus->holder || (bus->held_low && bus->fault == KRYOS_FAULT_STUCK && bus->times < 0))
		r = kryos_fail(KRYOS_ESTUCK, "%s: a line is still held low after recovery", bus->name);
	else
		bus->held_low = false;
	pthread_mutex_unlock(&bus->lock);
	return r;
}

int kryos_fake_bus_new(struct kryos_fake_bus **ret_bus, const char *name)
{
	struct kryos_fake_bus *bus;

	if (!ret_bus || !name || !*name || strlen(name) >= sizeof(bus->name))
		return -EINVAL;
	bus = calloc(1, sizeof(*bus));
	if (!bus)
		return -ENOMEM;
	memcpy(bus->name, name, strlen(name) + 1);
	bus->wire = strncmp(name, "gpio", 4) == 0     ? KRI_WIRE_GPIO
	            : strncmp(name, "w1", 2) == 0     ? KRI_WIRE_W1
	            : strncmp(name, "spi-", 4) == 0   ? KRI_WIRE_SPI
	            : strncmp(name, "sysfs-", 6) == 0 ? KRI_WIRE_SYSFS
	                                              : KRI_WIRE_I2C;
	bus->idle = 0xff;
	bus->refs = 1;
	pthread_mutex_init(&bus->lock, NULL);
	pthread_cond_init(&bus->changed, NULL);
	bus->driver = (struct kryos_bus_driver){
		.size = sizeof(bus->driver),
		.prefix = bus->name,
		.private_size = sizeof(struct fake_private),
		.open = fake_open,
		.close = fake_close,
		.parse = fake_parse,
		.transfer = bus->wire == KRI_WIRE_I2C || bus->wire == KRI_WIRE_SPI ? fake_transfer : NULL,
		.read_scratchpad = bus->wire == KRI_WIRE_W1 ? fake_read_scratchpad : NULL,
		.list = bus->wire == KRI_WIRE_W1      ? fake_list
		        : bus->wire == KRI_WIRE_SYSFS ? fake_list_files
		                                      : NULL,
		.each = fake_each,
		.recover = bus->wire == KRI_WIRE_I2C || bus->wire == KRI_WIRE_W1 ? fake_recover : NULL,
		.line = bus->wire == KRI_WIRE_GPIO ? &kri_fake_line_ops : NULL,
		.read_text = bus->wire == KRI_WIRE_SYSFS ? fake_read_text : NULL,
	};
	*ret_bus = bus;
	return 0;
}

void kryos_fake_bus_free(struct kryos_fake_bus *bus)
{
	if (!bus)
		return;
	pthread_mutex_lock(&bus->lock);
	bus->freed = true;
	pthread_cond_broadcast(&bus->changed);
	bus_unref_unlock(bus);
}

int kryos_fake_bus_attach(struct kryos_fake_bus *bus, struct kryos_ctx *ctx)
{
	return bus ? kryos_register_bus(ctx, &bus->driver, bus) : -EINVAL;
}

enum kri_wire kri_fake_bus_wire(const struct kryos_fake_bus *bus)
{
	return bus->wire;
}

const char *kri_fake_bus_name(const struct kryos_fake_bus *bus)
{
	return bus->name;
}

struct kryos_model *kri_fake_bus_take(void *priv, const struct kryos_address *address)
{
	struct fake_private *fake = priv;
	struct kryos_model *model;

	pthread_mutex_lock(&fake->bus->lock);
	model = find_model(fake->bus, address, NULL);
	if (model)
		fake->bus->refs++;
	pthread_mutex_unlock(&fake->bus->lock);
	return model;
}

void kri_fake_bus_give_back(struct kryos_model *model)
{
	pthread_mutex_lock(&model->bus->lock);
	bus_unref_unlock(model->bus);
}

int kri_fake_bus_lock(struct kryos_model *model, bool with_faults)
{
	struct kryos_fake_bus *bus = model->bus;
	enum kryos_fault fault;
	int r;

	pthread_mutex_lock(&bus->lock);
	if (!with_faults)
		return 0;
	fault = next_fault(bus);
	/* A line is one bit and has no checksum: a wrong one could not be told from a right one. */
	if (fault == KRYOS_FAULT_FLIP || fault == KRYOS_FAULT_ZERO)
		fault = KRYOS_FAULT_EIO;
	befall(model, fault);
	r = fail_so(bus, fault, model->address.text);
	if (r >= 0 && (bus->freed || !model->present))
		r = fail_so(bus, KRYOS_FAULT_NACK, model->address.text);
	return r;
}

void kri_fake_bus_unlock(struct kryos_model *model)
{
	pthread_mutex_unlock(&model->bus->lock);
}

int kri_model_add(struct kryos_fake_bus *bus, const char *place, const struct kri_model_ops *ops, size_t size,
                  struct kryos_model **ret_model)
{
	struct kryos_address address;
	struct kryos_model *model, **end;
	uint32_t mux = 0, channel = 0;
	int r;

	if (!bus || !place)
		return -EINVAL;
	if (bus->wire != ops->wire)
		return kryos_fail(-EINVAL, "%s: that chip does not fit on this bus", bus->name);
	r = bus_parse(bus, bus->wire == KRI_WIRE_I2C ? parse_mux(place, &mux, &channel) : place, &address);
	if (r < 0)
		return r;
	model = calloc(1, size);
	if (!model)
		return -ENOMEM;
	*model = (struct kryos_model){
		.ops = ops, .bus = bus, .address = address, .mux = mux, .channel = channel, .present = true
	};
	ops->power_on(model);

	pthread_mutex_lock(&bus->lock);
	if (is_taken(model)) {
		pthread_mutex_unlock(&bus->lock);
		free(model);
		return kryos_fail(-EEXIST, "%s: a chip is already at %s", bus->name, place[0] ? place : bus->name);
	}
	for (end = &bus->models; *end; end = &(*end)->next)
		;
	*end = model;
	pthread_mutex_unlock(&bus->lock);
	if (ret_model)
		*ret_model = model;
	return 0;
}

int kryos_model_set(struct kryos_model *model, const char *quantity, int64_t value_micro)
{
	int r;

	pthread_mutex_lock(&model->bus->lock);
	r = model->ops->set(model, quantity, value_micro);
	pthread_mutex_unlock(&model->bus->lock);
	return r;
}

void kryos_model_set_present(struct kryos_model *model, int present)
{
	pthread_mutex_lock(&model->bus->lock);
	if (!present || !is_taken(model)) {
		if (present && !model->present)
			model->ops->power_on(model);
		model->present = present != 0;
	}
	if (!present && model->bus->holder == model)
		model->bus->holder = NULL;
	pthread_mutex_unlock(&model->bus->lock);
}

void kryos_model_hold_bus(struct kryos_model *chip)
{
	pthread_mutex_lock(&chip->bus->lock);
	if (chip->present)
		chip->bus->holder = chip;
	pthread_mutex_unlock(&chip->bus->lock);
}

void kryos_model_reset(struct kryos_model *model)
{
	pthread_mutex_lock(&model->bus->lock);
	reset_model(model);
	pthread_mutex_unlock(&model->bus->lock);
}

int kryos_model_peek(struct kryos_model *model, unsigned int reg)
{
	int r;

	pthread_mutex_lock(&model->bus->lock);
	r = model->ops->peek(model, reg);
	pthread_mutex_unlock(&model->bus->lock);
	return r;
}

int kryos_model_poke(struct kryos_model *model, unsigned int reg, uint8_t value)
{
	int r;

	pthread_mutex_lock(&model->bus->lock);
	r = model->ops->poke(model, reg, value);
	pthread_mutex_unlock(&model->bus->lock);
	return r;
}

void kryos_model_set_clock(struct kryos_model *model, int64_t (*now_ns)(void *userdata), void *userdata)
{
	pthread_mutex_lock(&model->bus->lock);
	if (model->ops->set_clock)
		model->ops->set_clock(model, now_ns, userdata);
	pthread_mutex_unlock(&model->bus->lock);
}

void kryos_fake_bus_set_transfer_ns(struct kryos_fake_bus *bus, int64_t transfer_ns)
{
	pthread_mutex_lock(&bus->lock);
	bus->transfer_ns = transfer_ns;
	pthread_mutex_unlock(&bus->lock);
}

void kryos_model_set_busy(struct kryos_model *model, int polls)
{
	pthread_mutex_lock(&model->bus->lock);
	if (model->ops->set_busy)
		model->ops->set_busy(model, polls);
	pthread_mutex_unlock(&model->bus->lock);
}

void kryos_model_set_wiring(struct kryos_model *model, enum kryos_wiring wiring)
{
	pthread_mutex_lock(&model->bus->lock);
	if (model->ops->set_wiring)
		model->ops->set_wiring(model, wiring);
	pthread_mutex_unlock(&model->bus->lock);
}

void kryos_fake_bus_plan(struct kryos_fake_bus *bus, enum kryos_fault fault, int after, int times)
{
	pthread_mutex_lock(&bus->lock);
	bus->fault = fault;
	bus->after = after > 0 ? after : 0;
	bus->times = times;
	bus->since = 0;
	bus->plan++;
	bus->held_low = false;
	pthread_cond_broadcast(&bus->changed);
	pthread_mutex_unlock(&bus->lock);
}

void kryos_fake_bus_set_idle(struct kryos_fake_bus *bus, int level)
{
	pthread_mutex_lock(&bus->lock);
	bus->idle = level ? 0xff : 0x00;
	pthread_mutex_unlock(&bus->lock);
}

unsigned int kryos_fake_bus_transfers(struct kryos_fake_bus *bus)
{
	unsigned int count;

	pthread_mutex_lock(&bus->lock);
	count = bus->transfers;
	pthread_mutex_unlock(&bus->lock);
	return count;
}

unsigned int kryos_fake_bus_recoveries(struct kryos_fake_bus *bus)
{
	unsigned int count;

	pthread_mutex_lock(&bus->lock);
	count = bus->recoveries;
	pthread_mutex_unlock(&bus->lock);
	return count;
}
