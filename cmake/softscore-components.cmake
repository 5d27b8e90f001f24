# The components of the library, the headers of each, and what each needs. CMakeLists.txt, the installed package and the
# files for pkg-config read this table, and tools/components.py does for the checks, docs/reference/components.md and the
# single headers.

# softscore_package(<name> CALLED <words> [TARGET <target>] [FIND <arguments of find_package>] [FILE <file that finds it>]
#                   [PKG_CONFIG <module>] [FLAG <option>] [DEBIAN <package>] HEADERS <ours that include it>
#                   [INCLUDES <beginnings of the names in these #includes>])
# A package without a TARGET is neither looked for nor linked: the program that includes those headers does both.
function(softscore_package name)
  cmake_parse_arguments(PARSE_ARGV 1 it "" "CALLED;TARGET;FILE;PKG_CONFIG;FLAG;DEBIAN" "FIND;HEADERS;INCLUDES")
  foreach(key IN ITEMS CALLED TARGET FILE PKG_CONFIG FLAG DEBIAN FIND HEADERS INCLUDES)
    set_property(GLOBAL PROPERTY SOFTSCORE_PACKAGE_${name}_${key} ${it_${key}})
  endforeach()
endfunction()

# softscore_component(<name> HAS <words> SHOWN <header to begin with> [NEEDS <components>] [PACKAGES <packages>]
#                     HEADERS <files, and folders that end in a slash>)
# A header belongs to the component that names it, or else to the one that names the deepest folder around it.
function(softscore_component name)
  cmake_parse_arguments(PARSE_ARGV 1 it "" "HAS;SHOWN" "NEEDS;PACKAGES;HEADERS")
  foreach(key IN ITEMS HAS SHOWN NEEDS PACKAGES HEADERS)
    set_property(GLOBAL PROPERTY SOFTSCORE_COMPONENT_${name}_${key} ${it_${key}})
  endforeach()
  get_property(names GLOBAL PROPERTY SOFTSCORE_ALL_COMPONENTS)
  if(NOT name IN_LIST names)
    set_property(GLOBAL APPEND PROPERTY SOFTSCORE_ALL_COMPONENTS ${name})
  endif()
endfunction()

# softscore_with_needs(<variable> <components...>): these and the components that they need, each behind what it needs.
function(softscore_with_needs variable)
  set(ordered)
  foreach(component IN LISTS ARGN)
    get_property(needs GLOBAL PROPERTY SOFTSCORE_COMPONENT_${component}_NEEDS)
    softscore_with_needs(before ${needs})
    list(APPEND ordered ${before} ${component})
  endforeach()
  list(REMOVE_DUPLICATES ordered)
  set(${variable} ${ordered} PARENT_SCOPE)
endfunction()

softscore_package(Threads CALLED "the system's threads" TARGET Threads::Threads FLAG -pthread HEADERS core/host_array.hpp)
softscore_package(TBB CALLED oneTBB TARGET TBB::tbb FIND 2021 CONFIG PKG_CONFIG "tbb >= 2021" DEBIAN libtbb-dev
  HEADERS backend/tbb/backend.hpp INCLUDES oneapi/ tbb/)
softscore_package(xtensor CALLED xtensor TARGET xtensor FIND CONFIG PKG_CONFIG xtensor DEBIAN libxtensor-dev
  HEADERS core/xtensor.hpp INCLUDES xtensor/ xtl/)
softscore_package(ZLIB CALLED zlib TARGET ZLIB::ZLIB PKG_CONFIG zlib DEBIAN zlib1g-dev
  HEADERS io/gzip.hpp INCLUDES zlib.h)
softscore_package(PNG CALLED libpng TARGET PNG::PNG PKG_CONFIG libpng DEBIAN libpng-dev
  HEADERS io/png.hpp INCLUDES png.h)
softscore_package(RapidJSON CALLED RapidJSON TARGET softscore::rapidjson FILE softscore-rapidjson.cmake
  PKG_CONFIG RapidJSON DEBIAN rapidjson-dev HEADERS io/json.hpp INCLUDES rapidjson/)
softscore_package(Eigen3 CALLED Eigen TARGET Eigen3::Eigen FIND 3.4 CONFIG PKG_CONFIG "eigen3 >= 3.4"
  DEBIAN libeigen3-dev HEADERS core/eigen.hpp INCLUDES Eigen/)
softscore_package(CUDA CALLED "a CUDA toolkit of version 12 or later with cuBLAS" TARGET softscore::cuda
  FILE softscore-cuda.cmake HEADERS backend/cuda/device.cuh backend/cuda/cublas.cuh
  INCLUDES cuda_runtime.h cublas_v2.h)
softscore_package(NCCL CALLED NCCL TARGET softscore::nccl FILE softscore-cuda.cmake DEBIAN libnccl-dev
  HEADERS backend/cuda/data_parallel.cuh INCLUDES nccl.h)
softscore_package(xtensor-blas CALLED "xtensor-blas and a BLAS" DEBIAN libxtensor-blas-dev
  HEADERS core/xtensor_blas.hpp INCLUDES xtensor-blas/)

softscore_component(core
  HAS "corruptions, spectral denoisers, samplers, likelihoods, networks, objectives, optimizers; the serial backend"
  SHOWN sampling.hpp
  PACKAGES Threads
  HEADERS sampling.hpp core/ io/ backend/ operator/ corruption/ nn/ denoiser/ objective/ sampler/ optim/ data/ metric/
          schedule/)
softscore_component(tbb
  HAS "the parallel backend for the host"
  SHOWN backend/tbb.hpp
  NEEDS core
  PACKAGES TBB
  HEADERS backend/tbb.hpp backend/tbb/)
softscore_component(io
  HAS "images as xtensor arrays (`sample`), PNG, NumPy, data sets, safetensors, folders of diffusers and other networks"
  SHOWN sampler/sample.hpp
  NEEDS core
  PACKAGES xtensor ZLIB PNG RapidJSON
  HEADERS core/xtensor.hpp
          data/cifar10.hpp data/idx.hpp data/image_folder.hpp data/labeled_images.hpp data/stroke_digits.hpp
          denoiser/diffusers/read_scheduler.hpp denoiser/diffusers_pipeline.hpp denoiser/diffusers_scheduler.hpp
          io/gzip.hpp io/json.hpp io/json_fields.hpp io/npy.hpp io/png.hpp io/safetensors.hpp io/tiled.hpp
          nn/diffusers.hpp nn/diffusers/read_config.hpp nn/diffusers/weights.hpp nn/edm.hpp nn/guided_diffusion.hpp
          nn/inception/weights.hpp nn/source_names/read_source.hpp nn/sr3.hpp
          operator/bicubic_resize.hpp sampler/sample.hpp sampler/sample_branching.hpp sampler/sample_cascade.hpp
          sampler/sample_pipeline.hpp
          schedule/schedule_file.hpp)
softscore_component(analysis
  HAS "dense exact denoisers, principal components, distances and scores of images, the search for schedules"
  SHOWN metric/frechet.hpp
  NEEDS core
  PACKAGES Eigen3
  HEADERS core/eigen.hpp
          data/pca.hpp
          denoiser/dense_signal.hpp denoiser/gaussian_denoiser.hpp denoiser/gaussian_mixture.hpp
          denoiser/mixture_denoiser.hpp denoiser/posterior_denoiser.hpp denoiser/seen_mixture.hpp
          metric/cost_matrix.hpp metric/feature_scores.hpp metric/frechet.hpp metric/frechet_extrapolated.hpp
          metric/gaussian_kl.hpp metric/inception_score.hpp metric/kernel_distance.hpp metric/nearest.hpp
          metric/network_features.hpp metric/nuclear_norm.hpp metric/precision_recall.hpp metric/psnr.hpp
          metric/random_subset.hpp metric/sinkhorn.hpp metric/sliced_wasserstein.hpp metric/ssim.hpp
          operator/dense_svd.hpp
          schedule/corrupted_clouds.hpp schedule/wasserstein_search.hpp
          train/fit_prior.hpp)
softscore_component(train
  HAS "training with checkpoints and observers"
  SHOWN train/train.hpp
  NEEDS core io
  HEADERS train/)
softscore_component(compiled
  HAS "the kernels of the tbb backend, compiled for three instruction sets"
  SHOWN compiled.hpp
  NEEDS core tbb
  HEADERS compiled.hpp compiled/)
softscore_component(cuda
  HAS "the backend for GPUs"
  SHOWN backend/cuda.hpp
  NEEDS core
  PACKAGES CUDA
  HEADERS backend/cuda.hpp backend/cuda/)
softscore_component(nccl
  HAS "training on several GPUs"
  SHOWN backend/cuda/data_parallel.cuh
  NEEDS cuda
  PACKAGES NCCL
  HEADERS backend/cuda/data_parallel.cuh)
# What find_package(softscore) means without COMPONENTS: all that runs on every host.
softscore_component(softscore
  HAS "core, tbb, io, analysis and train"
  SHOWN softscore.hpp
  NEEDS core tbb io analysis train
  PACKAGES xtensor-blas
  HEADERS softscore.hpp core/xtensor_blas.hpp operator/dense_matrix.hpp)
