# cmake/AccelerateCheckHeaders.cmake: the target check_headers compiles one file
# per public header that includes nothing else, which proves each header
# self-contained. Costly with libtorch, so only on demand.
option(ACCELERATE_CHECK_HEADERS "Add the target check_headers" OFF)
if(ACCELERATE_CHECK_HEADERS AND ACCELERATE_BUILD_ENGINE)
  file(GLOB_RECURSE public_headers RELATIVE ${PROJECT_SOURCE_DIR}
    CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/accelerate/*.h)
  list(FILTER public_headers EXCLUDE REGEX "_impl\\.h$|gloo_headers/")
  set(units)
  foreach(header IN LISTS public_headers)
    string(REPLACE "/" "_" unit ${header})
    set(unit ${PROJECT_BINARY_DIR}/check_headers/${unit}.cpp)
    file(GENERATE OUTPUT ${unit} CONTENT "#include <${header}>\n")
    list(APPEND units ${unit})
  endforeach()
  add_library(check_headers OBJECT EXCLUDE_FROM_ALL ${units})
  accelerate_defaults(check_headers)
  target_link_libraries(check_headers PRIVATE accelerate_models)
endif()
