# The CUDA backend's own programs, for who asks for them: nvcc takes minutes. The target softscore::cuda is there wherever
# a toolkit is.
option(SOFTSCORE_BUILD_CUDA "Build the tests of the CUDA backend" OFF)

include("${CMAKE_CURRENT_LIST_DIR}/softscore-cuda.cmake")
if(SOFTSCORE_BUILD_CUDA)
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80 90)
  endif()
  enable_language(CUDA)
  set(CMAKE_CUDA_EXTENSIONS OFF)
  add_library(softscore_own_cuda INTERFACE)
  target_link_libraries(softscore_own_cuda INTERFACE softscore::cuda)
  target_compile_options(softscore_own_cuda INTERFACE
    "$<$<COMPILE_LANG_AND_ID:CUDA,NVIDIA>:-Xcompiler=-Wall,-Wextra,-Wshadow>")
  # What GCC guesses falsely, as for the other programs (own_programs.cmake).
  target_compile_options(softscore_own_cuda INTERFACE
    "$<$<COMPILE_LANG_AND_ID:CUDA,NVIDIA>:-Xcompiler=-Wno-array-bounds,-Wno-maybe-uninitialized,-Wno-restrict,-Wno-stringop-overflow,-Wno-stringop-overread>")
  if(SOFTSCORE_WERROR)
    target_compile_options(softscore_own_cuda INTERFACE
      "$<$<COMPILE_LANG_AND_ID:CUDA,NVIDIA>:-Werror=all-warnings;-Xcompiler=-Werror>")
  endif()
endif()
