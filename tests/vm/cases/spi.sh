# SPDX-License-Identifier: Apache-2.0
# MAX31865 and MAX31856 through spidev, beside the kernel's own drivers for them, where it has them.
emulator spidev
emulator cold_spi
for driver in max31856 max31865; do
	if has_module "$driver"; then
		emulator "$driver"
	else
		skip "what the kernel's $driver reads" "no kernel module $driver here"
	fi
done
spi=
for master in /sys/class/spi_master/spi*; do
	case $(readlink -f "$master/device") in */cold_spi) spi=${master##*/spi} ;; esac
done
run spi_case "$spi"
