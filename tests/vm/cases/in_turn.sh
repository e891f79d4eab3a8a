# SPDX-License-Identifier: Apache-2.0
# Cases one after the other on one kernel, as on a board: what one has loaded is gone when the next begins.
if ! has_module cold_i2c && ! is_ours cold_i2c; then
	skip 'all of it' 'no kernel module cold_i2c here'
	exit "$failed"
fi
# A board may have loaded some of them for chips of its own: those stay.
absent=
for module in cold_i2c cold_spi cold_w1 w1_therm bmp280-i2c rtc-ds1307 i2c-stub jc42 max31856 max31865; do
	is_loaded $module || absent="$absent $module"
done
for name in chips ds18b20_w1 ds3231 iio w1_many hwmon spi chips; do
	sh "$here/play" $name || failed=1
done
# Ours by their files, too.
KRYOS_MODULES=${KRYOS_MODULES:-/lib/modules/$(uname -r)} sh "$here/play" chips || failed=1
for module in $absent; do
	check "$module is unloaded" [ ! -e "/sys/module/$(echo $module | tr - _)" ]
done
