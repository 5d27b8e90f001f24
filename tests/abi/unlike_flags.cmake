# A backend handed from one file to another links where both are compiled for the same instruction set, and only there.
cmake_minimum_required(VERSION 3.25)
foreach(file IN ITEMS gives takes)
  foreach(level IN ITEMS x86-64 x86-64-v3)
    execute_process(COMMAND "${compiler}" -std=c++20 -O0 -march=${level} "-I${includes}" -c "${source}/${file}.cpp" -o
                            "${folder}/${file}-${level}.o" COMMAND_ERROR_IS_FATAL ANY)
  endforeach()
endforeach()
foreach(giver IN ITEMS x86-64 x86-64-v3)
  foreach(taker IN ITEMS x86-64 x86-64-v3)
    execute_process(COMMAND "${CMAKE_COMMAND}" -E env LC_ALL=C "${compiler}" "${folder}/gives-${giver}.o"
                            "${folder}/takes-${taker}.o" "${tbb}" -o "${folder}/handed_over"
                    RESULT_VARIABLE refused OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(giver STREQUAL taker)
      if(refused)
        message(FATAL_ERROR "two files for ${giver} must link:\n${output}")
      endif()
    elseif(NOT refused OR NOT output MATCHES "undefined reference to .threads_of")
      message(FATAL_ERROR "files for ${giver} and ${taker} must not link, as their backends are unlike:\n${output}")
    endif()
  endforeach()
endforeach()
