# SPDX-License-Identifier: Apache-2.0
# Cases one after the other on one kernel, as on a board: what one has loaded is gone when the next begins.
if ! has_module cold_i2c && ! is_ours cold_i2c; then
	skip 'all of it' 'no kernel module cold_i2c here'
	exit "$failed"
fi
for name in chips ds18b20_w1 ds3231 chips; do
	sh "$here/play" $name || failed=1
done
# Ours by their files, too.
KRYOS_MODULES=${KRYOS_MODULES:-/lib/modules/$(uname -r)} sh "$here/play" chips || failed=1
for module in cold_i2c cold_w1 w1_therm; do
	check "$module is unloaded" [ ! -e /sys/module/$module ]
done
