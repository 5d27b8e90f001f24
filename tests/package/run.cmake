# Runs one case of CMakeLists.txt beside this file.
# must_pass(<command...>): what it prints is left in `output`.
function(must_pass)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE failed OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(failed)
    string(REPLACE ";" " " command "${ARGN}")
    message(FATAL_ERROR "${command}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

# must_be_refused(<arguments of find_package> <part of the message> <options...>), the package being installed.
function(must_be_refused request message)
  must_pass("${CMAKE_COMMAND}" --install "${build}" --prefix "${work}/prefix")
  file(WRITE "${work}/CMakeLists.txt" "cmake_minimum_required(VERSION 3.25)\nproject(wrong LANGUAGES CXX)\n"
                                      "find_package(softscore ${request})\n")
  execute_process(COMMAND ${configure} -S "${work}" -B "${work}/build" "-DCMAKE_PREFIX_PATH=${work}/prefix" ${ARGN}
                  RESULT_VARIABLE refused OUTPUT_VARIABLE output ERROR_VARIABLE output)
  string(REGEX REPLACE "[ \n]+" " " output "${output}")
  string(FIND "${output}" "${message}" at)
  if(NOT refused OR at EQUAL -1)
    message(FATAL_ERROR "find_package(softscore ${request}) must be refused with \"${message}\":\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE "${work}")
set(configure "${CMAKE_COMMAND}" -G "${generator}" "-DCMAKE_CXX_COMPILER=${compiler}" -DCMAKE_BUILD_TYPE=Release)

if(case STREQUAL "installed")
  must_pass("${CMAKE_COMMAND}" --install "${build}" --prefix "${work}/prefix")
  must_pass(${configure} -S "${source}/examples/embed" -B "${work}/build" "-DCMAKE_PREFIX_PATH=${work}/prefix")
  must_pass("${CMAKE_COMMAND}" --build "${work}/build" --verbose)
  # Headers of the source tree must not stand in for installed ones.
  string(FIND "${output}" "${source}/include" leak)
  if(NOT leak EQUAL -1)
    message(FATAL_ERROR "the installed package points into the source tree:\n${output}")
  endif()
  must_pass("${CMAKE_COMMAND}" -E chdir "${work}/build" ./embed 64)

elseif(case STREQUAL "wrong_version")
  must_be_refused("7.3 REQUIRED" "compatible with requested")

elseif(case STREQUAL "unknown_component")
  must_be_refused("REQUIRED COMPONENTS vulkan" "softscore has no component \"vulkan\"; it has: compiled, cuda.")

elseif(case STREQUAL "without_toolkit")
  must_be_refused("REQUIRED COMPONENTS cuda"
                  "The component cuda of softscore needs a CUDA toolkit of version 12 or later with cuBLAS, and none was found."
                  -DCMAKE_DISABLE_FIND_PACKAGE_CUDAToolkit=ON)
  # What is only asked for may be missing.
  file(WRITE "${work}/CMakeLists.txt" "cmake_minimum_required(VERSION 3.25)\nproject(guest LANGUAGES CXX)\n"
                                      "find_package(softscore REQUIRED OPTIONAL_COMPONENTS cuda)\n"
                                      "if(TARGET softscore::cuda OR softscore_cuda_FOUND)\n"
                                      "  message(FATAL_ERROR \"there is no toolkit\")\nendif()\n")
  must_pass(${configure} -S "${work}" -B "${work}/optional" "-DCMAKE_PREFIX_PATH=${work}/prefix"
            -DCMAKE_DISABLE_FIND_PACKAGE_CUDAToolkit=ON)

elseif(case STREQUAL "with_toolkit")
  must_pass("${CMAKE_COMMAND}" --install "${build}" --prefix "${work}/prefix")
  must_pass(${configure} -S "${CMAKE_CURRENT_LIST_DIR}/with_toolkit" -B "${work}/build"
            "-DCMAKE_PREFIX_PATH=${work}/prefix" "-DCMAKE_CUDA_COMPILER=${CMAKE_CUDA_COMPILER}"
            -DCMAKE_CUDA_ARCHITECTURES=90)
  must_pass("${CMAKE_COMMAND}" --build "${work}/build")
  must_pass("${CMAKE_COMMAND}" -E chdir "${work}/build" ./guest)

elseif(case STREQUAL "with_compiled")
  must_pass("${CMAKE_COMMAND}" --install "${build}" --prefix "${work}/prefix")
  must_pass(${configure} -S "${CMAKE_CURRENT_LIST_DIR}/with_compiled" -B "${work}/build"
            "-DCMAKE_PREFIX_PATH=${work}/prefix")
  must_pass("${CMAKE_COMMAND}" --build "${work}/build")
  must_pass("${CMAKE_COMMAND}" -E chdir "${work}/build" ./guest)

elseif(case STREQUAL "without_compiled")
  must_pass(${configure} -S "${source}" -B "${work}/headers" -DSOFTSCORE_BUILD_COMPILED=OFF -DSOFTSCORE_BUILD_TESTS=OFF
            -DSOFTSCORE_BUILD_EXAMPLES=OFF)
  set(build "${work}/headers")
  must_be_refused("REQUIRED COMPONENTS compiled" "The component compiled of softscore was not built")

elseif(case STREQUAL "subdirectory")
  must_pass(${configure} -S "${CMAKE_CURRENT_LIST_DIR}/subdirectory" -B "${work}" "-DSOFTSCORE_SOURCE=${source}")
  must_pass("${CMAKE_COMMAND}" --build "${work}")
  must_pass("${CMAKE_COMMAND}" -E chdir "${work}" ./guest)

else()
  message(FATAL_ERROR "there is no case \"${case}\"")
endif()
