# What `cmake --install` puts where, and the Debian packages made of it. Two components: "runtime" (the default: every
# install(TARGETS ...) of an executable) and "development" (libraries, headers and the CMake package).
include(CMakePackageConfigHelpers)

set(PENSTOCK_INSTALL_INCLUDEDIR ${CMAKE_INSTALL_INCLUDEDIR}/penstock-engine)
set(PENSTOCK_INSTALL_CMAKEDIR ${CMAKE_INSTALL_LIBDIR}/cmake/penstock)

get_property(penstock_install_targets GLOBAL PROPERTY PENSTOCK_INSTALL_TARGETS)
install(TARGETS ${penstock_install_targets} EXPORT penstock-targets COMPONENT development
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}/penstock
  OBJECTS DESTINATION ${CMAKE_INSTALL_LIBDIR}/penstock/objects)
install(EXPORT penstock-targets NAMESPACE penstock:: DESTINATION ${PENSTOCK_INSTALL_CMAKEDIR} COMPONENT development)

# The same paths as in the tree, so that one set of #include lines serves both.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/api/include/ DESTINATION ${PENSTOCK_INSTALL_INCLUDEDIR} COMPONENT development
  FILES_MATCHING PATTERN "*.h")
install(DIRECTORY ${PROJECT_SOURCE_DIR}/runtime DESTINATION ${PENSTOCK_INSTALL_INCLUDEDIR} COMPONENT development
  FILES_MATCHING PATTERN "*.h" PATTERN "http" EXCLUDE)
install(DIRECTORY ${CMAKE_BINARY_DIR}/generated/proto DESTINATION ${PENSTOCK_INSTALL_INCLUDEDIR} COMPONENT development
  FILES_MATCHING PATTERN "*.pb.h")

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/penstock-config.cmake.in
  ${CMAKE_BINARY_DIR}/penstock-config.cmake INSTALL_DESTINATION ${PENSTOCK_INSTALL_CMAKEDIR})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/penstock-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${CMAKE_BINARY_DIR}/penstock-config.cmake
  ${CMAKE_BINARY_DIR}/penstock-config-version.cmake
  ${PROJECT_SOURCE_DIR}/cmake/penstock_dependencies.cmake
  ${PROJECT_SOURCE_DIR}/cmake/penstock_job.cmake
  DESTINATION ${PENSTOCK_INSTALL_CMAKEDIR} COMPONENT development)

install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/penstock RENAME copyright)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/penstock-dev RENAME copyright
  COMPONENT development)

include(${CMAKE_CURRENT_LIST_DIR}/debian_packages.cmake)
