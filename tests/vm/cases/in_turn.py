# SPDX-License-Identifier: Apache-2.0
SECONDS = 600  # of nine cases, two of which wait for conversions on an emulated wire for most of a minute
