# What the library needs, looked for on the system first. With SOFTSCORE_FETCH_DEPENDENCIES what is missing is
# downloaded at the versions named here; PNG and zlib always come from the system.
if(SOFTSCORE_FETCH_DEPENDENCIES)
  include(FetchContent)
endif()

# softscore_need(<package> <git repository> <tag> <find_package arguments...>)
macro(softscore_need package repository tag)
  if(SOFTSCORE_FETCH_DEPENDENCIES)
    FetchContent_Declare(
      ${package}
      GIT_REPOSITORY ${repository}
      GIT_TAG ${tag}
      GIT_SHALLOW ON
      FIND_PACKAGE_ARGS ${ARGN})
    FetchContent_MakeAvailable(${package})
  else()
    find_package(${package} ${ARGN} REQUIRED)
  endif()
endmacro()

# What the components need, at the versions of their table.
set(packages)
foreach(component IN LISTS softscore_components)
  get_property(needed GLOBAL PROPERTY SOFTSCORE_COMPONENT_${component}_PACKAGES)
  list(APPEND packages ${needed})
endforeach()
set(THREADS_PREFER_PTHREAD_FLAG ON)
set(fetch_TBB https://github.com/oneapi-src/oneTBB.git v2021.8.0)
set(fetch_xtensor https://github.com/xtensor-stack/xtensor.git 0.24.3)
set(fetch_Eigen3 https://gitlab.com/libeigen/eigen.git 3.4.0)
foreach(package IN LISTS packages)
  get_property(target GLOBAL PROPERTY SOFTSCORE_PACKAGE_${package}_TARGET)
  get_property(file GLOBAL PROPERTY SOFTSCORE_PACKAGE_${package}_FILE)
  get_property(find GLOBAL PROPERTY SOFTSCORE_PACKAGE_${package}_FIND)
  if(package STREQUAL "xtensor")
    softscore_need(xtl https://github.com/xtensor-stack/xtl.git 0.7.5 0.7 CONFIG)
  endif()
  if(NOT target OR file)
    continue() # RapidJSON below, a GPU's in cuda.cmake
  elseif(DEFINED fetch_${package})
    softscore_need(${package} ${fetch_${package}} ${find})
  else()
    find_package(${package} ${find} REQUIRED)
  endif()
endforeach()

if(NOT "RapidJSON" IN_LIST packages)
  return()
endif()
include("${CMAKE_CURRENT_LIST_DIR}/softscore-rapidjson.cmake")
if(NOT TARGET softscore::rapidjson AND SOFTSCORE_FETCH_DEPENDENCIES)
  # Its headers alone: a folder without a CMakeLists.txt keeps its own build, with tests and documents, out of ours.
  FetchContent_Declare(rapidjson GIT_REPOSITORY https://github.com/Tencent/rapidjson.git GIT_TAG v1.1.0 GIT_SHALLOW ON
                                 SOURCE_SUBDIR include)
  FetchContent_MakeAvailable(rapidjson)
  set(SOFTSCORE_RAPIDJSON_INCLUDE_DIR "${rapidjson_SOURCE_DIR}/include")
  include("${CMAKE_CURRENT_LIST_DIR}/softscore-rapidjson.cmake")
endif()
if(NOT TARGET softscore::rapidjson)
  message(FATAL_ERROR "softscore needs RapidJSON, and its header rapidjson/reader.h was not found.")
endif()
