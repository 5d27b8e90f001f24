# Compiles main_parts.cpp with clang's own standard library and runs it, where that is installed; and the two modules with
# hidden visibility, because libc++ tells types apart by their addresses, unlike libstdc++.
cmake_minimum_required(VERSION 3.25)
set(installed)
foreach(name IN ITEMS "${compiler}" clang++ clang++-19 clang++-14)
  file(WRITE "${folder}/libcxx_at_hand.cpp" "#include <version>\n#ifndef _LIBCPP_VERSION\n#error\n#endif\nint main() {}\n")
  execute_process(COMMAND "${name}" -std=c++20 -stdlib=libc++ "${folder}/libcxx_at_hand.cpp" -o "${folder}/libcxx_at_hand"
                  RESULT_VARIABLE missing OUTPUT_QUIET ERROR_QUIET)
  if(NOT missing)
    set(installed "${name}")
    break()
  endif()
endforeach()
if(NOT installed)
  message(NOTICE "skipped: no compiler here has libc++")
  return()
endif()

string(REPLACE "|" ";" system_includes "${system_includes}")
list(TRANSFORM system_includes PREPEND "-isystem")
set(compile "${installed}" -std=c++20 -stdlib=libc++ -O0 "-I${includes}" ${system_includes})
execute_process(COMMAND ${compile} "${tests}/build_modes/main_parts.cpp" -o "${folder}/main_parts_libcxx" -lpng -lz -pthread
                COMMAND_ERROR_IS_FATAL ANY)
file(MAKE_DIRECTORY "${folder}/libcxx_files")
execute_process(COMMAND "${folder}/main_parts_libcxx" "${folder}/libcxx_files" COMMAND_ERROR_IS_FATAL ANY)

list(APPEND compile -fvisibility=hidden)
execute_process(COMMAND ${compile} -fPIC -shared "${tests}/build_modes/hidden_library.cpp" -o
                        "${folder}/libhidden_library_libcxx.so" "${tbb}" COMMAND_ERROR_IS_FATAL ANY)
execute_process(
  COMMAND ${compile} "${tests}/build_modes/hidden_program.cpp" -o "${folder}/hidden_program_libcxx" "-L${folder}"
          -lhidden_library_libcxx "-Wl,-rpath,${folder}" "${tbb}" -pthread COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${folder}/hidden_program_libcxx" COMMAND_ERROR_IS_FATAL ANY)
