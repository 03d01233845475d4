# cmake/AccelerateTargets.cmake: how a library is made of stages (folders), so
# that each folder's CMakeLists.txt only lists its files.

set(ACCELERATE_WARNINGS -Wall -Wextra -Wconversion -Wshadow)
if(ACCELERATE_WARNINGS_AS_ERRORS)
  list(APPEND ACCELERATE_WARNINGS -Werror)
endif()

# accelerate_defaults(target): language level, visibility and warnings that
# every target of the project shares.
function(accelerate_defaults target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_compile_options(${target} PRIVATE ${ACCELERATE_WARNINGS})
  set_target_properties(${target} PROPERTIES
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    POSITION_INDEPENDENT_CODE ON
    CXX_EXTENSIONS OFF)
endfunction()

# accelerate_library(name): the library accelerate_<name> with the alias
# accelerate::<name>; its sources come from accelerate_stage().
function(accelerate_library name)
  if(name STREQUAL "accelerate")
    set(target accelerate)
  else()
    set(target accelerate_${name})
  endif()
  add_library(${target})
  add_library(accelerate::${name} ALIAS ${target})
  accelerate_defaults(${target})
  target_include_directories(${target} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  set_property(GLOBAL APPEND PROPERTY ACCELERATE_LIBRARIES ${target})
endfunction()

# accelerate_stage(library file…): adds the calling folder's files.
function(accelerate_stage library)
  foreach(file IN LISTS ARGN)
    target_sources(${library} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  endforeach()
endfunction()
