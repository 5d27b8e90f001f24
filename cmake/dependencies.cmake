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
softscore_need(nlohmann_json https://github.com/nlohmann/json.git v3.11.2 3.11 CONFIG)
