/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chip models, inside. A model embeds struct kryos_model as its first member. Its ops are called
 * with the fake bus locked, one at a time, and must not call back into the bus.
 */
#ifndef KRI_TESTING_MODEL_H
#define KRI_TESTING_MODEL_H

#include <kryos/sys/gpio.h>
#include <kryos/testing/bus.h>
#include <stdbool.h>

enum kri_wire { KRI_WIRE_I2C, KRI_WIRE_W1, KRI_WIRE_GPIO, KRI_WIRE_SPI, KRI_WIRE_SYSFS };

struct kri_model_ops {
	enum kri_wire wire;
	void (*power_on)(struct kryos_model *model);
	/* A brown-out under way; NULL: the same as power_on. */
	void (*reset)(struct kryos_model *model);
	int (*set)(struct kryos_model *model, const char *quantity, int64_t value_micro);
	int (*peek)(struct kryos_model *model, unsigned int reg);
	int (*poke)(struct kryos_model *model, unsigned int reg, uint8_t value);
	/*
	 * i2c: what follows the address byte after a start; -ENXIO: not acknowledged. spi: what follows the chip
	 * select, then what is clocked out behind it; < 0: the chip drives nothing.
	 */
	int (*write)(struct kryos_model *model, const uint8_t *bytes, size_t count);
	int (*read)(struct kryos_model *model, uint8_t *bytes, size_t count);
	/* A transfer to it failed on its way: time has passed. NULL: nothing comes of that. */
	void (*missed)(struct kryos_model *model);
	/* w1: converts, then gives the scratchpad. */
	void (*convert)(struct kryos_model *model, uint8_t scratchpad[9]);
	/* i2c: of a multiplexer, whether a channel is open. NULL: it is none. */
	bool (*opens)(struct kryos_model *model, unsigned int channel);
	/* sysfs: a file, as the bus driver gives it; and the names of all. */
	int (*read_text)(struct kryos_model *model, const char *file, char *text, size_t size);
	void (*list)(struct kryos_model *model, kryos_found_fn found, void *userdata);
	/* NULL: it has no clock, or nothing that can be busy. */
	void (*set_clock)(struct kryos_model *model, int64_t (*now_ns)(void *userdata), void *userdata);
	void (*set_busy)(struct kryos_model *model, int polls);
	/* This much time has passed, 0: the bus does not say. NULL: nothing comes of that. */
	void (*elapse)(struct kryos_model *model, int64_t ns);
	void (*set_wiring)(struct kryos_model *model, enum kryos_wiring wiring);
	/* spi: 1 << mode for each that it understands, and its fastest clock. */
	unsigned int spi_modes, spi_max_hz;
};

struct kryos_model {
	const struct kri_model_ops *ops;
	struct kryos_fake_bus *bus;
	struct kryos_model *next;
	struct kryos_address address;
	uint32_t mux, channel; /* what it is behind; 0: it is on the bus itself */
	bool present;
};

/* Allocates size zeroed bytes, powers the chip on, and puts it on the bus. KRYOS_EDEVICE, -EEXIST, -EINVAL, -ENOMEM. */
int kri_model_add(struct kryos_fake_bus *bus, const char *place, const struct kri_model_ops *ops, size_t size,
                  struct kryos_model **ret_model);

enum kri_wire kri_fake_bus_wire(const struct kryos_fake_bus *bus);
/* "sysfs-iio@bme280": its name. Lives as long as the bus. */
const char *kri_fake_bus_name(const struct kryos_fake_bus *bus);

/* model_line.c, and what it needs of the bus: a line outlives both the context and the bus where a call hangs. */
extern const struct kryos_line_ops kri_fake_line_ops;
/* The model at an address of the bus with this private block, held; NULL: none. */
struct kryos_model *kri_fake_bus_take(void *priv, const struct kryos_address *address);
void kri_fake_bus_give_back(struct kryos_model *model);
/* Locks the bus. With faults this counts as a transfer: < 0 is its fault, and the bus is locked all the same. */
int kri_fake_bus_lock(struct kryos_model *model, bool with_faults);
void kri_fake_bus_unlock(struct kryos_model *model);

#endif
