# The target softscore::cuda: softscore::core for files that a CUDA compiler compiles. It is there where a CUDA toolkit
# is, and asks for nothing otherwise. Used by this project and by the installed package.
# CMake 3.25 stops where CUDA 13 lacks a library that it wants to call deprecated; for projects that require less it does
# not want to.
set(softscore_required_cmake "${CMAKE_MINIMUM_REQUIRED_VERSION}")
set(CMAKE_MINIMUM_REQUIRED_VERSION 3.24)
find_package(CUDAToolkit 12 QUIET)
set(CMAKE_MINIMUM_REQUIRED_VERSION "${softscore_required_cmake}")
unset(softscore_required_cmake)
if(CUDAToolkit_FOUND AND TARGET CUDA::cublas AND NOT TARGET softscore::cuda)
  add_library(softscore::cuda INTERFACE IMPORTED GLOBAL)
  target_link_libraries(softscore::cuda INTERFACE softscore::core CUDA::cudart CUDA::cublas)
  # The standard as an option, for CMake does not know what the newest compilers can do. Element bodies call constexpr
  # functions of the standard library's arrays. Eigen marks some of its functions in ways that nvcc has something to say
  # about.
  target_compile_options(softscore::cuda INTERFACE
    "$<$<COMPILE_LANG_AND_ID:CUDA,NVIDIA>:-std=c++20;--expt-relaxed-constexpr;-diag-suppress=1675,20012>")

  # softscore::nccl, for training on several devices, where NCCL is.
  find_path(softscore_nccl_headers nccl.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
  find_library(softscore_nccl_library nccl HINTS ${CUDAToolkit_LIBRARY_DIR})
  mark_as_advanced(softscore_nccl_headers softscore_nccl_library)
  if(softscore_nccl_headers AND softscore_nccl_library)
    add_library(softscore::nccl INTERFACE IMPORTED GLOBAL)
    target_link_libraries(softscore::nccl INTERFACE softscore::cuda "${softscore_nccl_library}")
    target_include_directories(softscore::nccl SYSTEM INTERFACE "${softscore_nccl_headers}")
  endif()
endif()
