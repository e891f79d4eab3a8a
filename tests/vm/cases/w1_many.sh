# SPDX-License-Identifier: Apache-2.0
# Eight DS18B20 on two 1-Wire masters: how long a round of them takes.
emulator wire timeout=1
emulator cold_w1 chips=8 others=4 sixteenths=80,81,82,83,84,85,86,87
emulator w1_therm
found() { for n in 1 2 3 4 5 6 7 8; do [ -e "/sys/bus/w1/devices/28-01000000000$n/w1_slave" ] || return 1; done; }
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do found || sleep 1; done
check 'the kernel finds all probes' found
run w1_many_case /sys/module/cold_w1/parameters
