# SPDX-License-Identifier: Apache-2.0
# DS18B20 through the kernel's 1-Wire core and w1_therm, on a bus that is emulated bit by bit.
emulator wire timeout=1
emulator cold_w1 chips=2
emulator w1_therm
found() { [ -e /sys/bus/w1/devices/28-010000000001/w1_slave ] && [ -e /sys/bus/w1/devices/28-010000000002/w1_slave ]; }
for _ in 1 2 3 4 5 6 7 8 9 10; do found || sleep 1; done
check 'the kernel finds both probes' found
echo 0 >/sys/bus/w1/devices/w1_bus_master1/w1_master_search # what is unplugged stays listed
run ds18b20_case /sys/module/cold_w1/parameters
