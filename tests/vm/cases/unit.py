# SPDX-License-Identifier: Apache-2.0
OPTIONS = ["-smp", "2"]
SECONDS = 1800  # minutes of emulated processors, which on a busy host are many
