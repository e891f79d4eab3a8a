# SPDX-License-Identifier: Apache-2.0
SECONDS = 1800  # two minutes of an emulated processor, which on a busy host are many
