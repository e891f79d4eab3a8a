/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bus driver: how the library reaches chips; and what chip drivers are given to reach theirs.
 *
 * A bus driver is one const object. The core matches the bus part of a device string against
 * prefix ("i2c-" takes "i2c-1"), allocates private_size zeroed bytes per bus, and calls every slot
 * on that bus's one worker thread, so slots may block, within what they document. Failures are
 * -errno or KRYOS_ codes with a sentence set by kryos_fail().
 */
#ifndef KRYOS_SYS_BUS_H
#define KRYOS_SYS_BUS_H

#include <kryos/base.h>

KRYOS_BEGIN

struct kryos_ctx;
struct kryos_dev;
struct kryos_line_ops; /* kryos/sys/gpio.h */

/* What one chip address on a bus is. Given to the bus driver with every call. */
struct kryos_address {
	uint32_t number; /* i2c: 7-bit address */
	char text[64];   /* w1: "28-0316a2795bff"; gpio: "GPIO17"; the place as written otherwise */
	/* spi: what the chip's driver asks for; set by the core. */
	uint32_t spi_mode, spi_max_hz;
};

/* Each present on the address list of a bus; text as a device string's place. */
typedef void (*kryos_found_fn)(void *userdata, const struct kryos_address *address);

struct kryos_bus_driver {
	uint32_t size;
	const char *prefix; /* "i2c-", "spi-", "w1", "gpio", "sysfs-"; what follows it names the bus */
	size_t private_size;

	/* Opens the bus called name ("i2c-1"). userdata is kryos_register_bus's. < 1 s. Nothing is left on error. */
	int (*open)(void *priv, const char *name, void *userdata);
	void (*close)(void *priv);

	/* Turns a place ("0x76") into an address, without touching the bus. KRYOS_EDEVICE says what is allowed. */
	int (*parse)(void *priv, const char *place, struct kryos_address *ret_address);

	/*
	 * Refuses an address a kernel driver holds (-EBUSY, its name in the text). -ENODEV: the bus that was opened has
	 * gone, and is opened anew. NULL: nothing to claim. < 100 ms.
	 */
	int (*claim)(void *priv, const struct kryos_address *address);

	/*
	 * i2c, spi: writes out_count bytes, then, with a repeated start or the chip still selected, reads in_count
	 * bytes. Either may be 0. -ENXIO: no acknowledge; -EIO; -ETIMEDOUT; -EAGAIN: arbitration lost. < 1 s. NULL on
	 * w1.
	 */
	int (*transfer)(void *priv, const struct kryos_address *address, const uint8_t *out, size_t out_count,
	                uint8_t *in, size_t in_count);

	/*
	 * w1: converts and reads the 9-byte scratchpad through the kernel's driver, waiting for the
	 * conversion, < 2 s; one that ended within the last second, and was not read yet, may do, and so may what begin
	 * began, < 5 s. -ENODEV: unplugged, KRYOS_ECRC: bad checksum, -EIO: nothing readable. NULL elsewhere.
	 */
	int (*read_scratchpad)(void *priv, const struct kryos_address *address, uint8_t scratchpad[9]);

	/* Lists what is present without disturbing it. NULL: cannot. < 1 s. */
	int (*list)(void *priv, kryos_found_fn found, void *userdata);

	/* Names the buses of this driver that there are ("i2c-1"). Opens none. NULL: cannot. < 100 ms. */
	void (*each)(void (*found)(void *data, const char *name), void *data, void *userdata);

	/* Frees a stuck bus. KRYOS_ESTUCK: could not. NULL: cannot. < 1 s. */
	int (*recover)(void *priv);

	/* gpio: its chips are single lines. NULL elsewhere. */
	const struct kryos_line_ops *line;

	/*
	 * sysfs: a bus is one device of the kernel, list gives its files, and this reads one of them, as a string
	 * without its last newline. It may sleep for a whole conversion, < 2 s. Its length, or -ENOENT: the device has
	 * no such file; -ENODEV: it is not there any more, or its chip does not answer; -ENODATA: there is no value at
	 * present; -EAGAIN: not yet; -EBUSY, -ETIMEDOUT, -EACCES, -EIO. NULL elsewhere.
	 */
	int (*read_text)(void *priv, const struct kryos_address *address, const char *file, char *text, size_t size);

	/*
	 * w1: read_scratchpad will be called for this chip next, and for others meanwhile: its conversion may begin
	 * now. < 100 ms. NULL: nothing is gained.
	 */
	void (*begin)(void *priv, const struct kryos_address *address);
};

/* Adds a bus driver to a context, before the built-in ones: an integrator's own, or a fake. Both must outlive it. */
KRYOS_API int kryos_register_bus(struct kryos_ctx *ctx, const struct kryos_bus_driver *driver, void *userdata);

/*
 * What a chip driver is given: its chip. The calls go to the bus driver, retried up to twice on
 * -EAGAIN, and after a recovery on KRYOS_ESTUCK. On the bus's worker only.
 */
KRYOS_API int kryos_dev_transfer(struct kryos_dev *dev, const void *out, size_t out_count, void *in, size_t in_count);
/* Register chips: writes one byte to a register; reads count bytes from a register on. */
KRYOS_API int kryos_dev_write_register(struct kryos_dev *dev, uint8_t reg, uint8_t value);
KRYOS_API int kryos_dev_read_registers(struct kryos_dev *dev, uint8_t reg, void *in, size_t count);
/* Says that kryos_dev_read_scratchpad comes next, so that chips whose trigger does so convert at the same time. */
KRYOS_EXPORT void kryos_dev_begin_scratchpad(struct kryos_dev *dev);
KRYOS_API int kryos_dev_read_scratchpad(struct kryos_dev *dev, uint8_t scratchpad[9]);
/* On sysfs: a file of the kernel's device, and what files it has. Not retried. */
KRYOS_API int kryos_dev_read_text(struct kryos_dev *dev, const char *file, char *text, size_t size);
KRYOS_API int kryos_dev_list(struct kryos_dev *dev, kryos_found_fn found, void *userdata);
/* "bme280@i2c-1:0x76", for messages. Lives as long as dev. */
KRYOS_EXPORT const char *kryos_dev_name(const struct kryos_dev *dev);
/* The place as resolved ("28-0316a2795bff" where "any" was asked). */
KRYOS_EXPORT const struct kryos_address *kryos_dev_address(const struct kryos_dev *dev);

/* For drivers: sets the thread's error sentence and returns result (< 0). */
KRYOS_API int kryos_fail(int result, const char *format, ...) KRYOS_PRINTF(2, 3);

/* CRC-8 x^8+x^5+x^4+1 (0x31), init 0xff, not reflected: Sensirion's words (0xbe 0xef gives 0x92). */
KRYOS_API uint8_t kryos_crc8_sensirion(const void *data, size_t count);
/* CRC-8/MAXIM-DOW: x^8+x^5+x^4+1 reflected (0x8c), init 0; 1-Wire ROMs and scratchpads (Maxim AN27). */
KRYOS_API uint8_t kryos_crc8_maxim(const void *data, size_t count);

KRYOS_END
#endif
