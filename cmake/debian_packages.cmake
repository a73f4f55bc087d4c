# `cpack -G DEB` in the build folder: penstock (the executables) and penstock-dev (what job programs are built with).
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME penstock)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGE_CONTACT "The penstock authors <penstock@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES OFF)  # crash reports need names and lines
set(CPACK_VERBATIM_VARIABLES ON)

set(CPACK_COMPONENTS_ALL runtime development)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)

set(CPACK_COMPONENT_RUNTIME_DESCRIPTION "The processes of a cluster and the command line.")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME penstock)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION net)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)

set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "Headers, libraries and the CMake package that job programs are built with.")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME penstock-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_RECOMMENDS "penstock (= ${PROJECT_VERSION})")
# Static libraries name nothing that shlibdeps could find: what penstock_dependencies.cmake asks for.
string(JOIN ", " CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
  g++ cmake pkg-config libgrpc++-dev protobuf-compiler-grpc libprotobuf-dev protobuf-compiler libabsl-dev libspdlog-dev
  nlohmann-json3-dev libssl-dev libyaml-cpp-dev libcurl4-openssl-dev libpq-dev libhiredis-dev libpugixml-dev libsimdjson-dev librdkafka-dev libxxhash-dev libzstd-dev libjemalloc-dev
  librocksdb-dev)

include(CPack)
