# SPDX-License-Identifier: Apache-2.0
# BME280 on an adapter that does plain I2C.
emulator i2c-dev
emulator cold_i2c bme280=0x76
emulator bmp280-i2c
run bme280_case "$(i2c_bus 'cold emulated I2C')" /sys/kernel/debug/cold_i2c/76
