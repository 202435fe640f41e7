# engram_library(NAME SOURCES a.cc ... DEPS lib ...)
# One library per folder: engram_NAME. Its DEPS are the layer rule (tests/layers checks the includes).
function(engram_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(engram_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(engram_${name} PUBLIC ${ARG_DEPS} PRIVATE engram_options ${ARG_PRIVATE_DEPS})
  target_include_directories(engram_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
endfunction()

# engram_test(NAME SOURCES a_test.cc ... DEPS lib ...): one GoogleTest program, one ctest entry per test.
function(engram_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "SOURCES;DEPS;LABELS" ${ARGN})
  if(NOT ENGRAM_TESTS)
    return()
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_DEPS} engram_options GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST
    PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
endfunction()

if(ENGRAM_TESTS)
  find_package(GTest REQUIRED)
  find_package(rapidcheck CONFIG REQUIRED)
  include(GoogleTest)
endif()
