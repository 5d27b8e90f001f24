# The CUDA backend's own programs, for who asks for them: nvcc takes minutes. The target softscore::cuda is there wherever
# a toolkit is.
option(SOFTSCORE_BUILD_CUDA "Build the tests of the CUDA backend" OFF)
option(SOFTSCORE_CUDA_CHECK "Compile them in a hurry, for where there is no device to run them on" OFF)

include("${CMAKE_CURRENT_LIST_DIR}/softscore-cuda.cmake")
if(SOFTSCORE_BUILD_CUDA)
  set(own_architectures "")
  if(NOT CMAKE_CUDA_ARCHITECTURES)
    # For both from the same intermediate code: no kernel asks which it is on, and so each is optimized once.
    set(CMAKE_CUDA_ARCHITECTURES OFF)
    set(own_architectures "--generate-code=arch=compute_80,code=[compute_80,sm_80,sm_90]")
  endif()
  enable_language(CUDA)
  set(CMAKE_CUDA_EXTENSIONS OFF)
  add_library(softscore_own_cuda INTERFACE)
  target_link_libraries(softscore_own_cuda INTERFACE softscore::cuda softscore::softscore)
  if(own_architectures)
    target_compile_options(softscore_own_cuda INTERFACE "$<$<COMPILE_LANG_AND_ID:CUDA,NVIDIA>:${own_architectures}>")
  endif()
  if(SOFTSCORE_CUDA_CHECK)
    # The host's part at -O0, which is half of the time, and the device's with the least of optimization.
    set(CMAKE_CUDA_FLAGS_RELEASE "-DNDEBUG")
    if(CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 13)
      target_compile_options(softscore_own_cuda INTERFACE
        "$<$<COMPILE_LANG_AND_ID:CUDA,NVIDIA>:--Ofast-compile=max>")
    endif()
  endif()
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
