# SPDX-License-Identifier: Apache-2.0
# Toolchain file that does what Buildroot's does (support/misc/toolchainfile.cmake.in and package/Makefile.in of 2024.02 to
# 2026.05), with Debian's cross compilers: the name of the system is its own until project(), a release has no flags but
# -DNDEBUG, and what its compiler wrapper adds stands in the flags here.
include("${CMAKE_CURRENT_LIST_DIR}/../../cmake/cross.cmake")
set(CMAKE_SYSTEM_NAME Buildroot)
set(CMAKE_SYSTEM_VERSION 1)
list(APPEND CMAKE_MODULE_PATH "${CMAKE_CURRENT_LIST_DIR}")
set(CMAKE_BUILD_TYPE Release CACHE STRING "")
set(CMAKE_C_FLAGS_RELEASE " -DNDEBUG" CACHE STRING "")

set(flags "-D_LARGEFILE_SOURCE -D_LARGEFILE64_SOURCE -D_FILE_OFFSET_BITS=64 -O2 -g0 -D_FORTIFY_SOURCE=1")
string(APPEND flags " -fstack-protector-strong -fPIE")
if(KRYOS_TARGET MATCHES "^aarch64-") # Raspberry Pi 4. Debian's compiler goes around an erratum of another processor.
  string(APPEND flags " -mcpu=cortex-a72 -mno-fix-cortex-a53-843419")
elseif(KRYOS_TARGET MATCHES "^arm-") # Raspberry Pi 2 and later
  string(APPEND flags " -mcpu=cortex-a7 -mfloat-abi=hard -mfpu=neon-vfpv4")
endif()
set(CMAKE_C_FLAGS "${flags}" CACHE STRING "")
set(CMAKE_EXE_LINKER_FLAGS "-pie -Wl,-z,relro,-z,now" CACHE STRING "")
set(CMAKE_SHARED_LINKER_FLAGS "-Wl,-z,relro,-z,now" CACHE STRING "")
