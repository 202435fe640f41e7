// The simulations with one bug planted. Usage: planted_simulation BUG [gtest's arguments], BUG
// being a number of engram::Bug; planted_test runs it.
#include <gtest/gtest.h>

#include <cstdlib>

#include "engram/base/planted.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc != 2) return 2;
  engram::planted_bug = static_cast<engram::Bug>(std::atoi(argv[1]));
  return RUN_ALL_TESTS();
}
