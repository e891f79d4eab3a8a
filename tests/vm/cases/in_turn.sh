# SPDX-License-Identifier: Apache-2.0
# Cases one after the other on one kernel, as on a board: what one has loaded is gone when the next begins.
for name in chips ds18b20_w1 ds3231 bme280_i2c chips; do
	sh "$here/play" $name || failed=1
done
for module in cold_i2c cold_w1 w1_therm bmp280_i2c; do
	check "$module is unloaded" [ ! -e /sys/module/$module ]
done
