/* SPDX-License-Identifier: Apache-2.0 */
/* libkryos: measure, keep, relay. This header only includes the stable ones; start at kryos/ctx.h. */
#ifndef KRYOS_KRYOS_H
#define KRYOS_KRYOS_H

#include <kryos/alarm.h>
#include <kryos/base.h>
#include <kryos/bundle.h>
#include <kryos/channel.h>
#include <kryos/clock.h>
#include <kryos/command.h>
#include <kryos/ctx.h>
#include <kryos/evaluate.h>
#include <kryos/exposure.h>
#include <kryos/history.h>
#include <kryos/holdover.h>
#include <kryos/line.h>
#include <kryos/log.h>
#include <kryos/monitor.h>
#include <kryos/output.h>
#include <kryos/power.h>
#include <kryos/queue.h>
#include <kryos/reader.h>
#include <kryos/relay.h>
#include <kryos/sample.h>
#include <kryos/sampler.h>
#include <kryos/sensor.h>
#include <kryos/station.h>
#include <kryos/store.h>
#include <kryos/survey.h>
#include <kryos/watchdog.h>

#endif
