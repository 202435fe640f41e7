// What the tests of replicated spaces share, whichever store they run on. For tests: fails them.
#pragma once

#include <cstdint>
#include <string>

#include "simulation/replicated_trouble.h"

namespace engram::simulation {

// Runs of that many seeds, or as ENGRAM_SIM_SEEDS (how many) and ENGRAM_SIM_SEED (the first) say.
// `test`: gtest's filter for it, to tell how to repeat what failed.
void RunSeeds(uint64_t seeds, DiskFactory make_disk, const std::string& test);

// The same seed gives the same run, another one another.
void ExpectSameTraceTwice(DiskFactory make_disk);

}  // namespace engram::simulation
