# SPDX-License-Identifier: Apache-2.0
# The same by libgpiod 2, where the library is built with 1.6 and the other can be had (tests/vm/host/gpiod.sh).
if ! command -v gpiod2_case >/dev/null; then
	skip "all of it" "no libgpiod 2 beside the one that the library is built with"
	exit 0
fi
emulator gpio-sim
run gpiod2_case
