# SPDX-License-Identifier: Apache-2.0
# Transfers that are not acknowledged, fail, or take long.
emulator i2c-dev
emulator cold_i2c bme280=0x76
run i2c_faults_case "$(i2c_bus 'cold emulated I2C')" /sys/kernel/debug/cold_i2c/76 /sys/module/cold_i2c/parameters
