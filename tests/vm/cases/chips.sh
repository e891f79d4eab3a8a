# SPDX-License-Identifier: Apache-2.0
# The chips of a bench, by the test that is skipped where there are none; on a board its own chips, with KRYOS_TEST_I2C and
# KRYOS_TEST_W1 set as tests/integration/i2c_kernel_test.c says.
if [ -z "${KRYOS_TEST_I2C:-}${KRYOS_TEST_W1:-}" ]; then
	emulator i2c-dev
	emulator cold_i2c bme280=0x76
	emulator wire timeout=1
	emulator cold_w1 chips=1
	emulator w1_therm
	echo 84 >/sys/module/cold_w1/parameters/sixteenths
	KRYOS_TEST_I2C=$(i2c_bus 'cold emulated I2C') KRYOS_TEST_W1=1
	export KRYOS_TEST_I2C KRYOS_TEST_W1
	for _ in 1 2 3 4 5 6 7 8 9 10; do [ -e /sys/bus/w1/devices/28-010000000001/w1_slave ] || sleep 1; done
fi
run i2c_kernel_test
