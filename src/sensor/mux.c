/* SPDX-License-Identifier: Apache-2.0 */
/*
 * I2C multiplexers of one bus: TCA9548A and its kin (PCA9548A, PCA9546A; TI SCPS207, NXP PCA9546A), which have one
 * register with a bit for each channel. Channels open with the stop after it was written, so that writing, reading it
 * back and talking to a chip behind are three transfers.
 *
 * Chips behind different channels may have one address, and open channels join the bus: at most one channel is open,
 * and none while a chip of the bus itself is talked to. What is open is known from what was written and read back,
 * until the next measurement begins or a transfer fails in a way that leaves it open; then it is written again.
 */
#include "sensor.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST 0x70 /* SCPS207 table 1: three address pins */

int kri_mux_parse(const char *place, struct kri_mux_place *ret_place, const char **ret_chip)
{
	struct kri_mux_place found = { 0 };
	const char *colon = strchr(place, ':');

	*ret_chip = place;
	if (colon) {
		/* "0x70.3:" */
		if (strncmp(place, "0x7", 3) != 0 || place[3] < '0' || place[3] > '7' || place[4] != '.' ||
		    place[5] < '0' || place[5] > '7' || colon != place + 6)
			return kryos_fail(KRYOS_EDEVICE,
			                  "%.*s is no channel of a multiplexer; 0x70.0 to 0x77.7 are, and one of them "
			                  "before the chip, as in 0x70.3:0x44",
			                  (int)(colon - place), place);
		found.address = (unsigned int)(FIRST + place[3] - '0');
		found.channel = (unsigned int)(place[5] - '0');
		*ret_chip = colon + 1;
	}
	*ret_place = found;
	return 0;
}

struct kryos_address kri_mux_address(unsigned int mux)
{
	struct kryos_address address = { .number = mux };

	snprintf(address.text, sizeof(address.text), "0x%02x", mux);
	return address;
}

void kri_muxes_init(struct kri_muxes *muxes)
{
	atomic_init(&muxes->there, 0);
	pthread_mutex_init(&muxes->lock, NULL);
}

void kri_muxes_destroy(struct kri_muxes *muxes)
{
	pthread_mutex_destroy(&muxes->lock);
}

static int fail_taken(unsigned int address, const char *whose)
{
	return kryos_fail(KRYOS_EDEVICE,
	                  "0x%02x is %s already; what is on a bus itself, multiplexers too, shares its address with "
	                  "nothing behind a channel",
	                  address, whose);
}

static int check_alone(const struct kri_muxes *muxes, unsigned int address)
{
	return muxes->behind[address] ? fail_taken(address, "behind a channel of a multiplexer") : 0;
}

static int check_place(const struct kri_muxes *muxes, const struct kri_mux_place *place, unsigned int chip)
{
	bool is_mux = chip >= FIRST && chip < FIRST + KRI_ARRAY_SIZE(muxes->users) && muxes->users[chip - FIRST];

	if (is_mux)
		return fail_taken(chip, "a multiplexer");
	if (!place->address)
		return check_alone(muxes, chip);
	if (muxes->alone[chip])
		return fail_taken(chip, "on the bus itself");
	if (muxes->alone[place->address])
		return fail_taken(place->address, "on the bus itself");
	return check_alone(muxes, place->address);
}

static void count(struct kri_muxes *muxes, const struct kri_mux_place *place, unsigned int chip, unsigned int more)
{
	if (!place->address) {
		muxes->alone[chip] += more;
		return;
	}
	muxes->behind[chip] += more;
	muxes->users[place->address - FIRST] += more;
}

int kri_muxes_take(struct kri_muxes *muxes, const struct kri_mux_place *place, unsigned int chip)
{
	int r;

	pthread_mutex_lock(&muxes->lock);
	r = check_place(muxes, place, chip);
	if (r >= 0)
		count(muxes, place, chip, 1);
	/* From the first chip behind it on, and before any job: what it has open is in every other chip's way. */
	if (r >= 0 && place->address)
		atomic_fetch_or(&muxes->there, 1U << (place->address - FIRST));
	/* There is none where a chip is: what closes channels would be written to it. */
	if (r >= 0 && !place->address && chip >= FIRST && chip < FIRST + KRI_ARRAY_SIZE(muxes->users))
		atomic_fetch_and(&muxes->there, ~(1U << (chip - FIRST)));
	pthread_mutex_unlock(&muxes->lock);
	return r;
}

void kri_muxes_give_back(struct kri_muxes *muxes, const struct kri_mux_place *place, unsigned int chip)
{
	pthread_mutex_lock(&muxes->lock);
	count(muxes, place, chip, -1U);
	pthread_mutex_unlock(&muxes->lock);
}

void kri_muxes_forget(struct kri_muxes *muxes)
{
	muxes->known = 0;
}

static int read_channels(const struct kryos_bus_driver *driver, void *priv, unsigned int mux, uint8_t *ret_channels)
{
	struct kryos_address address = kri_mux_address(mux);

	return driver->transfer(priv, &address, NULL, 0, ret_channels, 1);
}

/* Opens channels, a bit each, and none else. Two tries: noise must not look like another chip. */
static int set_channels(struct kri_muxes *muxes, const struct kryos_bus_driver *driver, void *priv, unsigned int mux,
                        uint8_t channels)
{
	struct kryos_address address = kri_mux_address(mux);
	unsigned int bit = 1u << (mux - FIRST);
	uint8_t back = 0;
	int r = 0;

	if (muxes->known & bit && muxes->open[mux - FIRST] == channels)
		return 0;
	muxes->known &= ~bit;
	for (int i = 0; i < 2; i++) {
		r = driver->transfer(priv, &address, &channels, 1, NULL, 0);
		if (r >= 0)
			r = read_channels(driver, priv, mux, &back);
		if (r >= 0 && back == channels) {
			muxes->known |= bit;
			muxes->open[mux - FIRST] = channels;
			return 0;
		}
		if (r < 0 && r != -ENXIO && r != -EIO)
			return r;
	}
	return r < 0 ? r
	             : kryos_fail(KRYOS_ECHIP,
	                          "at 0x%02x there is no multiplexer of the kind of TCA9548A: it was given 0x%02x, and "
	                          "reads 0x%02x",
	                          mux, channels, back);
}

/* Of a chip behind it that code would say that it is absent. */
static int fail_mux(unsigned int mux, int result)
{
	if (result != -ENXIO)
		return result;
	return kryos_fail(-EIO, "the multiplexer at 0x%02x does not acknowledge, so its channels can't be reached",
	                  mux);
}

int kri_muxes_select(struct kri_muxes *muxes, const struct kryos_bus_driver *driver, void *priv,
                     const struct kri_mux_place *place)
{
	unsigned int there = atomic_load(&muxes->there);
	int r;

	for (unsigned int i = 0; there >> i; i++) {
		if (!(there >> i & 1) || FIRST + i == place->address)
			continue;
		r = set_channels(muxes, driver, priv, FIRST + i, 0);
		/* Without power its switches are open (SCPS207 8.1): what is absent is in nobody's way. */
		if (r < 0 && r != -ENXIO)
			return r;
	}
	if (!place->address)
		return 0;
	r = set_channels(muxes, driver, priv, place->address, (uint8_t)(1u << place->channel));
	return r < 0 ? fail_mux(place->address, r) : 0;
}

int kri_muxes_blame(struct kri_muxes *muxes, const struct kryos_bus_driver *driver, void *priv,
                    const struct kri_mux_place *place)
{
	uint8_t channels = 0;
	int r;

	if (!place->address)
		return 0;
	r = read_channels(driver, priv, place->address, &channels);
	if (r >= 0 && channels == 1u << place->channel)
		return 0;
	kri_muxes_forget(muxes);
	return r < 0 ? fail_mux(place->address, r) : 1;
}
