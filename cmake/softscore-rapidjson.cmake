# RapidJSON is headers only, and the package files that come with it are unlike from one version to the next, so its
# headers are looked for. No target softscore::rapidjson afterwards means that there are none.
if(NOT TARGET softscore::rapidjson)
  find_path(SOFTSCORE_RAPIDJSON_INCLUDE_DIR rapidjson/reader.h DOC "The folder that has rapidjson/reader.h")
  mark_as_advanced(SOFTSCORE_RAPIDJSON_INCLUDE_DIR)
  if(SOFTSCORE_RAPIDJSON_INCLUDE_DIR)
    add_library(softscore::rapidjson INTERFACE IMPORTED)
    target_include_directories(softscore::rapidjson INTERFACE "${SOFTSCORE_RAPIDJSON_INCLUDE_DIR}")
  endif()
endif()
