# The functions that tests/CMakeLists.txt is written in.
find_package(Catch2 3 CONFIG QUIET)
if(NOT Catch2_FOUND)
  find_package(Catch2 2 CONFIG QUIET)
endif()
if(NOT Catch2_FOUND)
  softscore_need(Catch2 https://github.com/catchorg/Catch2.git v3.7.1 3 CONFIG)
  list(APPEND CMAKE_MODULE_PATH "${catch2_SOURCE_DIR}/extras")
endif()
include(Catch)

add_library(test_support OBJECT support/main.cpp)
# Catch2 itself is not what is tested: version 2 takes most of a minute to compile at full strength.
set_source_files_properties(support/main.cpp PROPERTIES COMPILE_OPTIONS "-O1;-fno-sanitize=all")
target_include_directories(test_support PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}/support")
target_link_libraries(test_support PUBLIC Catch2::Catch2 softscore_own)
if(TARGET softscore_compiled)
  target_link_libraries(test_support PUBLIC softscore::compiled)
  target_compile_definitions(test_support PUBLIC SOFTSCORE_TESTS_COMPILED)  # threaded_backend.hpp
endif()

# What many tests instantiate, compiled once and as strongly as a user's program: the libraries shared_operations
# (networks on every backend) and shared_matrices (Eigen's decompositions).
add_library(shared_operations STATIC support/shared/device.cpp support/shared/loops.cpp support/shared/tbb_float.cpp)
add_library(shared_matrices STATIC support/shared/matrices.cpp)
foreach(part IN ITEMS operations matrices)
  target_link_libraries(shared_${part} PUBLIC softscore_own)
  target_compile_options(shared_${part} PRIVATE $<$<CONFIG:Release>:-O2>)
endforeach()
target_link_libraries(test_support PUBLIC shared_operations shared_matrices)
set(shared_options_operations "")
set(shared_options_matrices "")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(shared_options_matrices -Wno-uninitialized) # GCC's own header of vector instructions sets it off
  target_compile_options(shared_matrices PRIVATE ${shared_options_matrices})
endif()

# take_shared(<operations or matrices> <sources...>): the sources take these from the library and do not compile them.
# The programs of add_tests and add_program_test link it.
function(take_shared part)
  set_property(SOURCE ${ARGN} APPEND PROPERTY COMPILE_OPTIONS ${shared_options_${part}} -include
                                              "${PROJECT_SOURCE_DIR}/tests/support/shared/${part}.hpp")
endfunction()

# add_tests(<label> <room> [FULL_STRENGTH] <sources...>): the Catch2 program <label>_<room>, each of its cases a test with
# that label. No sources, no program. Proofs compute little and instantiate much: unless FULL_STRENGTH says that they
# compute for long, they are compiled at -O1, in half the time.
function(add_tests label room)
  cmake_parse_arguments(PARSE_ARGV 2 these "FULL_STRENGTH" "" "")
  set(sources ${these_UNPARSED_ARGUMENTS})
  if(NOT sources)
    return()
  endif()
  set(program ${label}_${room})
  add_executable(${program} ${sources} $<TARGET_OBJECTS:test_support>)
  target_link_libraries(${program} PRIVATE test_support)
  if(NOT these_FULL_STRENGTH)
    list(FILTER sources INCLUDE REGEX "\\.cpp$")
    set_source_files_properties(${sources} PROPERTIES COMPILE_OPTIONS "-O1")
  endif()
  catch_discover_tests(${program} TEST_PREFIX "${label}.${room}: " PROPERTIES LABELS ${label} TIMEOUT 600)
endfunction()

# add_static_tests(<room> <sources...>): files of static_assert; to compile is to pass.
function(add_static_tests room)
  if(ARGN)
    add_library(static_${room} OBJECT ${ARGN})
    target_link_libraries(static_${room} PRIVATE softscore_own)
  endif()
endfunction()

# add_program_test(<label> <program> <source> <arguments...>): a program of its own that passes by returning 0.
function(add_program_test label program source)
  add_executable(${program} ${source})
  set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "-O1")
  target_link_libraries(${program} PRIVATE softscore_own shared_operations shared_matrices)
  target_include_directories(${program} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/support")
  add_test(NAME "${label}: ${program}" COMMAND ${program} ${ARGN})
  set_tests_properties("${label}: ${program}" PROPERTIES LABELS ${label} TIMEOUT 600)
endfunction()

# add_compile_fail_test(<name> <file> <regular expression> <options...>): the file must be refused by the compiler with a
# message that matches, and must compile with -DSOFTSCORE_TWIN, which selects a version that differs in one line.
function(add_compile_fail_test name file message)
  add_test(
    NAME "compile_fail: ${name}"
    COMMAND
      ${CMAKE_COMMAND} -E env LC_ALL=C ${CMAKE_COMMAND} -D "compiler=${CMAKE_CXX_COMPILER}"
      -D "file=${CMAKE_CURRENT_SOURCE_DIR}/${file}" -D "message=${message}" -D
      "includes=${PROJECT_SOURCE_DIR}/include" -D "options=${ARGN}" -D
      "system_includes=$<JOIN:$<TARGET_PROPERTY:Eigen3::Eigen,INTERFACE_INCLUDE_DIRECTORIES>,|>" -P
      "${PROJECT_SOURCE_DIR}/cmake/compile_fail.cmake")
  set_tests_properties("compile_fail: ${name}" PROPERTIES LABELS compile_fail TIMEOUT 300)
endfunction()

# add_width_tests(<room> <source>): the program compiled for processors with registers of 4, 8 and 16 floats, and run
# where the machine has them. The registers that the project itself is compiled for are left out: the room's own program
# tests them.
function(add_width_tests room source)
  # The sanitizers take minutes to compile these kernels, and see them once without this.
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" OR SOFTSCORE_SANITIZE)
    return()
  endif()
  include(CheckCXXSourceCompiles)
  include(CheckCXXSourceRuns)
  get_target_property(CMAKE_REQUIRED_FLAGS softscore_own INTERFACE_COMPILE_OPTIONS)
  list(FILTER CMAKE_REQUIRED_FLAGS INCLUDE REGEX "^-march=")
  check_cxx_source_compiles("#ifndef __AVX512F__\n#error\n#endif\nint main() {}" SOFTSCORE_OWN_AVX512)
  check_cxx_source_compiles("#ifndef __AVX__\n#error\n#endif\nint main() {}" SOFTSCORE_OWN_AVX)
  unset(CMAKE_REQUIRED_FLAGS)
  if(SOFTSCORE_OWN_AVX512)
    set(levels x86-64 x86-64-v3)
  elseif(SOFTSCORE_OWN_AVX)
    set(levels x86-64 x86-64-v4)
  else()
    set(levels x86-64-v3 x86-64-v4)
  endif()
  foreach(level IN LISTS levels)
    string(REPLACE "x86-64" "sse2" feature "${level}")
    string(REPLACE "sse2-v3" "avx2" feature "${feature}")
    string(REPLACE "sse2-v4" "avx512vl" feature "${feature}")
    check_cxx_source_runs("int main() { return __builtin_cpu_supports(\"${feature}\") ? 0 : 1; }" SOFTSCORE_HAS_${feature})
    # A file of its own, because only a file's options come after those of the project.
    set(copy "${CMAKE_CURRENT_BINARY_DIR}/${room}_${level}.cpp")
    file(CONFIGURE OUTPUT "${copy}" CONTENT "#include \"${CMAKE_CURRENT_SOURCE_DIR}/${source}\"\n")
    set_source_files_properties("${copy}" PROPERTIES COMPILE_OPTIONS "-march=${level};-O1")
    set(program ${room}_${level})
    add_executable(${program} "${copy}" $<TARGET_OBJECTS:test_support>)
    target_link_libraries(${program} PRIVATE test_support)
    if(SOFTSCORE_HAS_${feature})
      add_test(NAME "${room}: registers of ${level}" COMMAND ${program})
      set_tests_properties("${room}: registers of ${level}" PROPERTIES LABELS backend TIMEOUT 600)
    endif()
  endforeach()
endfunction()
