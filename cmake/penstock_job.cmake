# add_penstock_job(NAME source.cc ...): a job program with the engine and the connectors in it. The one definition for
# this tree and for what finds an installed penstock.
function(add_penstock_job name)
  add_executable(${name} ${ARGN})
  # The throw trace is an object, so that its __cxa_throw stands before the library's.
  target_link_libraries(${name} PRIVATE penstock::throw_trace penstock::allocator penstock::job penstock::connectors)
  target_compile_features(${name} PRIVATE cxx_std_20)
  target_compile_options(${name} PRIVATE -g1 -fno-omit-frame-pointer)
  # Stack traces name functions of the program itself, too.
  set_target_properties(${name} PROPERTIES ENABLE_EXPORTS ON)
endfunction()
