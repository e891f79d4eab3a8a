/* SPDX-License-Identifier: Apache-2.0 */
#include "contact.h"
#include <kryos/sys/gpio.h>

int kri_contact_probe(void *priv, struct kryos_dev *dev)
{
	(void)priv;
	return kryos_dev_open_line(dev);
}

int kri_contact_fetch(void *priv, struct kryos_dev *dev, uint8_t *raw)
{
	int r = kryos_dev_get_line(dev);

	(void)priv;
	if (r < 0)
		return r;
	raw[0] = (uint8_t)r;
	return 0;
}

void kri_contact_decode(const void *priv, const uint8_t *raw, struct kryos_reading *ret_readings)
{
	(void)priv;
	*ret_readings = (struct kryos_reading){ .value_micro = raw[0] ? 1000000 : 0, .quality = KRYOS_QUALITY_GOOD };
}

void kri_contact_remove(void *priv, struct kryos_dev *dev)
{
	(void)priv;
	kryos_dev_close_line(dev);
}
