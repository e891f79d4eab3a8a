/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fake bus: chip models behind the real bus interface, with a fault plan.
 *
 * Models are register-level, from the datasheets, and share nothing with the drivers. Conversions
 * take no time, unless a model is told to be found busy. Safe from any thread.
 */
#ifndef KRYOS_TESTING_BUS_H
#define KRYOS_TESTING_BUS_H

#include <kryos/sys/bus.h>

KRYOS_BEGIN

struct kryos_fake_bus;
struct kryos_model;

/* A bus that answers to name ("i2c-1", "spi-0.0", "w1", "gpio", "sysfs-iio@bme280"). Chips are added before or after it
 * is in use. */
KRYOS_API int kryos_fake_bus_new(struct kryos_fake_bus **ret_bus, const char *name);
/* Frees the bus and its models. After the context that uses it. */
KRYOS_EXPORT void kryos_fake_bus_free(struct kryos_fake_bus *bus);
/* Makes device strings of this context with the bus's name reach it. */
KRYOS_API int kryos_fake_bus_attach(struct kryos_fake_bus *bus, struct kryos_ctx *ctx);

/*
 * Chips. place as in a device string; "" on SPI, whose name is that of one chip select. The bus owns the model. Once a
 * chip is unplugged another may take its place (-EEXIST: a chip is there). Those that answer to one address at a time,
 * behind open channels or not, all answer: what is read is the AND of them, as on a wire.
 */
KRYOS_API int kryos_fake_bus_add_ads1115(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model);
KRYOS_API int kryos_fake_bus_add_bme280(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model);
KRYOS_API int kryos_fake_bus_add_bmp280(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model);
KRYOS_API int kryos_fake_bus_add_ds18b20(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model);
KRYOS_API int kryos_fake_bus_add_ds3231(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model);
KRYOS_API int kryos_fake_bus_add_max31865(struct kryos_fake_bus *bus, const char *place,
                                          struct kryos_model **ret_model);
KRYOS_API int kryos_fake_bus_add_max31856(struct kryos_fake_bus *bus, const char *place,
                                          struct kryos_model **ret_model);
KRYOS_API int kryos_fake_bus_add_sht3x(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model);
KRYOS_API int kryos_fake_bus_add_sht4x(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model);
KRYOS_API int kryos_fake_bus_add_sts3x(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model);
KRYOS_API int kryos_fake_bus_add_tmp117(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model);
KRYOS_API int kryos_fake_bus_add_mcp9808(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model);
KRYOS_API int kryos_fake_bus_add_adt7420(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model);
KRYOS_API int kryos_fake_bus_add_ina226(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model);

/* A TCA9548A, on an i2c bus ("0x70"); it may also be added after the chips behind it ("0x70.3:0x44"). */
KRYOS_API int kryos_fake_bus_add_mux(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model);

/* A GPIO line, on a bus called gpio. Its wire is low until it is driven. */
KRYOS_API int kryos_fake_bus_add_line(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model);

/*
 * A device of the kernel, alone on a bus "sysfs-iio@bme280", or of hwmon, thermal, power_supply. It has the files that
 * drivers of its class give, and those that are set: text as the kernel has it; NULL: there is none of that name.
 */
KRYOS_API int kryos_fake_bus_add_kernel(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model);
KRYOS_API int kryos_model_set_file(struct kryos_model *model, const char *file, const char *text);

/*
 * What a model measures, by quantity; quantised as the chip does. -ENOENT.
 *
 *     bme280     "temperature", "humidity", "pressure"
 *     ds18b20    "temperature"
 *     ads1115    "voltage" to "voltage3" at its pins, or "temperature" of an NTC of 10 kOhm (B 3977 K) from AIN0 to
 *                ground, in series with 10 kOhm to 3.3 V
 *     ina226     "voltage", and "current" through 0.1 Ohm
 *     max31865   "temperature"; how it is soldered: "element", "reference" and "lead" in Ohm, at first 100, 430 and 0
 *     max31856   "temperature", "junction"; "type" of the thermocouple as register CR1 has it, at first 3 (K)
 *     a line     any: from 500000 up it is active, without an edge
 *     kernel     the words in a place: "temperature", "temp2", "online"
 */
KRYOS_API int kryos_model_set(struct kryos_model *model, const char *quantity, int64_t value_micro);
/* Unplugs and plugs in; plugging in is a power-on, and does nothing where another chip is in its place. */
KRYOS_EXPORT void kryos_model_set_present(struct kryos_model *model, int present);
/* A brown-out: registers go to their power-on values. */
KRYOS_EXPORT void kryos_model_reset(struct kryos_model *model);
/* Registers (i2c; byte 2n is the first of register n where they have 16 bits) or scratchpad bytes (w1), for tests.
 * -ERANGE. */
KRYOS_API int kryos_model_peek(struct kryos_model *model, unsigned int reg);
KRYOS_API int kryos_model_poke(struct kryos_model *model, unsigned int reg, uint8_t value);
/*
 * Chips that convert: how often each measurement from the next on is found unfinished; kernel: how often there is no
 * value yet, in all; -1: for ever, until set again.
 */
KRYOS_EXPORT void kryos_model_set_busy(struct kryos_model *model, int polls);
/*
 * i2c: how long each transfer takes from now on. ads1115, bme280 and bmp280 then convert for as long as their data
 * sheet says is typical, and how often that is found unfinished follows from it. 0: no time, as at first.
 */
KRYOS_EXPORT void kryos_fake_bus_set_transfer_ns(struct kryos_fake_bus *bus, int64_t transfer_ns);
/* How a probe is connected to its chip: max31865, max31856. */
enum kryos_wiring {
	KRYOS_WIRING_GOOD = 0,
	KRYOS_WIRING_OPEN,
	KRYOS_WIRING_SHORT,  /* across the probe; of a thermocouple: it measures the junction, and nothing tells */
	KRYOS_WIRING_GROUND, /* a lead touches ground, and the value looks right */
	KRYOS_WIRING_OVER    /* a lead touches more than the supply */
};
KRYOS_EXPORT void kryos_model_set_wiring(struct kryos_model *model, enum kryos_wiring wiring);
/*
 * ds3231: what its counters run from: ns since 1970, to which they are set; the oscillator-stop flag stays. Without
 * it, and after a power-on, they count from 2000-01-01. Called with the bus locked. NULL: the system's boot clock.
 */
KRYOS_EXPORT void kryos_model_set_clock(struct kryos_model *model, int64_t (*now_ns)(void *userdata), void *userdata);

/*
 * Lines. drive: the wire goes to a level at an instant of CLOCK_BOOTTIME, which is told as an edge to who has the line
 * and asked for edges. set_settles: 1: edges are told as by a kernel that debounces. lose: the next count edges are
 * lost; known: 1: which is told with the one after. hold: somebody else has the line (-EBUSY); NULL: nobody.
 * get_level: of the wire as it is driven from inside or outside; get_bias: enum kryos_bias as asked for, -ENODEV when
 * nobody has the line.
 */
KRYOS_EXPORT void kryos_model_drive(struct kryos_model *line, int level, int64_t t_boot_ns);
KRYOS_EXPORT void kryos_model_set_settles(struct kryos_model *line, int settles);
KRYOS_EXPORT void kryos_model_lose_edges(struct kryos_model *line, unsigned int count, int known);
KRYOS_EXPORT void kryos_model_hold(struct kryos_model *line, const char *consumer);
KRYOS_API int kryos_model_get_level(struct kryos_model *line);
KRYOS_API int kryos_model_get_bias(struct kryos_model *line);

/*
 * The chip, of another bus, has power while the line's wire is at that level. The line's bus is freed first. -EINVAL,
 * -ENOSPC: 8 chips are fed already.
 */
KRYOS_API int kryos_model_feed(struct kryos_model *line, struct kryos_model *chip, int level);
/* i2c: from now on the chip holds its bus low until it loses its power: no recovery frees it. */
KRYOS_EXPORT void kryos_model_hold_bus(struct kryos_model *chip);

enum kryos_fault {
	KRYOS_FAULT_NONE = 0,
	KRYOS_FAULT_NACK, /* -ENXIO; w1: -ENODEV; spi: the chip hears nothing, and an idle wire is read */
	KRYOS_FAULT_EIO,
	KRYOS_FAULT_TIMEOUT, /* -ETIMEDOUT */
	KRYOS_FAULT_STUCK,   /* line held low until recovery: KRYOS_ESTUCK; spi: the chip's answers are all zero */
	KRYOS_FAULT_FLIP,    /* one bit of the answer flipped; the call succeeds */
	KRYOS_FAULT_EMPTY,   /* -EIO; w1: an empty file, as a bad checksum reads in the kernel */
	KRYOS_FAULT_ZERO,    /* all-zero answer */
	KRYOS_FAULT_HANG,    /* the call does not return until the plan changes or the bus is freed */
	/* What befalls the chip just before the transfer to it, which then goes on. */
	KRYOS_FAULT_UNPLUG, /* unplugged, until kryos_model_set_present */
	KRYOS_FAULT_RESET,  /* a brown-out */
	/* i2c, spi: one bit flipped of what is written after the first byte, each plan another; the call succeeds. */
	KRYOS_FAULT_FLIP_OUT
};

/* From the transfer numbered after (0: the next), times transfers (-1: for ever) fail so. One plan at a time. */
KRYOS_EXPORT void kryos_fake_bus_plan(struct kryos_fake_bus *bus, enum kryos_fault fault, int after, int times);
/* spi: what is read where no chip drives the wire: all ones, or with level 0 all zeros. */
KRYOS_EXPORT void kryos_fake_bus_set_idle(struct kryos_fake_bus *bus, int level);
/* How many transfers, and recoveries, were asked for so far. */
KRYOS_API unsigned int kryos_fake_bus_transfers(struct kryos_fake_bus *bus);
KRYOS_API unsigned int kryos_fake_bus_recoveries(struct kryos_fake_bus *bus);

KRYOS_END
#endif
