# Headers, the exported targets, and the files that let find_package(softscore) and pkg-config find them.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_DATADIR}/cmake/softscore")

# A file of targets for each component, so that a program gets only those it asks for.
foreach(component IN LISTS softscore_components)
  set(target softscore_${component})
  if(component STREQUAL "softscore")
    set(target softscore)
  endif()
  set(sets FILE_SET HEADERS)
  if(component STREQUAL "core")
    list(APPEND sets FILE_SET device)
  endif()
  install(TARGETS ${target} EXPORT softscore-${component}-targets ${sets})
  install(EXPORT softscore-${component}-targets NAMESPACE softscore:: DESTINATION "${package_dir}")
endforeach()
if(TARGET softscore_compiled)
  install(TARGETS softscore_compiled EXPORT softscore-compiled-targets FILE_SET HEADERS)
  install(EXPORT softscore-compiled-targets NAMESPACE softscore:: DESTINATION "${package_dir}")
endif()

configure_package_config_file(cmake/softscore-config.cmake.in "${PROJECT_BINARY_DIR}/softscore-config.cmake"
                              INSTALL_DESTINATION "${package_dir}")
# Before 1.0 a new minor version may change anything. Headers run on any architecture.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/softscore-config-version.cmake"
                                 COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES "${PROJECT_BINARY_DIR}/softscore-config.cmake" "${PROJECT_BINARY_DIR}/softscore-config-version.cmake"
              cmake/softscore-components.cmake cmake/softscore-cuda.cmake cmake/softscore-rapidjson.cmake
        DESTINATION "${package_dir}")

# softscore-core.pc and so on, and softscore.pc. The toolkits of GPUs have no such file that is the same everywhere.
file(RELATIVE_PATH up "/prefix/${CMAKE_INSTALL_DATADIR}/pkgconfig" "/prefix")
string(REGEX REPLACE "/$" "" up "${up}")
cmake_path(APPEND up_include "\${prefix}" "${CMAKE_INSTALL_INCLUDEDIR}") # an absolute one stays alone
cmake_path(APPEND up_library "\${prefix}" "${CMAKE_INSTALL_LIBDIR}")
set(components ${softscore_components})
if(TARGET softscore_compiled)
  list(APPEND components compiled)
endif()
foreach(component IN LISTS components)
  set(name softscore-${component})
  if(component STREQUAL "softscore")
    set(name softscore)
  endif()
  get_property(has GLOBAL PROPERTY SOFTSCORE_COMPONENT_${component}_HAS)
  get_property(needs GLOBAL PROPERTY SOFTSCORE_COMPONENT_${component}_NEEDS)
  get_property(packages GLOBAL PROPERTY SOFTSCORE_COMPONENT_${component}_PACKAGES)
  list(TRANSFORM needs REPLACE "(.+)" "softscore-\\1 = ${PROJECT_VERSION}")
  set(flags)
  set(libraries)
  if(component STREQUAL "compiled")
    set(libraries "-L\${libdir} -lsoftscore_compiled")
  endif()
  foreach(package IN LISTS packages)
    get_property(module GLOBAL PROPERTY SOFTSCORE_PACKAGE_${package}_PKG_CONFIG)
    get_property(flag GLOBAL PROPERTY SOFTSCORE_PACKAGE_${package}_FLAG)
    list(APPEND needs ${module})
    list(APPEND flags ${flag})
  endforeach()
  list(JOIN needs ", " needs)
  list(JOIN flags " " flags)
  configure_file(cmake/softscore.pc.in "${PROJECT_BINARY_DIR}/pkgconfig/${name}.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/pkgconfig/${name}.pc" DESTINATION "${CMAKE_INSTALL_DATADIR}/pkgconfig")
endforeach()
