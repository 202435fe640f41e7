// Replicated spaces under random faults, on a model of the store: the promises of SPEC §4 hold, at
// every step and in the end, for every seed. ENGRAM_SIM_SEEDS says how many, ENGRAM_SIM_SEED which
// is the first.
#include <gtest/gtest.h>

#include "simulation/model_store.h"
#include "simulation/replicated_suite.h"

namespace engram::simulation {
namespace {

std::unique_ptr<SimDisk> MakeDisk(uint64_t seed) { return std::make_unique<ModelDisk>(seed); }

TEST(Replicated, ModelKeepsThePromisesUnderRandomFaults) {
  RunSeeds(2'000, MakeDisk, "Replicated.Model*");
}

TEST(Replicated, SameSeedGivesTheSameTraceWithTheModel) { ExpectSameTraceTwice(MakeDisk); }

}  // namespace
}  // namespace engram::simulation
