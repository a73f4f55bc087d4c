# Compiler, linker and sanitizer settings of the whole tree.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

option(PENSTOCK_WERROR "Treat warnings in our own code as errors" ON)
set(PENSTOCK_SANITIZE "" CACHE STRING "Sanitizers for -fsanitize=, such as address,undefined or thread")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()

# -g1 and frame pointers in every build: crash reports and flame graphs need function names and lines.
add_compile_options(-g1 -fno-omit-frame-pointer -ffile-prefix-map=${PROJECT_SOURCE_DIR}=.)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  string(REPLACE "-O3" "-O2" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")
endif()
option(PENSTOCK_FUZZ "Builds tests/fuzz with libFuzzer (clang)" OFF)
if(PENSTOCK_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link -O1)
endif()
if(PENSTOCK_SANITIZE)
  # Not optimized: that would double what these builds take, which is most of a cold run of all tests.
  add_compile_options(-fsanitize=${PENSTOCK_SANITIZE})
  add_link_options(-fsanitize=${PENSTOCK_SANITIZE})
endif()

# Warnings apply to our own targets only (generated code is exempt).
add_library(penstock_warnings INTERFACE)
target_compile_options(penstock_warnings INTERFACE -Wall -Wextra -Wno-missing-field-initializers)
if(PENSTOCK_WERROR)
  target_compile_options(penstock_warnings INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(penstock_warnings INTERFACE -Wthread-safety)
endif()
