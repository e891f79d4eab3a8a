# SPDX-License-Identifier: Apache-2.0
# A lamp's line and a door's, with a wire between them: on a board those that KRYOS_TEST_WIRE names, else lines of gpio-sim,
# and the wire is a loop that copies the level.
if ! command -v gpio_case >/dev/null; then
	skip "all of it" "the library is built without libgpiod"
	exit "$failed"
fi
if [ -z "${KRYOS_TEST_WIRE:-}" ]; then
	emulator gpio-sim
	make_chip wire lamp lid
	echo 1 >$chip/live
	wires=/sys/devices/platform/$(cat $chip/dev_name)/$(cat $chip/bank0/chip_name)
	pull=
	while sleep 0.02; do
		level=$(cat "$wires/sim_gpio0/value")
		[ "$level" != "$pull" ] || continue
		[ "$level" = 1 ] && echo pull-up >"$wires/sim_gpio1/pull" || echo pull-down >"$wires/sim_gpio1/pull"
		pull=$level
	done &
	at_end "kill $!"
	KRYOS_TEST_WIRE='lamp lid'
fi
# shellcheck disable=SC2086
run wire_case $KRYOS_TEST_WIRE
