# SPDX-License-Identifier: Apache-2.0
# BME280 on an adapter that speaks SMBus only: the kernel's own i2c-stub.
emulator i2c-dev
emulator i2c-stub chip_addr=0x76
emulator bmp280-i2c
run bme280_case "$(i2c_bus 'SMBus stub driver')"
