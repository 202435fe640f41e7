#include "simulation/replicated_suite.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace engram::simulation {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// For who looks into a failure: what the clients saw, in the file that ENGRAM_SIM_HISTORY names.
void WriteHistory(const testing::History& history) {
  const char* path = std::getenv("ENGRAM_SIM_HISTORY");
  if (path == nullptr) return;
  std::ofstream out(path);
  testing::HistoryWriter writer(out);
  writer.Write(history);
  EXPECT_TRUE(writer.Finish().ok());
}

}  // namespace

void RunSeeds(uint64_t seeds, DiskFactory make_disk, const std::string& test) {
  const uint64_t first = FromEnvironment("ENGRAM_SIM_SEED", 1);
  seeds = FromEnvironment("ENGRAM_SIM_SEEDS", seeds);
  uint64_t offices = 0;
  uint64_t acknowledged = 0;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    const ReplicatedRun run = RunReplicated(seed, make_disk);
    if (!run.violations.empty()) WriteHistory(run.history);
    ASSERT_TRUE(run.violations.empty())
        << run.violations.front() << "\nENGRAM_SIM_SEED=" << seed
        << " ENGRAM_SIM_SEEDS=1 build/bin/replicated_simulation_test --gtest_filter=" << test;
    offices += run.offices;
    acknowledged += run.acknowledged;
  }
  std::printf("%llu seeds: %llu epochs, %llu writes acknowledged\n",
              static_cast<unsigned long long>(seeds), static_cast<unsigned long long>(offices),
              static_cast<unsigned long long>(acknowledged));
  if (seeds >= 100) {  // fewer may happen to be quiet ones
    EXPECT_GT(offices, seeds * 2) << "too little has happened";
  }
}

void ExpectSameTraceTwice(DiskFactory make_disk) {
  for (uint64_t seed : {1, 2, 3}) {
    const ReplicatedRun one = RunReplicated(seed, make_disk);
    const ReplicatedRun other = RunReplicated(seed, make_disk);
    EXPECT_EQ(one.trace, other.trace);
    EXPECT_EQ(one.operations, other.operations);
    EXPECT_NE(one.trace, RunReplicated(seed + 10, make_disk).trace);
  }
}

}  // namespace engram::simulation
