# SPDX-License-Identifier: Apache-2.0
# The kernel's own driver of a BME280 as a source, on an adapter whose transfers can be made to fail.
emulator i2c-dev
emulator cold_i2c bme280=0x76
emulator bmp280-i2c
run iio_case "$(i2c_bus 'cold emulated I2C')" /sys/kernel/debug/cold_i2c/76 /sys/module/cold_i2c/parameters
