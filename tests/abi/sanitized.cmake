# A large array that a file with the address sanitizer makes and one without it destroys, and the other way around.
cmake_minimum_required(VERSION 3.25)
foreach(sanitized IN ITEMS 1 2)
  set(objects)
  foreach(part IN ITEMS 1 2)
    set(object "${folder}/sanitized-${sanitized}-${part}.o")
    # The first file has a compiled copy of each function, which the linker takes; the second has some in its own code.
    set(flags -O0)
    if(part EQUAL 2)
      set(flags -O2)
    endif()
    if(part EQUAL sanitized)
      list(APPEND flags -fsanitize=address)
    endif()
    execute_process(COMMAND "${compiler}" -std=c++20 ${flags} -DPART=${part} "-I${includes}" -c
                            "${source}/sanitized.cpp" -o "${object}" COMMAND_ERROR_IS_FATAL ANY)
    list(APPEND objects "${object}")
  endforeach()
  execute_process(COMMAND "${compiler}" -fsanitize=address ${objects} -pthread -o "${folder}/sanitized"
                  COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND "${folder}/sanitized" COMMAND_ERROR_IS_FATAL ANY)
endforeach()
