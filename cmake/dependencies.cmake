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

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PNG REQUIRED)
softscore_need(TBB https://github.com/oneapi-src/oneTBB.git v2021.8.0 2021 CONFIG)
softscore_need(xtl https://github.com/xtensor-stack/xtl.git 0.7.5 0.7 CONFIG)
softscore_need(xtensor https://github.com/xtensor-stack/xtensor.git 0.24.3 CONFIG)
softscore_need(Eigen3 https://gitlab.com/libeigen/eigen.git 3.4.0 3.4 CONFIG)
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
