/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a w1_slave file, through the bus driver, to what the DS18B20 driver makes of it. */
#include "fuzz.h"
#include <errno.h>
#include <kryos/kryos.h>
#include <kryos/sys/bus.h>
#include <kryos/sys/sensor.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CHIP "28-0316a2795bff"

extern const struct kryos_bus_driver kri_bus_w1_sysfs;
extern const struct kryos_sensor_driver kri_sensor_ds18b20;

/* Bit by bit, as Maxim's application note 27 draws it. */
static uint8_t crc8(const uint8_t *bytes, int count)
{
	uint8_t crc = 0;

	for (int i = 0; i < 8 * count; i++) {
		bool out = (crc ^ bytes[i / 8] >> i % 8) & 1;

		crc >>= 1;
		if (out)
			crc ^= 0x8c;
	}
	return crc;
}

static void judge(const uint8_t scratchpad[9])
{
	struct kryos_reading reading = { 0 };
	int raw = (int16_t)(scratchpad[0] | scratchpad[1] << 8);

	FUZZ_MUST(crc8(scratchpad, 9) == 0);
	kri_sensor_ds18b20.decode(NULL, scratchpad, &reading);
	FUZZ_MUST(reading.quality == KRYOS_QUALITY_GOOD || reading.quality == KRYOS_QUALITY_CRC ||
	          reading.quality == KRYOS_QUALITY_POWER_ON || reading.quality == KRYOS_QUALITY_RANGE);
	if (reading.quality == KRYOS_QUALITY_GOOD) {
		/* At the least resolution the lowest three bits mean nothing. */
		FUZZ_MUST(raw * 62500 - reading.value_micro >= 0 && raw * 62500 - reading.value_micro <= 7 * 62500);
		FUZZ_MUST(memcmp(scratchpad, "\0\0\0\0\0\0\0\0", 9) != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kryos_address address = { .number = 0 };
	const char *folder = fuzz_folder();
	uint8_t scratchpad[9] = { 0 };
	char path[4096];
	void *priv = calloc(1, kri_bus_w1_sysfs.private_size);
	int r;

	FUZZ_MUST(priv);
	snprintf(path, sizeof(path), "%s/" CHIP, folder);
	FUZZ_MUST(mkdir(path, 0700) == 0);
	fuzz_write(path, "w1_slave", data, size);
	FUZZ_MUST(kri_bus_w1_sysfs.open(priv, "w1", (void *)(uintptr_t)folder) == 0);
	FUZZ_MUST(kri_bus_w1_sysfs.parse(priv, CHIP, &address) == 0);
	r = kri_bus_w1_sysfs.read_scratchpad(priv, &address, scratchpad);
	if (r >= 0)
		judge(scratchpad);
	else
		FUZZ_MUST((r == -EIO || r == KRYOS_ECRC) && strstr(kryos_strerror(r), CHIP));
	kri_bus_w1_sysfs.close(priv);
	free(priv);
	return 0;
}
