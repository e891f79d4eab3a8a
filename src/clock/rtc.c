/* SPDX-License-Identifier: Apache-2.0 */
#include "rtc.h"
#include "../sensor/sensor.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct kri_rtc {
	atomic_int refs; /* the owner's, and one for each job */
	struct kryos_ctx *ctx;
	struct kri_device device;
	const struct kryos_rtc_driver *driver;
	struct kryos_dev *dev;  /* NULL: a node */
	struct kri_worker *own; /* of a node */
	atomic_bool busy;       /* a posted job has not ended */
	bool closed;            /* context thread */

	/* The worker's. */
	void *priv;
	bool open;
	const struct kryos_rtc_driver *kernel; /* the node driver, where the kernel holds the chip */
	void *kernel_priv;
};

enum action { OPEN, READ, SET, CLOSE };

struct errand {
	struct kri_job job;
	struct kri_rtc *rtc;
	enum action action;
	struct kri_rtc_result result;
	void (*done)(void *data, const struct kri_rtc_result *result);
	void *data;
};

struct wanted {
	const char *name;
	const struct kryos_rtc_driver *driver;
	char names[128];
};

static int matches(void *data, const void *candidate, void *userdata)
{
	const struct kryos_rtc_driver *driver = candidate;
	struct wanted *wanted = data;
	size_t length = strlen(wanted->names);

	(void)userdata;
	if (length < sizeof(wanted->names))
		snprintf(wanted->names + length, sizeof(wanted->names) - length, "%s%s", length ? ", " : "",
		         driver->name);
	if (strcmp(driver->name, wanted->name) != 0)
		return 0;
	wanted->driver = driver;
	return 1;
}

static const struct kryos_rtc_driver *find_driver(struct kryos_ctx *ctx, const char *name, struct wanted *ret_wanted)
{
	memset(ret_wanted, 0, sizeof(*ret_wanted));
	ret_wanted->name = name;
	kri_registry_each(ctx, KRI_RTC, matches, ret_wanted);
	return ret_wanted->driver;
}

static void unref(struct kri_rtc *rtc)
{
	if (atomic_fetch_sub(&rtc->refs, 1) != 1)
		return;
	/* A node that hung and answered after its RTC was let go. A chip's slots are its bus's worker's alone. */
	if (rtc->open && rtc->kernel)
		rtc->kernel->close(rtc->kernel_priv, NULL);
	else if (rtc->open && !rtc->dev)
		rtc->driver->close(rtc->priv, NULL);
	kri_dev_close(rtc->dev);
	free(rtc->priv);
	free(rtc->kernel_priv);
	kri_ctx_unref(rtc->ctx);
	free(rtc);
}

/* The node of the kernel's driver for the chip: /sys/bus/i2c/devices/1-0068/rtc/rtc0 gives "/dev/rtc0". */
static int find_kernel_node(const struct kri_rtc *rtc, char path[64])
{
	char folder[128];
	struct dirent *entry;
	int r = -ENODEV;
	DIR *entries;

	snprintf(folder, sizeof(folder), "/sys/bus/i2c/devices/%s-%04x/rtc", rtc->device.bus + strlen("i2c-"),
	         (unsigned int)kryos_dev_address(rtc->dev)->number);
	entries = opendir(folder);
	while (entries && r < 0 && (entry = readdir(entries)))
		if (strncmp(entry->d_name, "rtc", 3) == 0 && strlen(entry->d_name) < 32) {
			snprintf(path, 64, "/dev/%.32s", entry->d_name);
			r = 0;
		}
	if (entries)
		closedir(entries);
	return r;
}

/* -EBUSY with the claim's own sentence where the holder is not an RTC driver. */
static int open_kernel(struct kri_rtc *rtc)
{
	char holder[256], path[64];
	struct wanted wanted;
	int r;

	snprintf(holder, sizeof(holder), "%s", kryos_strerror(-EBUSY));
	rtc->kernel = NULL;
	if (!find_driver(rtc->ctx, "rtc", &wanted) || find_kernel_node(rtc, path) < 0)
		return kryos_fail(-EBUSY, "%s", holder);
	if (!rtc->kernel_priv)
		rtc->kernel_priv = calloc(1, wanted.driver->private_size ? wanted.driver->private_size : 1);
	if (!rtc->kernel_priv)
		return -ENOMEM;
	r = wanted.driver->open(rtc->kernel_priv, NULL, path);
	if (r >= 0)
		rtc->kernel = wanted.driver;
	return r;
}

static int open_rtc(struct kri_rtc *rtc)
{
	int r = 0;

	if (rtc->open)
		return rtc->dev && !rtc->kernel ? kri_dev_ready(rtc->dev, false) : 0;
	if (rtc->dev) {
		r = kri_dev_ready(rtc->dev, false);
		if (r == -EBUSY)
			r = open_kernel(rtc);
	}
	if (r >= 0 && !rtc->kernel)
		r = rtc->driver->open(rtc->priv, rtc->dev, rtc->dev ? NULL : rtc->device.bus);
	if (r >= 0)
		rtc->open = true;
	else if (rtc->dev)
		r = kri_dev_fail(rtc->dev, r);
	return r;
}

static void close_rtc(struct kri_rtc *rtc)
{
	if (!rtc->open)
		return;
	if (rtc->kernel)
		rtc->kernel->close(rtc->kernel_priv, NULL);
	else
		rtc->driver->close(rtc->priv, rtc->dev);
	rtc->open = false;
}

/* Time by the kernel's node, the flag and temperature by the chip's registers, if we may read them. */
static int read_kernel(struct kri_rtc *rtc, struct kryos_rtc_reading *ret_reading)
{
	struct kryos_rtc_reading chip;
	int r = rtc->kernel->read(rtc->kernel_priv, NULL, ret_reading);

	if (r < 0)
		return r;
	r = kri_dev_ready(rtc->dev, true);
	if (r >= 0)
		r = rtc->driver->read(rtc->priv, rtc->dev, &chip);
	if (r < 0) {
		kri_log(rtc->ctx, KRYOS_LOG_WARNING, "clock", r, "%s: its stop flag cannot be seen: %s",
		        rtc->device.text, kryos_strerror(r));
		return 0;
	}
	ret_reading->stopped |= chip.stopped;
	ret_reading->has_temperature = chip.has_temperature;
	ret_reading->temperature_micro = chip.temperature_micro;
	ret_reading->aging = chip.aging;
	return 0;
}

static int read_rtc(struct kri_rtc *rtc, struct kri_rtc_result *result)
{
	int r = rtc->kernel ? read_kernel(rtc, &result->reading)
	                    : rtc->driver->read(rtc->priv, rtc->dev, &result->reading);

	result->t_boot_ns = kri_boot_ns(rtc->ctx);
	return r;
}

/*
 * Through the kernel's node. For some years rtc-ds1307 left a DS3231's stop flag as it was (6.1.176 does, 6.1.192
 * clears it), and nobody would have believed the chip any more: there it is set by its registers, to the same second.
 */
static int set_kernel(struct kri_rtc *rtc, int64_t t_wall_ns)
{
	struct kryos_rtc_reading chip;
	int r = rtc->kernel->set(rtc->kernel_priv, NULL, t_wall_ns);

	if (r < 0)
		return r;
	if (kri_dev_ready(rtc->dev, true) < 0 || rtc->driver->read(rtc->priv, rtc->dev, &chip) < 0 || !chip.stopped)
		return 0;
	return rtc->driver->set(rtc->priv, rtc->dev, t_wall_ns);
}

/* Rounded, because an RTC counts whole seconds: at most half a second off. */
static int set_rtc(struct kri_rtc *rtc)
{
	int64_t t_wall_ns = kri_wall_ns(rtc->ctx) + KRYOS_MILLISECONDS(500);

	if (rtc->kernel)
		return set_kernel(rtc, t_wall_ns);
	return rtc->driver->set(rtc->priv, rtc->dev, t_wall_ns);
}

static int run_action(struct errand *errand)
{
	struct kri_rtc *rtc = errand->rtc;
	int r;

	if (errand->action == CLOSE) {
		close_rtc(rtc);
		return 0;
	}
	r = open_rtc(rtc);
	if (r >= 0 && errand->action == SET)
		r = set_rtc(rtc);
	if (r >= 0)
		r = read_rtc(rtc, &errand->result);
	return r;
}

static void run_errand(struct kri_job *job)
{
	struct errand *errand = KRI_CONTAINER_OF(job, struct errand, job);

	errand->result.code = run_action(errand);
	if (errand->result.code < 0)
		snprintf(errand->result.text, sizeof(errand->result.text), "%s", kryos_strerror(errand->result.code));
}

static void done_errand(struct kri_job *job)
{
	struct errand *errand = KRI_CONTAINER_OF(job, struct errand, job);

	if (!errand->rtc->closed)
		errand->done(errand->data, &errand->result);
}

static void drop_errand(struct kri_job *job)
{
	struct errand *errand = KRI_CONTAINER_OF(job, struct errand, job);

	if (errand->done)
		atomic_store(&errand->rtc->busy, false);
	unref(errand->rtc);
	free(errand);
}

static struct kri_worker *worker_of(struct kri_rtc *rtc)
{
	return rtc->dev ? kri_dev_worker(rtc->dev) : rtc->own;
}

static struct errand *errand_new(struct kri_rtc *rtc, enum action action)
{
	struct errand *errand = calloc(1, sizeof(*errand));

	if (!errand)
		return NULL;
	errand->job.run = run_errand;
	errand->job.drop = drop_errand;
	errand->rtc = rtc;
	errand->action = action;
	atomic_fetch_add(&rtc->refs, 1);
	return errand;
}

static int call(struct kri_rtc *rtc, enum action action, int64_t timeout_ns, struct kri_rtc_result *ret_result)
{
	struct errand *errand = errand_new(rtc, action);
	int r;

	if (!errand)
		return -ENOMEM;
	r = kri_worker_call(worker_of(rtc), &errand->job, timeout_ns);
	if (r == -ETIMEDOUT)
		return kryos_fail(-ETIMEDOUT, "%s: did not answer in %lld ms", rtc->device.text,
		                  (long long)(timeout_ns / KRYOS_MILLISECONDS(1)));
	if (r < 0) {
		drop_errand(&errand->job);
		return r;
	}
	r = errand->result.code;
	if (r < 0)
		r = kryos_fail(r, "%s", errand->result.text);
	if (ret_result)
		*ret_result = errand->result;
	kri_job_unref(&errand->job);
	return r;
}

static int check_device(struct kri_rtc *rtc, const char *device)
{
	struct wanted wanted;
	int r = kri_device_parse(device, &rtc->device);

	if (r < 0)
		return r;
	rtc->driver = find_driver(rtc->ctx, rtc->device.driver, &wanted);
	if (!rtc->driver)
		return kryos_fail(KRYOS_EDEVICE, "%s: no RTC driver %s; there are: %s", rtc->device.text,
		                  rtc->device.driver, wanted.names[0] ? wanted.names : "none");
	if (!rtc->driver->bus && rtc->device.bus[0] != '/')
		return kryos_fail(KRYOS_EDEVICE, "%s: a path is needed, as in %s@/dev/rtc0", rtc->device.text,
		                  rtc->device.driver);
	if (rtc->driver->bus) {
		r = kri_dev_open(rtc->ctx, device, rtc->driver->bus, &rtc->dev);
		return r < 0 ? r : kri_dev_take(rtc->dev);
	}
	return kri_worker_new(&rtc->own, rtc->ctx, "kryos-rtc", 4, NULL, NULL);
}

int kri_rtc_open(struct kri_rtc **ret_rtc, struct kryos_ctx *ctx, const char *device, int64_t timeout_ns,
                 struct kri_rtc_result *ret_result)
{
	struct kri_rtc *rtc = calloc(1, sizeof(*rtc));
	int r;

	if (!rtc)
		return -ENOMEM;
	atomic_init(&rtc->refs, 1);
	rtc->ctx = kri_ctx_ref(ctx);
	r = check_device(rtc, device);
	if (r < 0)
		goto close_rtc;
	r = -ENOMEM;
	rtc->priv = calloc(1, rtc->driver->private_size ? rtc->driver->private_size : 1);
	if (!rtc->priv)
		goto close_rtc;
	r = call(rtc, OPEN, timeout_ns, ret_result);
	if (r < 0 && r != KRYOS_ECRC)
		goto close_rtc;
	*ret_rtc = rtc;
	return 0;

close_rtc:
	kri_rtc_close(rtc, rtc->priv && r != -ETIMEDOUT ? timeout_ns : 0);
	return r;
}

void kri_rtc_give_back(struct kri_rtc *rtc)
{
	if (rtc && rtc->dev)
		kri_dev_give_back(rtc->dev);
}

int kri_rtc_take(struct kri_rtc *rtc)
{
	return rtc && rtc->dev ? kri_dev_take(rtc->dev) : 0;
}

void kri_rtc_close(struct kri_rtc *rtc, int64_t timeout_ns)
{
	if (!rtc)
		return;
	rtc->closed = true;
	if (worker_of(rtc) && timeout_ns > 0) {
		int r = call(rtc, CLOSE, timeout_ns, NULL);

		(void)r; /* a driver that hangs is left to end by itself */
	}
	kri_worker_free(rtc->own, timeout_ns);
	rtc->own = NULL;
	/* Whatever hangs on it may go on: what takes its place waits for the same bus. */
	kri_rtc_give_back(rtc);
	unref(rtc);
}

int kri_rtc_post(struct kri_rtc *rtc, bool set, void (*done)(void *data, const struct kri_rtc_result *result),
                 void *data)
{
	struct errand *errand;
	int r;

	if (atomic_exchange(&rtc->busy, true))
		return kryos_fail(-EAGAIN, "%s: has not answered the last time", rtc->device.text);
	errand = errand_new(rtc, set ? SET : READ);
	if (!errand) {
		atomic_store(&rtc->busy, false);
		return -ENOMEM;
	}
	errand->job.done = done_errand;
	errand->done = done;
	errand->data = data;
	r = kri_worker_post(worker_of(rtc), &errand->job);
	if (r < 0)
		drop_errand(&errand->job);
	return r;
}

int kri_rtc_call(struct kri_rtc *rtc, bool set, int64_t timeout_ns, struct kri_rtc_result *ret_result)
{
	return call(rtc, set ? SET : READ, timeout_ns, ret_result);
}

const char *kri_rtc_name(const struct kri_rtc *rtc)
{
	return rtc->device.text;
}
