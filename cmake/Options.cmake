# Flags that every target of ours is compiled with.
add_library(engram_options INTERFACE)
target_compile_options(engram_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Werror)
target_include_directories(engram_options INTERFACE ${CMAKE_SOURCE_DIR}/src)

if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64" AND ENGRAM_ARCH)
  target_compile_options(engram_options INTERFACE -march=${ENGRAM_ARCH})
endif()

if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  target_compile_options(engram_options INTERFACE -Wthread-safety)
endif()

if(ENGRAM_SANITIZE)
  target_compile_options(engram_options INTERFACE
    -fsanitize=${ENGRAM_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(engram_options INTERFACE -fsanitize=${ENGRAM_SANITIZE})
  # Asio's fences are none that g++'s thread sanitizer knows; it says so with a warning. Nothing of ours uses fences.
  if(ENGRAM_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(engram_options INTERFACE -Wno-tsan)
  endif()
endif()
