# Runs one case of CMakeLists.txt beside this file.
function(must_pass)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(failed)
    string(REPLACE ";" " " command "${ARGN}")
    message(FATAL_ERROR "${command}\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE "${work}")
set(configure "${CMAKE_COMMAND}" -G "${generator}" "-DCMAKE_CXX_COMPILER=${compiler}" -DCMAKE_BUILD_TYPE=Release)

if(case STREQUAL "installed")
  must_pass("${CMAKE_COMMAND}" --install "${build}" --prefix "${work}/prefix")
  must_pass(${configure} -S "${source}/examples/embed" -B "${work}/build" "-DCMAKE_PREFIX_PATH=${work}/prefix")
  must_pass("${CMAKE_COMMAND}" --build "${work}/build")
  # Headers of the source tree must not stand in for installed ones.
  execute_process(COMMAND "${CMAKE_COMMAND}" --build "${work}/build" --target clean)
  execute_process(COMMAND "${CMAKE_COMMAND}" --build "${work}/build" --verbose OUTPUT_VARIABLE output)
  string(FIND "${output}" "${source}/include" leak)
  if(NOT leak EQUAL -1)
    message(FATAL_ERROR "the installed package points into the source tree:\n${output}")
  endif()
  must_pass("${CMAKE_COMMAND}" -E chdir "${work}/build" ./embed 64)

elseif(case STREQUAL "wrong_version")
  must_pass("${CMAKE_COMMAND}" --install "${build}" --prefix "${work}/prefix")
  file(WRITE "${work}/CMakeLists.txt" "cmake_minimum_required(VERSION 3.25)\nproject(wrong LANGUAGES CXX)\n"
                                      "find_package(softscore 7.3 REQUIRED)\n")
  execute_process(COMMAND ${configure} -S "${work}" -B "${work}/build" "-DCMAKE_PREFIX_PATH=${work}/prefix"
                  RESULT_VARIABLE refused OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT refused OR NOT output MATCHES "compatible with requested")
    message(FATAL_ERROR "version 7.3 must be refused:\n${output}")
  endif()

elseif(case STREQUAL "subdirectory")
  must_pass(${configure} -S "${CMAKE_CURRENT_LIST_DIR}/subdirectory" -B "${work}" "-DSOFTSCORE_SOURCE=${source}")
  must_pass("${CMAKE_COMMAND}" --build "${work}")
  must_pass("${CMAKE_COMMAND}" -E chdir "${work}" ./guest)

else()
  message(FATAL_ERROR "there is no case \"${case}\"")
endif()
