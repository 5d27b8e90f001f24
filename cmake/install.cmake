# Headers, the exported target and the files that let find_package(softscore) find it.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_DATADIR}/cmake/softscore")

install(TARGETS softscore EXPORT softscore-targets FILE_SET HEADERS FILE_SET device)
if(TARGET softscore_compiled)
  install(TARGETS softscore_compiled EXPORT softscore-targets)
endif()
install(EXPORT softscore-targets NAMESPACE softscore:: DESTINATION "${package_dir}")

configure_package_config_file(cmake/softscore-config.cmake.in "${PROJECT_BINARY_DIR}/softscore-config.cmake"
                              INSTALL_DESTINATION "${package_dir}")
# Before 1.0 a new minor version may change anything. Headers run on any architecture.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/softscore-config-version.cmake"
                                 COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES "${PROJECT_BINARY_DIR}/softscore-config.cmake" "${PROJECT_BINARY_DIR}/softscore-config-version.cmake"
              cmake/softscore-cuda.cmake cmake/softscore-rapidjson.cmake
        DESTINATION "${package_dir}")
