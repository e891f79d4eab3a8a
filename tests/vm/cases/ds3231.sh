# SPDX-License-Identifier: Apache-2.0
# DS3231 by our driver, by the kernel's rtc-ds1307, and by hwclock.
emulator i2c-dev
emulator cold_i2c ds3231=0x68
emulator rtc-ds1307
bus=$(i2c_bus 'cold emulated I2C')
image=/sys/kernel/debug/cold_i2c/68
run ds3231_case "$bus" "$image"

# 2026-03-31 23:15:07, as the bytes of its registers.
printf '\007\025\043\003\061\003\046' | dd of=$image bs=19 conv=notrunc 2>/dev/null
echo ds3231 0x68 >"/sys/bus/i2c/devices/$bus/new_device"
node=/dev/$(basename /sys/bus/i2c/devices/"${bus#i2c-}"-0068/rtc/rtc*)
same 'hwclock reads the time in the registers' 'Tue Mar 31 23:15' "$(hwclock -r -u -f "$node" | cut -c 1-16)"
echo 0x68 >"/sys/bus/i2c/devices/$bus/delete_device"
