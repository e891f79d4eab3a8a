# SPDX-License-Identifier: Apache-2.0
# The kernel's driver of a smart battery as a source, and the thermal zone that the kernel makes of it: on the kernel's
# i2c-stub.
emulator i2c-dev
emulator i2c-stub chip_addr=0x0b
emulator sbs-battery
run power_supply_case "$(i2c_bus 'SMBus stub driver')"
