// The runs of replicated_test.cc with the real engine on disks in memory.
#include <gtest/gtest.h>

#include "simulation/engine_store.h"
#include "simulation/replicated_suite.h"

namespace engram::simulation {
namespace {

std::unique_ptr<SimDisk> MakeDisk(uint64_t seed) { return std::make_unique<EngineDisk>(seed); }

TEST(Replicated, EngineKeepsThePromisesUnderRandomFaults) {
  RunSeeds(2'000, MakeDisk, "Replicated.Engine*");
}

TEST(Replicated, SameSeedGivesTheSameTraceWithTheEngine) { ExpectSameTraceTwice(MakeDisk); }

}  // namespace
}  // namespace engram::simulation
