# SPDX-License-Identifier: Apache-2.0
# The unit tests, on a processor and a kernel that the machine which builds does not have. In the machine their programs
# are in a folder beside the case, on a board they are found by their sources. What each prints is kept together.
# Random trials are fewer than elsewhere, but with KRYOS_TEST_LONG=1: this processor is slow, or emulated.
[ -n "${KRYOS_TEST_LONG:-}" ] || export KRYOS_TEST_QUICK=1
folder=$(mktemp -d)
basename -s .c "$here"/../../unit/*_test* | xargs -n 1 -P "$(nproc)" \
	sh -c 'timeout 900 "$1" >"$0/$1" 2>&1 || echo "not ok 0 - $1: status $?" >>"$0/$1"' "$folder"
cat "$folder"/*
cat "$folder"/* | grep '^not ok' | grep -qv '# SKIP' && failed=1
rm -r "$folder"
