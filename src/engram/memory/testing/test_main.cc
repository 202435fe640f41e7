// Runs the tests, or, asked by crash_test.cc, its victim.
#include <gtest/gtest.h>

#include <string_view>

#include "engram/memory/testing/crash_victim.h"

// What the thread sanitizer must not judge. Debian's RocksDB is built without it, so what it does
// inside, and what the strings inside it copy, looks like races. hnswlib locks its rows in the
// order in which it visits them, which looks like a deadlock; a graph has one writer at a time, so
// that no two can meet.
// NOLINTBEGIN(readability-identifier-naming): the sanitizer gives the names
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "called_from_lib:librocksdb.so\n"
         "race:rocksdb::\n"
         "race:basic_string<char, std::char_traits<char>, std::allocator<char> >::_M_append\n";
}
extern "C" const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() { return "detect_deadlocks=0"; }
// NOLINTEND(readability-identifier-naming)

int main(int argc, char** argv) {
  if (argc == 4 && std::string_view(argv[1]) == engram::memory::kCrashVictimFlag) {
    engram::memory::RunCrashVictim(argv[2], argv[3]);
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
