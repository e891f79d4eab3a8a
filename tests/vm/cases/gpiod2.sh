# SPDX-License-Identifier: Apache-2.0
# The library's part by libgpiod 2, without a daemon, where the library is built with 1.6 and the other can be had
# (tests/support/newer.sh).
if ! command -v gpiod2_case >/dev/null; then
	skip "all of it" "no libgpiod 2 beside the one that the library is built with"
	exit "$failed"
fi
emulator gpio-sim
run gpiod2_case
run gpiod2_output_case
