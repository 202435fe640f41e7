// Runs the tests, or, asked by crash_test.cc, its victim.
#include <gtest/gtest.h>

#include <string_view>

#include "engram/memory/testing/crash_victim.h"

int main(int argc, char** argv) {
  if (argc == 4 && std::string_view(argv[1]) == engram::memory::kCrashVictimFlag) {
    engram::memory::RunCrashVictim(argv[2], argv[3]);
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
