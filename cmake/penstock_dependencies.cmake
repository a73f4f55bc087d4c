# What the libraries link, found alike by this tree and by penstock-config.cmake. A macro, because what find_package
# defines has to reach the caller.
macro(penstock_find_dependencies)
  find_package(Threads REQUIRED)
  # Newer Protobuf brings a CMake package of its own, older ones CMake's find module.
  find_package(Protobuf CONFIG QUIET)
  if(NOT Protobuf_FOUND)
    find_package(Protobuf REQUIRED)
  endif()
  find_package(absl CONFIG REQUIRED)
  find_package(gRPC CONFIG REQUIRED)
  find_package(spdlog CONFIG REQUIRED)
  find_package(nlohmann_json CONFIG REQUIRED)
  find_package(OpenSSL REQUIRED)
  find_package(yaml-cpp REQUIRED)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
  pkg_check_modules(PUGIXML REQUIRED IMPORTED_TARGET pugixml)
  pkg_check_modules(RDKAFKA REQUIRED IMPORTED_TARGET rdkafka)
  pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
  pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
  # Its CMake package asks for the development files of all it was built with; the shared library needs none of them.
  pkg_check_modules(ROCKSDB REQUIRED IMPORTED_TARGET rocksdb)
endmacro()
