# SPDX-License-Identifier: Apache-2.0
# DS3231 by our driver, by the kernel's rtc-ds1307, and by hwclock.
emulator i2c-dev
emulator cold_i2c ds3231=0x68
emulator rtc-ds1307
run ds3231_case "$(i2c_bus 'cold emulated I2C')" /sys/kernel/debug/cold_i2c/68
