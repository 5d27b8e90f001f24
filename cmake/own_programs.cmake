# How this project compiles its own programs. None of it reaches a project that uses the library.
set(CMAKE_CXX_EXTENSIONS OFF)
add_library(softscore_own INTERFACE)
target_link_libraries(softscore_own INTERFACE softscore::softscore)
target_compile_options(softscore_own INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC's bug 105329: it fires inside std::string's operator+.
  target_compile_options(softscore_own INTERFACE -Wno-restrict)
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
  # GCC's manual: sanitizers make this warning fire falsely.
  target_compile_options(softscore_own INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
endif()
