/* SPDX-License-Identifier: Apache-2.0 */
#include "word.h"

int kri_word_get(struct kryos_dev *dev, uint8_t reg, unsigned int *ret_word)
{
	uint8_t bytes[2];
	int r = kryos_dev_read_registers(dev, reg, bytes, sizeof(bytes));

	if (r >= 0)
		*ret_word = (unsigned int)(bytes[0] << 8 | bytes[1]);
	return r;
}

int kri_word_get_surely(struct kryos_dev *dev, uint8_t reg, unsigned int *ret_word)
{
	unsigned int first = 0, second = 0;
	int r = kri_word_get(dev, reg, &first);

	if (r >= 0)
		r = kri_word_get(dev, reg, &second);
	if (r < 0)
		return r;
	if (first != second)
		return kryos_fail(KRYOS_ECRC, "%s: two readings of register 0x%02x differ: 0x%04x, 0x%04x",
		                  kryos_dev_name(dev), reg, first, second);
	*ret_word = first;
	return 0;
}

int kri_word_put(struct kryos_dev *dev, uint8_t reg, unsigned int word)
{
	uint8_t bytes[3] = { reg, (uint8_t)(word >> 8), (uint8_t)word };

	return kryos_dev_transfer(dev, bytes, sizeof(bytes), NULL, 0);
}
