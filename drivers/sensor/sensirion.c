/* SPDX-License-Identifier: Apache-2.0 */
#include "sensirion.h"
#include "core/core.h"

#define WORD 3 /* with its CRC */

int kri_sensirion_command(struct kryos_dev *dev, const uint8_t *command, size_t count)
{
	int r = -ENXIO;

	for (int i = 0; r == -ENXIO && i < KRI_SENSIRION_POLLS; i++)
		r = kryos_dev_transfer(dev, command, count, NULL, 0);
	return r;
}

static bool is_word(const uint8_t *word)
{
	return kryos_crc8_sensirion(word, 2) == word[2];
}

bool kri_sensirion_is_whole(const uint8_t *raw, size_t count)
{
	for (size_t i = 0; i < count; i += WORD)
		if (!is_word(raw + i))
			return false;
	return true;
}

int kri_sensirion_check(struct kryos_dev *dev, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i += WORD)
		if (!is_word(bytes + i))
			return kryos_fail(KRYOS_ECRC, "%s: the checksum of 0x%02x%02x is 0x%02x, not 0x%02x",
			                  kryos_dev_name(dev), bytes[i], bytes[i + 1],
			                  kryos_crc8_sensirion(bytes + i, 2), bytes[i + 2]);
	return 0;
}

int kri_sensirion_read(struct kryos_dev *dev, uint8_t *bytes, size_t count)
{
	int r = -ENXIO;

	for (int i = 0; r == -ENXIO && i < KRI_SENSIRION_POLLS; i++)
		r = kryos_dev_transfer(dev, NULL, 0, bytes, count);
	return r < 0 ? r : kri_sensirion_check(dev, bytes, count);
}

int kri_sensirion_fetch(struct kryos_dev *dev, int *late, const uint8_t *ping, size_t ping_count, uint8_t *raw,
                        size_t count)
{
	int r = kryos_dev_transfer(dev, NULL, 0, raw, count);

	if (r >= 0)
		return kri_sensirion_check(dev, raw, count);
	if (r != -ENXIO)
		return r;
	if (*late > 0) {
		--*late;
		return -EAGAIN;
	}
	r = kryos_dev_transfer(dev, ping, ping_count, NULL, 0);
	if (r < 0)
		return r;
	return kryos_fail(KRYOS_ECHIP, "%s: has no measurement: it was reset, or never ends one", kryos_dev_name(dev));
}

/* Its status register, which is a word (SHT3x data sheet, 4.11). */
bool kri_sensirion_is_sht3x(struct kryos_dev *dev)
{
	static const uint8_t read_status[] = { 0xf3, 0x2d };
	uint8_t status[WORD];

	return kryos_dev_transfer(dev, read_status, sizeof(read_status), status, sizeof(status)) >= 0 &&
	       is_word(status);
}

/* Its serial number, two words. */
bool kri_sensirion_is_sht4x(struct kryos_dev *dev)
{
	static const uint8_t read_serial[] = { 0x89 };
	uint8_t serial[2 * WORD];

	return kryos_dev_transfer(dev, read_serial, sizeof(read_serial), NULL, 0) >= 0 &&
	       kri_sensirion_read(dev, serial, sizeof(serial)) >= 0;
}

int64_t kri_sensirion_scale(const uint8_t *word, int64_t span_micro)
{
	return (span_micro * (word[0] << 8 | word[1]) + 65535 / 2) / 65535;
}
