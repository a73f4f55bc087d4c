# How targets are made. Each runtime folder is one target which links only what the include table of
# docs/ARCHITECTURE.md allows; tests/tidy checks the includes against the same table.

# penstock_library(NAME SOURCES a.cc ... [DEPS target ...]): the static library penstock_NAME.
function(penstock_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  if(ARG_SOURCES)
    add_library(penstock_${name} STATIC ${ARG_SOURCES})
    set(scope PUBLIC)
    target_link_libraries(penstock_${name} PRIVATE $<BUILD_INTERFACE:penstock_warnings>)
  else()
    add_library(penstock_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(penstock::${name} ALIAS penstock_${name})
  set_target_properties(penstock_${name} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(penstock_${name} ${scope}
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/penstock-engine>)
  target_compile_features(penstock_${name} ${scope} cxx_std_20)  # for who links an installed one
  if(ARG_DEPS)
    target_link_libraries(penstock_${name} ${scope} ${ARG_DEPS})
  endif()
  set_property(GLOBAL APPEND PROPERTY PENSTOCK_INSTALL_TARGETS penstock_${name})
endfunction()

# What a test needs in its environment under sanitizers.
function(penstock_sanitizer_environment test)
  if(PENSTOCK_SANITIZE)
    # Crashes are for our own crash handler, which has tests.
    set(no_signals handle_segv=0:handle_sigbus=0:handle_abort=0:handle_sigill=0:handle_sigfpe=0)
    set(environment
      "ASAN_OPTIONS=${no_signals}"
      "UBSAN_OPTIONS=${no_signals}:halt_on_error=1:print_stacktrace=1"
      # gRPC, Abseil and librdkafka were built without TSan: it does not see by which locks they hand memory over.
      "TSAN_OPTIONS=${no_signals}:ignore_noninstrumented_modules=1:second_deadlock_stack=1")
    set_property(TEST ${test} APPEND PROPERTY ENVIRONMENT ${environment})
  endif()
endfunction()

# penstock_test(NAME SOURCES a_test.cc ... DEPS target ... [LABELS label ...]): a Catch2 test program in ctest.
# The label "quick" marks what needs no broker; "broker" what starts a real Kafka or S3 server; "sanitized", besides
# "quick", what the always lane runs under AddressSanitizer too, "threads" what under ThreadSanitizer; "no_tsan" what
# ThreadSanitizer cannot (tests/sanitizers/README.md says why).
function(penstock_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  if(NOT PENSTOCK_BUILD_TESTS)
    return()
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} penstock_test_main penstock_warnings)
  add_test(NAME ${name} COMMAND ${name} --durations no)
  if(NOT ARG_LABELS)
    set(ARG_LABELS quick)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if((PENSTOCK_SANITIZE STREQUAL "thread" AND "threads" IN_LIST ARG_LABELS) OR
     (NOT PENSTOCK_SANITIZE STREQUAL "thread" AND "sanitized" IN_LIST ARG_LABELS))
    set_property(GLOBAL APPEND PROPERTY PENSTOCK_SANITIZED_TESTS ${name})
  endif()
  if(PENSTOCK_SANITIZE)
    math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * 5")
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT})
  penstock_sanitizer_environment(${name})
endfunction()

# penstock_proto(NAME file.proto ... [GRPC]): the static library penstock_NAME with generated code.
function(penstock_proto name)
  cmake_parse_arguments(ARG "GRPC" "" "SOURCES" ${ARGN})
  set(outputs "")
  set(out_dir ${CMAKE_BINARY_DIR}/generated)
  file(MAKE_DIRECTORY ${out_dir})
  foreach(source ${ARG_SOURCES})
    get_filename_component(stem ${source} NAME_WE)
    set(args --proto_path=${PROJECT_SOURCE_DIR} --cpp_out=${out_dir})
    set(generated ${out_dir}/proto/${stem}.pb.cc ${out_dir}/proto/${stem}.pb.h)
    if(ARG_GRPC)
      list(APPEND args --grpc_out=${out_dir} --plugin=protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_cpp_plugin>)
      list(APPEND generated ${out_dir}/proto/${stem}.grpc.pb.cc ${out_dir}/proto/${stem}.grpc.pb.h)
    endif()
    add_custom_command(OUTPUT ${generated}
      COMMAND protobuf::protoc ${args} ${CMAKE_CURRENT_SOURCE_DIR}/${source}
      DEPENDS ${source} VERBATIM)
    list(APPEND outputs ${generated})
  endforeach()
  add_library(penstock_${name} STATIC ${outputs})
  add_library(penstock::${name} ALIAS penstock_${name})
  set_target_properties(penstock_${name} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(penstock_${name} SYSTEM PUBLIC
    $<BUILD_INTERFACE:${out_dir}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/penstock-engine>)
  target_link_libraries(penstock_${name} PUBLIC protobuf::libprotobuf)
  if(ARG_GRPC)
    target_link_libraries(penstock_${name} PUBLIC gRPC::grpc++)
  endif()
  set_property(GLOBAL APPEND PROPERTY PENSTOCK_INSTALL_TARGETS penstock_${name})
endfunction()
