/* SPDX-License-Identifier: Apache-2.0 */
/* Built instead of the simulation with KRYOS_DAEMON_SIMULATE=OFF: none can be had, so the rest is never called. */
#include "daemon.h"
#include <errno.h>
#include <stdio.h>

int simulation_new(struct simulation **ret_simulation, const char *trace, double speed)
{
	(void)ret_simulation;
	(void)trace;
	(void)speed;
	fputs("cryo_daemon: --simulate: this cryo_daemon was built without it (KRYOS_DAEMON_SIMULATE)\n", stderr);
	return -1;
}

void simulation_free(struct simulation *simulation)
{
	(void)simulation;
}

void simulation_get_clock(struct simulation *simulation, struct kryos_ctx_config *config)
{
	(void)simulation;
	(void)config;
}

int simulation_add_devices(struct simulation *simulation, struct kryos_ctx *ctx, const char *config_path)
{
	(void)simulation;
	(void)ctx;
	(void)config_path;
	return -EOPNOTSUPP;
}

void simulation_begin(struct simulation *simulation, struct kryos_ctx *ctx, const char *config_path)
{
	(void)simulation;
	(void)ctx;
	(void)config_path;
}

int simulation_resume(struct simulation *simulation, struct kryos_station *station)
{
	(void)simulation;
	(void)station;
	return -EOPNOTSUPP;
}

int simulation_step(struct simulation *simulation, struct kryos_station *station, bool once, int64_t *ret_wait_ns)
{
	(void)simulation;
	(void)station;
	(void)once;
	(void)ret_wait_ns;
	return -EOPNOTSUPP;
}

void simulation_get_progress(const struct simulation *simulation, size_t *ret_first, size_t *ret_done, size_t *ret_rows)
{
	(void)simulation;
	(void)ret_first;
	(void)ret_done;
	(void)ret_rows;
}
