/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The buses of a context: one object and one worker for each name, made when first named, opened by
 * the first job that needs it, kept until the context is freed.
 *
 * A bus is held by the context's table, by its worker (a job that hangs in the kernel outlives the
 * context), and by each chip on it. The driver's side is closed by a last job, so that it has ended
 * when kryos_ctx_free returns; only where the bus hangs is that left to the end of the worker.
 */
#include "sensor.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_JOBS 64
#define CLOSE_NS KRYOS_SECONDS(1)
/* Between two events of one bus: one that sticks at every transfer must not fill the store. */
#define TELL_NS KRYOS_MINUTES(10)

struct kri_bus {
	struct kri_bus *next;
	atomic_int refs;
	struct kryos_ctx *ctx;
	char name[sizeof(((struct kri_device *)NULL)->bus)];
	const struct kryos_bus_driver *driver;
	void *userdata;
	struct kri_worker *worker;
	atomic_bool hangs;
	atomic_bool open; /* changed by the worker only */

	/* The worker's. */
	void *priv;
	unsigned int generation;
	struct kri_muxes muxes;
	int64_t told_ns; /* that it was freed; 0: never */
};

struct name {
	struct name *next;
	char text[32];
};

struct buses {
	pthread_mutex_t lock;
	struct kri_bus *first;
	struct name *names;
};

static struct kri_bus *bus_ref(struct kri_bus *bus)
{
	atomic_fetch_add(&bus->refs, 1);
	return bus;
}

void kri_bus_unref(struct kri_bus *bus)
{
	if (!bus || atomic_fetch_sub(&bus->refs, 1) != 1)
		return;
	kri_ctx_unref(bus->ctx);
	kri_muxes_destroy(&bus->muxes);
	free(bus->priv);
	free(bus);
}

static void close_driver(struct kri_bus *bus)
{
	if (atomic_exchange(&bus->open, false))
		bus->driver->close(bus->priv);
}

struct closing {
	struct kri_job job;
	struct kri_bus *bus;
};

static void closing_run(struct kri_job *job)
{
	close_driver(KRI_CONTAINER_OF(job, struct closing, job)->bus);
}

static void closing_drop(struct kri_job *job)
{
	struct closing *closing = KRI_CONTAINER_OF(job, struct closing, job);

	kri_bus_unref(closing->bus);
	free(closing);
}

static void close_on_worker(struct kri_bus *bus, int64_t timeout_ns)
{
	struct closing *closing;
	int r;

	if (!atomic_load(&bus->open) || kri_bus_hangs(bus))
		return;
	closing = calloc(1, sizeof(*closing));
	if (!closing)
		return;
	closing->job.run = closing_run;
	closing->job.drop = closing_drop;
	closing->bus = bus_ref(bus);
	r = kri_worker_call(bus->worker, &closing->job, timeout_ns);
	if (r >= 0)
		kri_job_unref(&closing->job);
	else if (r != -ETIMEDOUT)
		closing_drop(&closing->job);
}

static void destroy_buses(void *state)
{
	struct buses *buses = state;
	int64_t end = kri_real_ns() + CLOSE_NS;

	while (buses->first) {
		struct kri_bus *bus = buses->first;
		int64_t left = end - kri_real_ns();

		buses->first = bus->next;
		close_on_worker(bus, left > 0 ? left : 0);
		left = end - kri_real_ns();
		kri_worker_free(bus->worker, left > 0 ? left : 0);
		kri_bus_unref(bus);
	}
	while (buses->names) {
		struct name *name = buses->names;

		buses->names = name->next;
		free(name);
	}
	pthread_mutex_destroy(&buses->lock);
	free(buses);
}

static int get_buses(struct kryos_ctx *ctx, struct buses **ret_buses)
{
	struct buses *buses = kri_slot_get(ctx, KRI_SLOT_BUSES);
	int r;

	if (!buses) {
		buses = calloc(1, sizeof(*buses));
		if (!buses)
			return -ENOMEM;
		pthread_mutex_init(&buses->lock, NULL);
		r = kri_slot_set(ctx, KRI_SLOT_BUSES, buses, destroy_buses);
		if (r < 0) { /* another thread was quicker */
			destroy_buses(buses);
			buses = kri_slot_get(ctx, KRI_SLOT_BUSES);
		}
	}
	*ret_buses = buses;
	return 0;
}

static void release_bus(void *object)
{
	struct kri_bus *bus = object;

	close_driver(bus);
	kri_bus_unref(bus);
}

struct search {
	const char *name;
	const struct kryos_bus_driver *driver;
	void *userdata;
	char prefixes[256];
	size_t length;
};

/* "i2c-" takes every "i2c-N"; one called "i2c-1" takes this bus, but not "i2c-10". */
static bool takes(const struct kryos_bus_driver *driver, const char *name)
{
	size_t length = strlen(driver->prefix);

	if (strncmp(driver->prefix, name, length) != 0 || !length)
		return false;
	if (driver->prefix[length - 1] == '-')
		return name[length] != '\0';
	return !name[length] || strchr("-_.", name[length]);
}

static int look_at(void *data, const void *driver, void *userdata)
{
	struct search *search = data;
	const struct kryos_bus_driver *candidate = driver;
	char prefix[64];

	if (takes(candidate, search->name)) {
		search->driver = candidate;
		search->userdata = userdata;
		return 1;
	}
	/* An integrator's own may stand before a built-in one of the same name. */
	snprintf(prefix, sizeof(prefix), "%s%s", candidate->prefix,
	         candidate->prefix[strlen(candidate->prefix) - 1] == '-' ? "N" : "");
	if (!strstr(search->prefixes, prefix) && search->length < sizeof(search->prefixes))
		search->length +=
			(size_t)snprintf(search->prefixes + search->length, sizeof(search->prefixes) - search->length,
		                         "%s%s", search->length ? ", " : "", prefix);
	return 0;
}

static int make_bus(struct kryos_ctx *ctx, const struct kri_device *device, struct kri_bus **ret_bus)
{
	struct search search = { .name = device->bus };
	char thread[16];
	struct kri_bus *bus;
	int r;

	kri_registry_each(ctx, KRI_BUS, look_at, &search);
	if (!search.driver)
		return kryos_fail(KRYOS_EDEVICE, "%s: no bus \"%s\"; there is %s", device->text, device->bus,
		                  search.length ? search.prefixes : "none in this build");
	bus = calloc(1, sizeof(*bus));
	if (!bus)
		return -ENOMEM;
	/* A driver without state has no private block to point to; it gets one all the same. */
	bus->priv = calloc(1, search.driver->private_size ? search.driver->private_size : 1);
	if (!bus->priv) {
		free(bus);
		return -ENOMEM;
	}
	atomic_init(&bus->refs, 2); /* the worker's and the table's */
	atomic_init(&bus->hangs, false);
	atomic_init(&bus->open, false);
	kri_muxes_init(&bus->muxes);
	bus->ctx = kri_ctx_ref(ctx);
	bus->driver = search.driver;
	bus->userdata = search.userdata;
	strcpy(bus->name, device->bus);
	/* Of "sysfs-iio@bme280" the end says more. */
	snprintf(thread, sizeof(thread), "kr-%.12s", strncmp(bus->name, "sysfs-", 6) == 0 ? bus->name + 6 : bus->name);
	r = kri_worker_new(&bus->worker, ctx, thread, MAX_JOBS, bus, release_bus);
	if (r < 0) {
		atomic_store(&bus->refs, 1);
		kri_bus_unref(bus);
		return r;
	}
	*ret_bus = bus;
	return 0;
}

int kri_bus_get(struct kryos_ctx *ctx, const struct kri_device *device, struct kri_bus **ret_bus)
{
	struct buses *buses;
	struct kri_bus *bus;
	int r = get_buses(ctx, &buses);

	if (r < 0)
		return r;
	pthread_mutex_lock(&buses->lock);
	for (bus = buses->first; bus && strcmp(bus->name, device->bus) != 0; bus = bus->next)
		;
	if (!bus) {
		r = make_bus(ctx, device, &bus);
		if (r >= 0) {
			bus->next = buses->first;
			buses->first = bus;
		}
	}
	if (r >= 0)
		*ret_bus = bus_ref(bus);
	pthread_mutex_unlock(&buses->lock);
	return r;
}

struct kryos_ctx *kri_bus_ctx(struct kri_bus *bus)
{
	return bus->ctx;
}

const char *kri_bus_name(const struct kri_bus *bus)
{
	return bus->name;
}

struct kri_muxes *kri_bus_muxes(struct kri_bus *bus)
{
	return &bus->muxes;
}

struct kri_worker *kri_bus_worker(struct kri_bus *bus)
{
	return bus->worker;
}

int kri_bus_call(struct kri_bus *bus, struct kri_job *job, int64_t timeout_ns)
{
	int r = kri_worker_call(bus->worker, job, timeout_ns);

	if (r == -ETIMEDOUT)
		atomic_store(&bus->hangs, true);
	else if (r >= 0)
		atomic_store(&bus->hangs, false);
	return r;
}

bool kri_bus_hangs(struct kri_bus *bus)
{
	return atomic_load(&bus->hangs);
}

int kri_bus_ready(struct kri_bus *bus)
{
	const char *own;
	char text[256];
	int r;

	/* A job runs, so whatever hung has ended. */
	atomic_store(&bus->hangs, false);
	if (atomic_load(&bus->open))
		return 0;
	kri_say_nothing();
	memset(bus->priv, 0, bus->driver->private_size);
	r = bus->driver->open(bus->priv, bus->name, bus->userdata);
	if (r >= 0) {
		atomic_store(&bus->open, true);
		bus->generation++;
		return 0;
	}
	own = kri_own_sentence(r, text, sizeof(text));
	/* To whoever asks for a chip, a bus that is not there and a chip that is not there are the same. */
	if (r == -ENOENT || r == -ENXIO)
		r = -ENODEV;
	if (own)
		return kryos_fail(r, "%s", own);
	if (r == -ENODEV && !strncmp(bus->name, "i2c-", 4))
		return kryos_fail(r,
		                  "no bus %s; is \"dtparam=i2c_arm=on\" in /boot/firmware/config.txt, and the "
		                  "module i2c-dev loaded?",
		                  bus->name);
	if (r == -ENODEV && !strncmp(bus->name, "spi-", 4))
		return kryos_fail(r, "no bus %s; is \"dtparam=spi=on\" in /boot/firmware/config.txt?", bus->name);
	if (r == -ENODEV && !strncmp(bus->name, "w1", 2))
		return kryos_fail(r, "no 1-Wire bus; is \"dtoverlay=w1-gpio\" in /boot/firmware/config.txt?");
	return kryos_fail(r, "%s: %s", bus->name, kryos_strerror(r));
}

void kri_bus_freed(struct kri_bus *bus, const char *device, int code)
{
	struct kryos_event event = {
		.size = sizeof(event), .type = KRYOS_EVENT_RECOVERY, .code = code, .name = bus->name
	};
	int64_t now = kri_boot_ns(bus->ctx);
	char text[256];

	snprintf(text, sizeof(text), "was stuck and has been freed for %s", device);
	kri_log(bus->ctx, KRYOS_LOG_WARNING, "sensor", code, "%s: %s", bus->name, text);
	if (bus->told_ns && now - bus->told_ns < TELL_NS)
		return;
	bus->told_ns = now;
	event.text = text;
	kri_event_push(bus->ctx, &event);
}

void kri_bus_lost(struct kri_bus *bus)
{
	close_driver(bus);
}

const struct kryos_bus_driver *kri_bus_driver(const struct kri_bus *bus, void **ret_priv, unsigned int *ret_generation)
{
	if (ret_priv)
		*ret_priv = bus->priv;
	if (ret_generation)
		*ret_generation = atomic_load(&bus->open) ? bus->generation : 0;
	return bus->driver;
}

int kri_bus_claim_name(struct kryos_ctx *ctx, const char *name)
{
	struct buses *buses;
	struct name *claim, *at;
	int r = get_buses(ctx, &buses);

	if (r < 0)
		return r;
	claim = calloc(1, sizeof(*claim));
	if (!claim)
		return -ENOMEM;
	snprintf(claim->text, sizeof(claim->text), "%s", name);
	pthread_mutex_lock(&buses->lock);
	for (at = buses->names; at && strcmp(at->text, name) != 0; at = at->next)
		;
	if (!at) {
		claim->next = buses->names;
		buses->names = claim;
	}
	pthread_mutex_unlock(&buses->lock);
	if (!at)
		return 0;
	free(claim);
	return kryos_fail(-EEXIST, "%s: another open sensor has this name", name);
}

void kri_bus_release_name(struct kryos_ctx *ctx, const char *name)
{
	struct buses *buses = kri_slot_get(ctx, KRI_SLOT_BUSES);
	struct name **at, *claim;

	if (!buses)
		return;
	pthread_mutex_lock(&buses->lock);
	for (at = &buses->names; *at && strcmp((*at)->text, name) != 0; at = &(*at)->next)
		;
	claim = *at;
	if (claim)
		*at = claim->next;
	pthread_mutex_unlock(&buses->lock);
	free(claim);
}
