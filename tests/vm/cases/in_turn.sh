# SPDX-License-Identifier: Apache-2.0
# Cases one after the other on one kernel, as on a board: what one has loaded is gone when the next begins.
for name in chips ds18b20_w1 ds3231 chips; do
	sh "$here/play" $name || failed=1
done
# Ours by their files, too.
KRYOS_MODULES=${KRYOS_MODULES:-/lib/modules/$(uname -r)} sh "$here/play" chips || failed=1
for module in cold_i2c cold_w1 w1_therm rtc_ds1307; do
	check "$module is unloaded" [ ! -e /sys/module/$module ]
done
