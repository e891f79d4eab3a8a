# SPDX-License-Identifier: Apache-2.0
# CMake reads this for the system named "Buildroot", which is Linux.
set(CMAKE_SYSTEM_NAME Linux)
include(Platform/Linux)
