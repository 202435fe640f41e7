# Everything we link, in one place; docs/DEPENDENCIES.md says what each is for.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(Protobuf REQUIRED)
find_package(RocksDB CONFIG REQUIRED)
find_package(Boost 1.74 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(ICU REQUIRED COMPONENTS uc i18n)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json 3 REQUIRED)
pkg_check_modules(NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2)
# Not its CMake package: that wants its HTTP server's packages too, which we do not use.
pkg_check_modules(PROMETHEUS REQUIRED IMPORTED_TARGET prometheus-cpp-core)
pkg_check_modules(CARES REQUIRED IMPORTED_TARGET libcares)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)

# Snowball's stemmer ships neither a CMake nor a pkg-config file.
find_library(STEMMER_LIBRARY stemmer REQUIRED)
find_path(STEMMER_INCLUDE libstemmer.h REQUIRED)
add_library(engram_stemmer INTERFACE)
target_link_libraries(engram_stemmer INTERFACE ${STEMMER_LIBRARY})
target_include_directories(engram_stemmer SYSTEM INTERFACE ${STEMMER_INCLUDE})

# What the node allocates with. A sanitizer needs its own allocator.
add_library(engram_allocator INTERFACE)
if(NOT ENGRAM_SANITIZE)
  pkg_check_modules(JEMALLOC REQUIRED IMPORTED_TARGET jemalloc)
  # Nothing names it, so a linker that drops what is not named would.
  target_link_libraries(engram_allocator INTERFACE -Wl,--push-state,--no-as-needed PkgConfig::JEMALLOC -Wl,--pop-state)
endif()

# Boost.Asio is used header-only, without its deprecated names.
add_library(engram_asio INTERFACE)
target_link_libraries(engram_asio INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(engram_asio INTERFACE BOOST_ASIO_NO_DEPRECATED)
