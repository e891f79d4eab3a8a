/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What examples/embed lacks on a machine without its board: a TMP117, a folder that is there, and rounds that come
 * sooner. The linker puts these calls in the place of the library's
 * (ld --wrap), so that embed.c runs as it stands.
 *
 * EMBED_STORE is the folder. The chip is unplugged for a while.
 */
#include <kryos/kryos.h>
#include <kryos/testing/bus.h>
#include <stdlib.h>

int __real_kryos_ctx_new(struct kryos_ctx **ret_ctx, const struct kryos_ctx_config *config);
int __wrap_kryos_ctx_new(struct kryos_ctx **ret_ctx, const struct kryos_ctx_config *config);
int __real_kryos_store_open(struct kryos_store **ret_store, struct kryos_ctx *ctx, const char *path,
                            const struct kryos_store_config *config);
int __wrap_kryos_store_open(struct kryos_store **ret_store, struct kryos_ctx *ctx, const char *path,
                            const struct kryos_store_config *config);
int __real_kryos_sampler_new(struct kryos_sampler **ret_sampler, struct kryos_store *store,
                             const struct kryos_sampler_config *config);
int __wrap_kryos_sampler_new(struct kryos_sampler **ret_sampler, struct kryos_store *store,
                             const struct kryos_sampler_config *config);

/* Ends with the process. */
static struct kryos_fake_bus *bus;

int __wrap_kryos_ctx_new(struct kryos_ctx **ret_ctx, const struct kryos_ctx_config *config)
{
	struct kryos_model *chip;
	int r = __real_kryos_ctx_new(ret_ctx, config);

	if (r >= 0)
		r = kryos_fake_bus_new(&bus, "i2c-1");
	if (r >= 0)
		r = kryos_fake_bus_add_tmp117(bus, "0x48", &chip);
	if (r >= 0)
		r = kryos_model_set(chip, "temperature", 5250000);
	if (r >= 0)
		r = kryos_fake_bus_attach(bus, *ret_ctx);
	if (r >= 0)
		kryos_fake_bus_plan(bus, KRYOS_FAULT_NACK, 40, 4);
	return r;
}

int __wrap_kryos_store_open(struct kryos_store **ret_store, struct kryos_ctx *ctx, const char *path,
                            const struct kryos_store_config *config)
{
	(void)path;
	return __real_kryos_store_open(ret_store, ctx, getenv("EMBED_STORE"), config);
}

int __wrap_kryos_sampler_new(struct kryos_sampler **ret_sampler, struct kryos_store *store,
                             const struct kryos_sampler_config *config)
{
	struct kryos_sampler_config sooner = *config;

	sooner.every_ns = KRYOS_MILLISECONDS(300);
	return __real_kryos_sampler_new(ret_sampler, store, &sooner);
}
