/* SPDX-License-Identifier: Apache-2.0 */
/* The line of a chip that is one GPIO line. On the bus's worker, but for the last close. */
#include "sensor.h"
#include <stdio.h>
#include <stdlib.h>

int kri_line_config_copy(struct kryos_line_config *ret_config, const struct kryos_line_config *config, const char *name)
{
	struct kryos_line_config own = { 0 };
	char field[64];
	int r = kri_config_copy(&own, sizeof(own), config);

	snprintf(field, sizeof(field), "%s: debounce_ns", name);
	if (r >= 0)
		r = kri_config_number(&own.debounce_ns, KRI_ID_DEBOUNCE_NS, field);
	if (r >= 0 && (own.active_low > 1 || own.bias > KRYOS_BIAS_OFF))
		r = kryos_fail(-EINVAL, "%s: active_low is 0 or 1, bias one of enum kryos_bias", name);
	if (r < 0)
		return r;
	own.size = sizeof(own);
	if (own.bias == KRYOS_BIAS_DEFAULT)
		own.bias = KRYOS_BIAS_PULL_UP;
	*ret_config = own;
	return 0;
}

int kryos_dev_open_line(struct kryos_dev *dev)
{
	struct kri_line *line = kri_dev_line(dev);
	const struct kryos_bus_driver *driver;
	unsigned int generation;
	void *bus, *priv;
	int r;

	if (line->priv)
		return 0;
	driver = kri_bus_driver(kri_dev_bus(dev), &bus, &generation);
	if (!driver->line || !generation)
		return kryos_fail(-EOPNOTSUPP, "%s: its bus has no lines, or is not open", kryos_dev_name(dev));
	priv = calloc(1, driver->line->private_size ? driver->line->private_size : 1);
	if (!priv)
		return -ENOMEM;
	kri_say_nothing();
	r = driver->line->open(priv, bus, kryos_dev_address(dev), &line->request);
	if (r < 0) {
		free(priv);
		return kri_dev_fail(dev, r);
	}
	line->priv = priv;
	line->ops = driver->line;
	return 0;
}

void kryos_dev_close_line(struct kryos_dev *dev)
{
	struct kri_line *line = kri_dev_line(dev);

	if (!line->priv)
		return;
	line->ops->close(line->priv);
	free(line->priv);
	line->priv = NULL;
}

static int check_open(struct kryos_dev *dev)
{
	kri_say_nothing();
	return kri_dev_line(dev)->priv ? 0 : kryos_fail(-ENODEV, "%s: the line is not open", kryos_dev_name(dev));
}

int kryos_dev_get_line(struct kryos_dev *dev)
{
	struct kri_line *line = kri_dev_line(dev);
	int r = check_open(dev);

	if (r >= 0)
		r = line->ops->get(line->priv);
	return r < 0 ? kri_dev_fail(dev, r) : r != 0;
}

int kryos_dev_set_line(struct kryos_dev *dev, int active)
{
	struct kri_line *line = kri_dev_line(dev);
	int r = check_open(dev);

	if (r >= 0)
		r = line->ops->set(line->priv, active != 0);
	return r < 0 ? kri_dev_fail(dev, r) : 0;
}
