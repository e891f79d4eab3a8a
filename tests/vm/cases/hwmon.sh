# SPDX-License-Identifier: Apache-2.0
# The kernel's jc42 (MCP9808 and its like) as a source: two chips on the kernel's i2c-stub.
emulator i2c-dev
emulator i2c-stub chip_addr=0x18,0x19
emulator jc42
run hwmon_case "$(i2c_bus 'SMBus stub driver')"
