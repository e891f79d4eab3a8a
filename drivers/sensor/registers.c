/* SPDX-License-Identifier: Apache-2.0 */
#include "registers.h"
#include "core/core.h"
#include <string.h>

int kri_registers_read(struct kryos_dev *dev, uint8_t reg, uint8_t *bytes, size_t count)
{
	uint8_t again[32];
	int r = kryos_dev_read_registers(dev, reg, bytes, count);

	if (r >= 0)
		r = kryos_dev_read_registers(dev, reg, again, count);
	if (r >= 0 && memcmp(bytes, again, count) != 0)
		r = kryos_fail(KRYOS_ECRC, "%s: two readings of registers 0x%02x to 0x%02x differ", kryos_dev_name(dev),
		               reg, (unsigned int)(reg + count - 1));
	return r;
}

int kri_registers_heard(struct kryos_dev *dev, const uint8_t *bytes, size_t count)
{
	if ((bytes[0] != 0x00 && bytes[0] != 0xff) || memcmp(bytes, bytes + 1, count - 1) != 0)
		return 0;
	return kryos_fail(-ENODEV,
	                  "%s: nothing answers: all that is read is 0x%02x; is the chip there, powered, and its data "
	                  "output connected?",
	                  kryos_dev_name(dev), bytes[0]);
}
