# SPDX-License-Identifier: Apache-2.0
# What is installed: library, headers, man pages, a .pc file each, and the CMake package kryos (docs/howto/build.md).
include(CMakePackageConfigHelpers)
set(KRYOS_CMAKE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/kryos")

install(TARGETS kryos EXPORT kryosTargets
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(DIRECTORY include/kryos DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
  FILES_MATCHING PATTERN "*.h" PATTERN testing EXCLUDE)
install(FILES docs/man/kryos.7 DESTINATION "${CMAKE_INSTALL_MANDIR}/man7")
# A page of section 3 for each header, made of it; without awk there are none. What builds single targets has none either.
find_program(KRYOS_AWK awk)
mark_as_advanced(KRYOS_AWK)
if(KRYOS_AWK)
  file(STRINGS docs/man/kryos.7 date REGEX "^\\.Dd ")
  string(SUBSTRING "${date}" 4 -1 date)
  file(GLOB headers RELATIVE "${CMAKE_CURRENT_SOURCE_DIR}/include" CONFIGURE_DEPENDS include/kryos/*.h include/kryos/sys/*.h)
  list(REMOVE_ITEM headers kryos/kryos.h)
  file(MAKE_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/man3")
  set(pages "")
  foreach(header ${headers})
    string(REPLACE "/" "_" name "${header}")
    string(REGEX REPLACE "\\.h$" "" name "${name}")
    set(page "${CMAKE_CURRENT_BINARY_DIR}/man3/${name}.3")
    add_custom_command(OUTPUT "${page}"
      COMMAND "${KRYOS_AWK}" -f "${CMAKE_CURRENT_SOURCE_DIR}/cmake/header_page.awk" -v "header=${header}" -v "name=${name}"
        -v "date=${date}" "include/${header}" > "${page}"
      DEPENDS "include/${header}" cmake/header_page.awk WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}" VERBATIM)
    list(APPEND pages "${page}")
  endforeach()
  add_custom_target(kryos_pages ALL DEPENDS ${pages})
  install(FILES ${pages} DESTINATION "${CMAKE_INSTALL_MANDIR}/man3" OPTIONAL)
endif()
if(KRYOS_BUILD_TESTING_LIBRARY)
  install(TARGETS kryos_testing EXPORT kryosTestingTargets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
  install(DIRECTORY include/kryos/testing DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/kryos"
    FILES_MATCHING PATTERN "*.h")
endif()

# pkg-config. ${prefix} is absolute, that of `cmake --install --prefix` where one is given, and all else follows from it:
# a moved tree is used with --define-prefix or a sysroot. (A prefix relative to the file breaks with pkg-config 0.29, which
# puts the sysroot before it once more.)
function(kryos_install_pc name)
  configure_file("cmake/${name}.pc.in" "${CMAKE_CURRENT_BINARY_DIR}/${name}.pc" @ONLY)
  install(FILES "${CMAKE_CURRENT_BINARY_DIR}/${name}.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
  set(installed "${CMAKE_INSTALL_LIBDIR}/pkgconfig/${name}.pc")
  if(NOT IS_ABSOLUTE "${installed}")
    string(PREPEND installed "\${CMAKE_INSTALL_PREFIX}/")
  endif()
  install(CODE "
    file(READ \"\$ENV{DESTDIR}${installed}\" text)
    get_filename_component(prefix \"\${CMAKE_INSTALL_PREFIX}\" ABSOLUTE)
    string(REGEX REPLACE \"^prefix=[^\n]*\" \"prefix=\${prefix}\" text \"\${text}\")
    file(WRITE \"\$ENV{DESTDIR}${installed}\" \"\${text}\")")
endfunction()
set(KRYOS_PC_DRIVER_REQUIRES "")
set(KRYOS_PC_DRIVER_LIBS "")
foreach(library ${KRYOS_DRIVER_LIBRARIES})
  # Paho and libi2c ship no .pc file; -l names are all that can be said about them.
  string(APPEND KRYOS_PC_DRIVER_LIBS "-l${library} ")
endforeach()
if("paho-mqtt3as" IN_LIST KRYOS_DRIVER_LIBRARIES)
  pkg_check_modules(KRYOS_SSL QUIET libssl) # what a static Paho needs after it
  if(KRYOS_SSL_FOUND)
    set(KRYOS_PC_DRIVER_REQUIRES ", libssl, libcrypto")
  endif()
endif()
foreach(dir LIBDIR INCLUDEDIR)
  if(IS_ABSOLUTE "${CMAKE_INSTALL_${dir}}")
    set(KRYOS_PC_${dir} "${CMAKE_INSTALL_${dir}}")
  else()
    set(KRYOS_PC_${dir} "\${prefix}/${CMAKE_INSTALL_${dir}}")
  endif()
endforeach()
# A static libkryos needs its private libraries in every link, whether the consumer says --static or not.
set(KRYOS_PC_PRIVATE ".private")
set(KRYOS_PC_STATIC_LIBS "")
set(KRYOS_PC_PRIVATE_LIBS "${KRYOS_PC_DRIVER_LIBS}${KRYOS_PC_LIBS}")
if(NOT BUILD_SHARED_LIBS)
  set(KRYOS_PC_PRIVATE "")
  set(KRYOS_PC_STATIC_LIBS " ${KRYOS_PC_PRIVATE_LIBS}")
  set(KRYOS_PC_PRIVATE_LIBS "")
endif()
kryos_install_pc(kryos)
if(KRYOS_BUILD_TESTING_LIBRARY)
  kryos_install_pc(kryos-testing)
endif()

# CMake package: kryos::kryos, and kryos::testing where its files are there too: packagers split them.
install(EXPORT kryosTargets NAMESPACE kryos:: DESTINATION "${KRYOS_CMAKE_DIR}")
if(KRYOS_BUILD_TESTING_LIBRARY)
  install(EXPORT kryosTestingTargets NAMESPACE kryos:: DESTINATION "${KRYOS_CMAKE_DIR}")
endif()
set(KRYOS_CONFIG_MODULES "")
if(NOT BUILD_SHARED_LIBS)
  foreach(pair SQLITE:sqlite3 INIH:inih CJSON:libcjson CRYPTO:libcrypto)
    string(REPLACE ":" ";" pair "${pair}")
    list(GET pair 0 variable)
    if("PkgConfig::KRYOS_${variable}" IN_LIST KRYOS_LIBRARIES)
      list(APPEND KRYOS_CONFIG_MODULES "${pair}")
    endif()
  endforeach()
endif()
configure_package_config_file(cmake/kryosConfig.cmake.in "${CMAKE_CURRENT_BINARY_DIR}/kryosConfig.cmake"
  INSTALL_DESTINATION "${KRYOS_CMAKE_DIR}" NO_SET_AND_CHECK_MACRO)
# While the version is 0.x, a new minor may change the ABI.
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/kryosConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/kryosConfig.cmake" "${CMAKE_CURRENT_BINARY_DIR}/kryosConfigVersion.cmake"
  DESTINATION "${KRYOS_CMAKE_DIR}")
