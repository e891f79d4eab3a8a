/* SPDX-License-Identifier: Apache-2.0 */
/* A GPIO line: a wire with a level, who has it, and who is told of its edges. */
#include "model.h"
#include <errno.h>
#include <stdio.h>

#define MAX_FED 8

struct line_model {
	struct kryos_model model;
	int level;
	int truth; /* the state that was set, as who takes the line sees it; -1: the wire was driven since */
	bool settles, lost_known;
	unsigned int to_lose, lost;
	char holder[32];                  /* somebody else; "": nobody */
	struct fake_line *open;           /* who has it; NULL: nobody of ours */
	struct kryos_model *fed[MAX_FED]; /* has power while the wire is at its level */
	int fed_level[MAX_FED];
	size_t fed_count;
};

/* One that has taken it. */
struct fake_line {
	struct line_model *model;
	struct kryos_line_request request;
};

static struct line_model *self(struct kryos_model *model)
{
	return (struct line_model *)model;
}

static int state_of(const struct line_model *model, const struct kryos_line_request *request)
{
	return model->level != (int)request->config.active_low;
}

/* The chips are on other buses, so that their locks are taken after this one's. */
static void set_level(struct line_model *model, int level)
{
	model->level = level;
	for (size_t i = 0; i < model->fed_count; i++)
		kryos_model_set_present(model->fed[i], level == model->fed_level[i]);
}

static int take(struct line_model *model, struct fake_line *line, const struct kryos_line_request *request)
{
	const char *place = model->model.address.text;

	if (model->holder[0] || model->open)
		return kryos_fail(-EBUSY, "%s is held by \"%s\"", place, model->open ? "kryos" : model->holder);
	*line = (struct fake_line){ .model = model, .request = *request };
	model->open = line;
	model->lost = 0;
	if (request->output)
		set_level(model, (int)request->config.active_low);
	else if (model->truth >= 0)
		set_level(model, model->truth != (int)request->config.active_low);
	return 0;
}

static int line_open(void *priv, void *bus_priv, const struct kryos_address *address,
                     const struct kryos_line_request *request)
{
	struct kryos_model *model = kri_fake_bus_take(bus_priv, address);
	int r;

	if (!model)
		return kryos_fail(-ENODEV, "there is no line %s", address->text);
	r = kri_fake_bus_lock(model, true);
	if (r >= 0)
		r = take(self(model), priv, request);
	kri_fake_bus_unlock(model);
	if (r < 0)
		kri_fake_bus_give_back(model);
	return r;
}

static void line_close(void *priv)
{
	struct fake_line *line = priv;
	struct kryos_model *model = &line->model->model;

	/* The bus is locked, whatever a fault says. */
	(void)!kri_fake_bus_lock(model, false);
	if (line->request.output && model->present)
		set_level(line->model, (int)line->request.config.active_low);
	line->model->open = NULL;
	kri_fake_bus_unlock(model);
	kri_fake_bus_give_back(model);
}

static int line_get(void *priv)
{
	struct fake_line *line = priv;
	int r = kri_fake_bus_lock(&line->model->model, true);

	if (r >= 0)
		r = state_of(line->model, &line->request);
	kri_fake_bus_unlock(&line->model->model);
	return r;
}

static int line_set(void *priv, int active)
{
	struct fake_line *line = priv;
	int r = kri_fake_bus_lock(&line->model->model, true);

	if (r >= 0)
		set_level(line->model, active != (int)line->request.config.active_low);
	kri_fake_bus_unlock(&line->model->model);
	return r;
}

const struct kryos_line_ops kri_fake_line_ops = {
	.size = sizeof(kri_fake_line_ops),
	.private_size = sizeof(struct fake_line),
	.open = line_open,
	.close = line_close,
	.get = line_get,
	.set = line_set,
};

static void power_on(struct kryos_model *model)
{
	if (!self(model)->open)
		self(model)->truth = -1;
}

static int set(struct kryos_model *model, const char *quantity, int64_t value_micro)
{
	int active_low = self(model)->open ? (int)self(model)->open->request.config.active_low : 0;

	(void)quantity;
	self(model)->truth = value_micro >= 500000;
	set_level(self(model), self(model)->truth != active_low);
	return 0;
}

static int no_registers(struct kryos_model *model, unsigned int reg)
{
	(void)model;
	(void)reg;
	return -ERANGE;
}

static int no_poke(struct kryos_model *model, unsigned int reg, uint8_t value)
{
	(void)value;
	return no_registers(model, reg);
}

static const struct kri_model_ops line_ops = {
	.wire = KRI_WIRE_GPIO,
	.power_on = power_on,
	.set = set,
	.peek = no_registers,
	.poke = no_poke,
};

int kryos_fake_bus_add_line(struct kryos_fake_bus *bus, const char *place, struct kryos_model **ret_model)
{
	return kri_model_add(bus, place, &line_ops, sizeof(struct line_model), ret_model);
}

static void tell(struct line_model *model, int64_t t_boot_ns)
{
	const struct kryos_line_request *request = &model->open->request;
	struct kryos_edge edge = {
		.t_boot_ns = t_boot_ns,
		.active = state_of(model, request),
		.settled = model->settles,
		.lost = model->lost_known ? model->lost : 0,
	};

	if (model->to_lose) {
		model->to_lose--;
		model->lost++;
		return;
	}
	model->lost = 0;
	request->edge(request->data, &edge);
}

void kryos_model_drive(struct kryos_model *line, int level, int64_t t_boot_ns)
{
	struct line_model *model = self(line);

	(void)!kri_fake_bus_lock(line, false);
	model->truth = -1;
	if (model->level != level) {
		set_level(model, level);
		if (line->present && model->open && model->open->request.edge)
			tell(model, t_boot_ns);
	}
	kri_fake_bus_unlock(line);
}

int kryos_model_feed(struct kryos_model *line, struct kryos_model *chip, int level)
{
	struct line_model *model = self(line);
	int r = -ENOSPC;

	if (line->ops != &line_ops || line->bus == chip->bus)
		return -EINVAL;
	(void)!kri_fake_bus_lock(line, false);
	if (model->fed_count < MAX_FED) {
		model->fed[model->fed_count] = chip;
		model->fed_level[model->fed_count++] = level;
		set_level(model, model->level);
		r = 0;
	}
	kri_fake_bus_unlock(line);
	return r;
}

void kryos_model_set_settles(struct kryos_model *line, int settles)
{
	(void)!kri_fake_bus_lock(line, false);
	self(line)->settles = settles != 0;
	kri_fake_bus_unlock(line);
}

void kryos_model_lose_edges(struct kryos_model *line, unsigned int count, int known)
{
	(void)!kri_fake_bus_lock(line, false);
	self(line)->to_lose = count;
	self(line)->lost_known = known != 0;
	kri_fake_bus_unlock(line);
}

void kryos_model_hold(struct kryos_model *line, const char *consumer)
{
	(void)!kri_fake_bus_lock(line, false);
	snprintf(self(line)->holder, sizeof(self(line)->holder), "%s", consumer ? consumer : "");
	kri_fake_bus_unlock(line);
}

int kryos_model_get_level(struct kryos_model *line)
{
	int level;

	(void)!kri_fake_bus_lock(line, false);
	level = self(line)->level;
	kri_fake_bus_unlock(line);
	return level;
}

int kryos_model_get_bias(struct kryos_model *line)
{
	int bias;

	(void)!kri_fake_bus_lock(line, false);
	bias = self(line)->open ? (int)self(line)->open->request.config.bias : -ENODEV;
	kri_fake_bus_unlock(line);
	return bias;
}
