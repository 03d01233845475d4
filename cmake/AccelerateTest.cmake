# cmake/AccelerateTest.cmake: one GoogleTest binary per folder of tests/.
include(GoogleTest)

# accelerate_test(name LIBRARIES lib… SOURCES file… [TIMEOUT seconds]
#                 [LABELS label…]): a test program; every case becomes a ctest.
function(accelerate_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "LIBRARIES;SOURCES;LABELS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_executable(${name} ${arg_SOURCES})
  accelerate_defaults(${name})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${arg_LIBRARIES} GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE
    ACCELERATE_TEST_DATA="${PROJECT_SOURCE_DIR}/tests"
    ACCELERATE_BUILD_DIR="${PROJECT_BINARY_DIR}")
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name} --gtest_brief=0)
  # No settings of whoever runs the tests.
  set_tests_properties(${name} PROPERTIES
    ENVIRONMENT "HF_HOME=${PROJECT_BINARY_DIR}/no_settings" TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}")
endfunction()
