/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person does about a bus that is not there. The lines of config.txt are a Raspberry Pi's
 * (firmware/boot/overlays/README); on other boards the device tree says it.
 */
#include "survey.h"
#include <string.h>
#include <unistd.h>

static const struct {
	const char *kind, *no_bus, *no_bus_pi, *no_chip;
} advice[] = {
	{ "i2c", "nothing: enable an I2C adapter in the device tree, and load the module i2c-dev",
	  "nothing: add \"dtparam=i2c_arm=on\" to /boot/firmware/config.txt, \"i2c-dev\" to /etc/modules, and restart",
	  "nothing that a driver here knows answers (SDA on GPIO2, SCL on GPIO3, 3.3 V and ground?)" },
	{ "spi", "nothing: enable an SPI controller and spidev in the device tree, if a chip is on SPI",
	  "nothing: add \"dtparam=spi=on\" to /boot/firmware/config.txt and restart, if a chip is on SPI",
	  "nothing that can be told without disturbing other chips: write what is there into the station file by "
	  "hand" },
	{ "w1", "nothing: enable a 1-Wire master in the device tree (w1-gpio)",
	  "nothing: add \"dtoverlay=w1-gpio\" to /boot/firmware/config.txt and restart (data wire on GPIO4, 4.7 kOhm "
	  "to 3.3 V)",
	  "no probe answers (data wire on GPIO4, 4.7 kOhm to 3.3 V? Linux looks every 10 s)" },
};

const char *kri_advice_no_bus(const char *kind)
{
	bool is_pi = access("/boot/firmware/config.txt", F_OK) == 0 || access("/boot/config.txt", F_OK) == 0;

	for (size_t i = 0; i < KRI_ARRAY_SIZE(advice); i++)
		if (!strcmp(advice[i].kind, kind))
			return is_pi ? advice[i].no_bus_pi : advice[i].no_bus;
	return "nothing";
}

const char *kri_advice_no_chip(const char *kind)
{
	for (size_t i = 0; i < KRI_ARRAY_SIZE(advice); i++)
		if (!strcmp(advice[i].kind, kind))
			return advice[i].no_chip;
	return "nothing";
}
