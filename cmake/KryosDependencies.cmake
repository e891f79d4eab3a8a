# SPDX-License-Identifier: Apache-2.0
# Each library is used by exactly one room (docs/architecture.md); all but SQLite can be left out.
find_package(PkgConfig REQUIRED)
pkg_check_modules(KRYOS_SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.34)
set(KRYOS_LIBRARIES PkgConfig::KRYOS_SQLITE)
set(KRYOS_PC_REQUIRES "sqlite3")
set(KRYOS_PC_LIBS "-lpthread -lm")

# kryos_dependency(OPTION VARIABLE MODULE): a pkg-config module that OPTION asks for.
macro(kryos_dependency option variable module)
  if(${option})
    pkg_check_modules(KRYOS_${variable} REQUIRED IMPORTED_TARGET ${module})
    list(APPEND KRYOS_LIBRARIES PkgConfig::KRYOS_${variable})
    string(APPEND KRYOS_PC_REQUIRES ", ${module}")
    target_compile_definitions(kryos_build INTERFACE ${option}=1)
  else()
    target_compile_definitions(kryos_build INTERFACE ${option}=0)
  endif()
endmacro()
kryos_dependency(KRYOS_WITH_INIH INIH inih)
kryos_dependency(KRYOS_WITH_CJSON CJSON libcjson)
kryos_dependency(KRYOS_WITH_CRYPTO CRYPTO libcrypto)

# Paho and libi2c ship no .pc file. Checked with find_library, linked by bare name, so that no absolute path of
# this machine is exported to consumers of a static build.
find_library(KRYOS_PAHO_LIBRARY paho-mqtt3as)
find_path(KRYOS_PAHO_INCLUDE MQTTAsync.h)
find_library(KRYOS_I2C_LIBRARY i2c)
find_path(KRYOS_I2C_INCLUDE i2c/smbus.h)
foreach(lib PAHO I2C)
  set(KRYOS_HAVE_${lib} OFF)
  if(KRYOS_${lib}_LIBRARY AND KRYOS_${lib}_INCLUDE)
    set(KRYOS_HAVE_${lib} ON)
  endif()
  mark_as_advanced(KRYOS_${lib}_LIBRARY KRYOS_${lib}_INCLUDE)
endforeach()
target_link_libraries(kryos_objects PRIVATE ${KRYOS_LIBRARIES})
