# SPDX-License-Identifier: Apache-2.0
# Toolchain file for another architecture, by Debian's cross compilers (docs/howto/build.md):
#
#   cmake -S . -B build/arm64 -DCMAKE_TOOLCHAIN_FILE=cmake/cross.cmake -DKRYOS_TARGET=aarch64-linux-gnu
#
# The target's libraries are those of the system's multiarch folders, or of the folder KRYOS_SYSROOT.
set(KRYOS_TARGET "aarch64-linux-gnu" CACHE STRING "The target, as the names of its compiler and library folders have it")
set(KRYOS_SYSROOT "" CACHE PATH "Where the target's root file system is; empty: this system's multiarch folders")
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES KRYOS_TARGET KRYOS_SYSROOT)

set(CMAKE_SYSTEM_NAME Linux)
string(REGEX MATCH "^[^-]+" CMAKE_SYSTEM_PROCESSOR "${KRYOS_TARGET}")
set(CMAKE_C_COMPILER "${KRYOS_TARGET}-gcc")
if(KRYOS_SYSROOT)
  set(CMAKE_SYSROOT "${KRYOS_SYSROOT}")
endif()
# Programs are this machine's, all else is the target's.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
foreach(kind LIBRARY INCLUDE PACKAGE)
  set(CMAKE_FIND_ROOT_PATH_MODE_${kind} ONLY)
endforeach()
set(ENV{PKG_CONFIG_SYSROOT_DIR} "${KRYOS_SYSROOT}")
set(ENV{PKG_CONFIG_LIBDIR}
  "${KRYOS_SYSROOT}/usr/lib/${KRYOS_TARGET}/pkgconfig:${KRYOS_SYSROOT}/usr/share/pkgconfig")
