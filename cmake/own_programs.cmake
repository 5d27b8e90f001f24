# How this project compiles its own programs. None of it reaches a project that uses the library.
set(CMAKE_CXX_EXTENSIONS OFF)
add_library(softscore_own INTERFACE)
target_link_libraries(softscore_own INTERFACE softscore::softscore)
target_compile_options(softscore_own INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # What GCC guesses from optimized code depends on the machine it optimizes for, and hits Eigen and std::string
  # falsely; the sanitizers look for the same mistakes and do not guess.
  target_compile_options(
    softscore_own INTERFACE -Wno-array-bounds -Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow
                            -Wno-stringop-overread)
endif()
if(SOFTSCORE_WERROR)
  target_compile_options(softscore_own INTERFACE -Werror)
endif()
if(SOFTSCORE_NATIVE)
  target_compile_options(softscore_own INTERFACE -march=native)
endif()
if(SOFTSCORE_SANITIZE)
  target_compile_options(softscore_own INTERFACE -fsanitize=${SOFTSCORE_SANITIZE} -fno-sanitize-recover=all
                                                 -fno-omit-frame-pointer)
  target_link_options(softscore_own INTERFACE -fsanitize=${SOFTSCORE_SANITIZE})
endif()
