#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Device nodes that the daemon uses after it has become the user kryos.
set -eu
conf=$TARGET_DIR/etc/mdev.conf
grep -q '^# kryos$' "$conf" && exit 0
cat >>"$conf" <<'END'
# kryos
i2c-[0-9]+	root:i2c 660
spidev[0-9.]+	root:spi 660
gpiochip[0-9]+	root:gpio 660
END
