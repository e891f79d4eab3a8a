/* SPDX-License-Identifier: Apache-2.0 */
/* Which buses there are, and what answers on one that can be searched. */
#include "survey.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BUSES 64
#define MOST_FOUND 64
#define LIST_NS KRYOS_SECONDS(2)

struct names {
	const char *kind;
	char **list;
	size_t count;
	bool no_memory;
};

static void take_name(void *data, const char *name)
{
	struct names *names = data;
	size_t length = strlen(names->kind);

	if (strncmp(name, names->kind, length) != 0 || (name[length] && name[length] != '-'))
		return;
	for (size_t i = 0; i < names->count; i++)
		if (!strcmp(names->list[i], name))
			return; /* an integrator's own driver went before */
	if (names->count == MOST_BUSES)
		return;
	names->list[names->count] = strdup(name);
	if (names->list[names->count])
		names->count++;
	else
		names->no_memory = true;
}

static int ask(void *data, const void *driver, void *userdata)
{
	const struct kryos_bus_driver *bus = driver;

	if (bus->each)
		bus->each(take_name, data, userdata);
	return 0;
}

/* "i2c-2" before "i2c-10". */
static int compare(const void *a, const void *b)
{
	const char *one = *(char *const *)a, *other = *(char *const *)b;

	return strverscmp(one, other);
}

char **kri_survey_buses(struct kryos_ctx *ctx, const char *kind)
{
	struct names names = { .kind = kind, .list = calloc(MOST_BUSES + 1, sizeof(char *)) };

	if (!names.list)
		return NULL;
	kri_registry_each(ctx, KRI_BUS, ask, &names);
	if (names.no_memory) {
		kri_survey_free_buses(names.list);
		return NULL;
	}
	qsort(names.list, names.count, sizeof(names.list[0]), compare);
	return names.list;
}

void kri_survey_free_buses(char **buses)
{
	for (size_t i = 0; buses && buses[i]; i++)
		free(buses[i]);
	free(buses);
}

struct listing {
	struct kri_job job;
	struct kri_bus *bus;
	int result;
	char text[256];
	size_t count;
	struct kryos_address found[MOST_FOUND];
};

static void take_address(void *data, const struct kryos_address *address)
{
	struct listing *listing = data;

	if (listing->count < MOST_FOUND)
		listing->found[listing->count++] = *address;
}

static void listing_run(struct kri_job *job)
{
	struct listing *listing = KRI_CONTAINER_OF(job, struct listing, job);
	const struct kryos_bus_driver *driver;
	void *priv;

	listing->result = kri_bus_ready(listing->bus);
	if (listing->result >= 0) {
		driver = kri_bus_driver(listing->bus, &priv, NULL);
		listing->result = driver->list ? driver->list(priv, take_address, listing) : -EOPNOTSUPP;
	}
	if (listing->result < 0)
		snprintf(listing->text, sizeof(listing->text), "%s", kryos_strerror(listing->result));
}

static void listing_drop(struct kri_job *job)
{
	struct listing *listing = KRI_CONTAINER_OF(job, struct listing, job);

	kri_bus_unref(listing->bus);
	free(listing);
}

int kri_survey_list(struct kryos_ctx *ctx, const char *bus, kryos_found_fn found, void *data)
{
	struct kri_device device = { .driver = "survey" };
	struct listing *listing = calloc(1, sizeof(*listing));
	int r;

	if (!listing)
		return -ENOMEM;
	snprintf(device.bus, sizeof(device.bus), "%s", bus);
	snprintf(device.text, sizeof(device.text), "%s", bus);
	r = kri_bus_get(ctx, &device, &listing->bus);
	if (r < 0) {
		free(listing);
		return r;
	}
	listing->job.run = listing_run;
	listing->job.drop = listing_drop;
	r = kri_bus_call(listing->bus, &listing->job, LIST_NS);
	if (r == -ETIMEDOUT)
		return kryos_fail(r, "%s: no answer in 2 s", bus);
	if (r < 0) {
		listing_drop(&listing->job);
		return r;
	}
	r = listing->result;
	for (size_t i = 0; r >= 0 && i < listing->count; i++)
		found(data, &listing->found[i]);
	if (r < 0)
		r = kryos_fail(r, "%s", listing->text);
	kri_job_unref(&listing->job);
	return r;
}
