# SPDX-License-Identifier: Apache-2.0
# MAX31865 and MAX31856 through spidev, beside the kernel's own drivers for them.
emulator cold_spi
emulator max31856
emulator max31865
spi=
for master in /sys/class/spi_master/spi*; do
	case $(readlink -f "$master/device") in */cold_spi) spi=${master##*/spi} ;; esac
done
run spi_case "$spi"
