# Runs one case of CMakeLists.txt beside this file.
cmake_minimum_required(VERSION 3.25)
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
  file(REMOVE_RECURSE "${work}/build")
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
  must_be_refused("REQUIRED COMPONENTS vulkan" "softscore has no component \"vulkan\"; it has: core (softscore/sampling.hpp), tbb (softscore/backend/tbb.hpp), io (softscore/sampler/sample.hpp), analysis (softscore/metric/frechet.hpp), train (softscore/train/train.hpp), compiled (softscore/compiled.hpp), cuda (softscore/backend/cuda.hpp), nccl (softscore/backend/cuda/data_parallel.cuh), softscore (softscore/softscore.hpp).")
  must_be_refused("REQUIRED COMPONENTS core analysys" "softscore has no component \"analysys\"; it has: core")

elseif(case STREQUAL "without_toolkit")
  must_be_refused("REQUIRED COMPONENTS cuda"
                  "The component cuda of softscore needs a CUDA toolkit of version 12 or later with cuBLAS for softscore/backend/cuda/device.cuh, and it was not found."
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

elseif(case STREQUAL "core_alone")
  set(without)
  foreach(package IN ITEMS TBB xtl xtensor ZLIB PNG Eigen3)
    list(APPEND without -DCMAKE_DISABLE_FIND_PACKAGE_${package}=ON)
  endforeach()
  must_pass(${configure} -S "${source}" -B "${work}/headers" -DSOFTSCORE_COMPONENTS=core ${without})
  set(build "${work}/headers")
  must_be_refused("REQUIRED COMPONENTS tbb"
                  "The component tbb of softscore was not installed, because SOFTSCORE_COMPONENTS did not name it.")
  must_pass(${configure} -S "${CMAKE_CURRENT_LIST_DIR}/core_alone" -B "${work}/guest" -DCMAKE_BUILD_TYPE=Debug
            "-DCMAKE_PREFIX_PATH=${work}/prefix" ${without})
  must_pass("${CMAKE_COMMAND}" --build "${work}/guest")
  must_pass("${CMAKE_COMMAND}" -E chdir "${work}/guest" ./guest)

elseif(case STREQUAL "components")
  must_pass("${CMAKE_COMMAND}" --install "${build}" --prefix "${work}/prefix")
  must_pass(${configure} -S "${CMAKE_CURRENT_LIST_DIR}/components" -B "${work}/build" -DCMAKE_BUILD_TYPE=Debug
            "-DCMAKE_PREFIX_PATH=${work}/prefix")
  must_pass("${CMAKE_COMMAND}" --build "${work}/build")
  must_pass("${CMAKE_CTEST_COMMAND}" --test-dir "${work}/build" --output-on-failure --no-tests=error)

elseif(case STREQUAL "missing_dependency")
  must_be_refused("REQUIRED COMPONENTS io" "The component io of softscore needs zlib for softscore/io/gzip.hpp, and it was not found."
                  -DCMAKE_DISABLE_FIND_PACKAGE_ZLIB=ON)
  must_be_refused("REQUIRED COMPONENTS train"
                  "The component train of softscore needs libpng for softscore/io/png.hpp of the component io, and it was not found."
                  -DCMAKE_DISABLE_FIND_PACKAGE_PNG=ON)
  must_be_refused("REQUIRED" "softscore needs Eigen for softscore/core/eigen.hpp of the component analysis, and it was not found."
                  -DCMAKE_DISABLE_FIND_PACKAGE_Eigen3=ON)

elseif(case STREQUAL "pkg_config")
  must_pass("${CMAKE_COMMAND}" --install "${build}" --prefix "${work}/prefix")
  set(ENV{PKG_CONFIG_PATH} "${work}/prefix/share/pkgconfig")
  # Plain calls of the compiler, as a Makefile has them.
  function(compile module program)
    must_pass("${pkg_config}" --print-errors --cflags --libs ${module})
    separate_arguments(flags UNIX_COMMAND "${output}")
    set(command "${compiler}" -std=c++20 "${CMAKE_CURRENT_LIST_DIR}/${program}" -o "${work}/program" ${flags} PARENT_SCOPE)
    set(flags "${flags}" PARENT_SCOPE)
  endfunction()
  compile(softscore-core core_alone/main.cpp)
  must_pass(${command})
  must_pass("${work}/program")
  compile(softscore-analysis components/one/analysis.cpp)
  must_pass(${command})
  must_pass("${work}/program")
  # Without what it needs, the compiler says which component that is in.
  compile(softscore-core components/one/analysis.cpp)
  execute_process(COMMAND ${command} -Wfatal-errors RESULT_VARIABLE refused OUTPUT_VARIABLE output ERROR_VARIABLE output)
  string(FIND "${output}" "softscore/core/eigen.hpp needs Eigen: link softscore::analysis" at)
  if(NOT refused OR at EQUAL -1)
    message(FATAL_ERROR "the compiler must refuse softscore::core without Eigen in one sentence:\n${output}")
  endif()
  compile(softscore components/one/analysis.cpp)
  foreach(flag IN ITEMS -ltbb -lpng16 -lz -pthread)
    if(NOT flag IN_LIST flags)
      message(FATAL_ERROR "the flags of softscore.pc have no ${flag}: ${flags}")
    endif()
  endforeach()

elseif(case STREQUAL "single_header")
  file(MAKE_DIRECTORY "${work}")
  foreach(component IN ITEMS core softscore)
    set(file softscore_${component}.hpp)
    string(REPLACE softscore_softscore softscore file "${file}")
    must_pass("${python}" "${source}/tools/single_header.py" ${component} -o "${work}/${file}")
  endforeach()
  set(command "${compiler}" -std=c++20 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Werror "-I${work}")
  foreach(folder IN LISTS includes)
    list(APPEND command "-isystem${folder}")
  endforeach()
  must_pass(${command} "${CMAKE_CURRENT_LIST_DIR}/single_header/main.cpp"
            "-I${source}/include" "${CMAKE_CURRENT_LIST_DIR}/single_header/folder.cpp" -o "${work}/program" ${libraries})
  must_pass("${work}/program")

  # refuse(<name> <lines>): they must be refused with our sentence.
  function(refuse name text)
    file(WRITE "${work}/${name}.cpp" "${text}")
    execute_process(COMMAND ${command} -Wfatal-errors -fsyntax-only "-I${source}/include" "${work}/${name}.cpp"
                    RESULT_VARIABLE refused OUTPUT_VARIABLE output ERROR_VARIABLE output)
    string(FIND "${output}" "a file that includes a single header of softscore includes no" at)
    if(NOT refused OR at EQUAL -1)
      message(FATAL_ERROR "${text} must be refused in one sentence:\n${output}")
    endif()
  endfunction()
  refuse(folder_first "#include <softscore/core/shape.hpp>\n#include <softscore_core.hpp>\n")
  refuse(folder_behind "#include <softscore_core.hpp>\n#include <softscore/core/shape.hpp>\n")
  refuse(other_version "#define SOFTSCORE_SINGLE_HEADER 0x1\n#include <softscore_core.hpp>\n")

elseif(case STREQUAL "subdirectory")
  must_pass(${configure} -S "${CMAKE_CURRENT_LIST_DIR}/subdirectory" -B "${work}" "-DSOFTSCORE_SOURCE=${source}")
  must_pass("${CMAKE_COMMAND}" --build "${work}")
  must_pass("${CMAKE_COMMAND}" -E chdir "${work}" ./guest)

else()
  message(FATAL_ERROR "there is no case \"${case}\"")
endif()
