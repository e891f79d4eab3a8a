/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <kryos/sys/bus.h>
#include <kryos/testing/watchdog.h>
#include <pthread.h>
#include <stdlib.h>

struct kryos_fake_watchdog {
	pthread_mutex_t mutex;
	int64_t max_ns;
	uint32_t boot_status;
	unsigned int pets;
	int armed, busy, open;
};

struct opened {
	struct kryos_fake_watchdog *fake;
};

static int fake_open(void *priv, const char *device, int64_t timeout_ns, void *userdata, int64_t *ret_timeout_ns,
                     uint32_t *ret_boot_status)
{
	struct kryos_fake_watchdog *fake = userdata;
	struct opened *opened = priv;
	int busy;

	pthread_mutex_lock(&fake->mutex);
	busy = fake->busy || fake->open;
	if (!busy) {
		fake->open = 1;
		fake->armed = 1; /* as the kernel's: opening starts it */
		opened->fake = fake;
		/* As hardware with a limit does: takes what it can, says what it took. */
		*ret_timeout_ns = fake->max_ns && timeout_ns > fake->max_ns ? fake->max_ns : timeout_ns;
		*ret_boot_status = fake->boot_status;
	}
	pthread_mutex_unlock(&fake->mutex);
	return busy ? kryos_fail(-EBUSY, "%s: held by another process", device) : 0;
}

static int fake_pet(void *priv)
{
	struct kryos_fake_watchdog *fake = ((struct opened *)priv)->fake;

	pthread_mutex_lock(&fake->mutex);
	fake->pets++;
	pthread_mutex_unlock(&fake->mutex);
	return 0;
}

static void fake_close(void *priv, int disarm)
{
	struct kryos_fake_watchdog *fake = ((struct opened *)priv)->fake;

	pthread_mutex_lock(&fake->mutex);
	fake->open = 0;
	if (disarm)
		fake->armed = 0;
	pthread_mutex_unlock(&fake->mutex);
}

static const struct kryos_watchdog_driver driver = {
	.size = sizeof(driver),
	.name = "fake",
	.prefix = "/dev/fake-watchdog",
	.private_size = sizeof(struct opened),
	.open = fake_open,
	.pet = fake_pet,
	.close = fake_close,
};

int kryos_fake_watchdog_new(struct kryos_fake_watchdog **ret_watchdog, int64_t max_ns, uint32_t boot_status)
{
	struct kryos_fake_watchdog *fake;

	if (!ret_watchdog || max_ns < 0)
		return -EINVAL;
	fake = calloc(1, sizeof(*fake));
	if (!fake)
		return -ENOMEM;
	pthread_mutex_init(&fake->mutex, NULL);
	fake->max_ns = max_ns;
	fake->boot_status = boot_status;
	*ret_watchdog = fake;
	return 0;
}

void kryos_fake_watchdog_free(struct kryos_fake_watchdog *watchdog)
{
	if (!watchdog)
		return;
	pthread_mutex_destroy(&watchdog->mutex);
	free(watchdog);
}

int kryos_fake_watchdog_attach(struct kryos_fake_watchdog *watchdog, struct kryos_ctx *ctx)
{
	return kryos_register_watchdog(ctx, &driver, watchdog);
}

unsigned int kryos_fake_watchdog_pets(struct kryos_fake_watchdog *watchdog)
{
	unsigned int pets;

	pthread_mutex_lock(&watchdog->mutex);
	pets = watchdog->pets;
	pthread_mutex_unlock(&watchdog->mutex);
	return pets;
}

int kryos_fake_watchdog_armed(struct kryos_fake_watchdog *watchdog)
{
	int armed;

	pthread_mutex_lock(&watchdog->mutex);
	armed = watchdog->armed;
	pthread_mutex_unlock(&watchdog->mutex);
	return armed;
}

void kryos_fake_watchdog_set_busy(struct kryos_fake_watchdog *watchdog, int busy)
{
	pthread_mutex_lock(&watchdog->mutex);
	watchdog->busy = busy != 0;
	pthread_mutex_unlock(&watchdog->mutex);
}
