# The target softscore::cuda: softscore::softscore for files that a CUDA compiler compiles. It is there where a CUDA
# toolkit is, and asks for nothing otherwise. Used by this project and by the installed package.
find_package(CUDAToolkit 12 QUIET)
if(CUDAToolkit_FOUND AND NOT TARGET softscore::cuda)
  add_library(softscore::cuda INTERFACE IMPORTED GLOBAL)
  target_link_libraries(softscore::cuda INTERFACE softscore::softscore CUDA::cudart)
  # As an option, for CMake does not know what the newest compilers can do. Element bodies call constexpr functions of the standard library's arrays. Eigen marks some of its functions in ways
  # that nvcc has something to say about.
  target_compile_options(softscore::cuda INTERFACE
    "$<$<COMPILE_LANG_AND_ID:CUDA,NVIDIA>:-std=c++20;--expt-relaxed-constexpr;-diag-suppress=1675,20012>")
endif()
