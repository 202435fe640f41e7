// Each mechanism that a promise needs is taken away once, and a simulation must find out, within
// 2,000 seeds: a test that does not see it missing does not show that it is there.
#include "engram/base/planted.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <string>
#include <vector>

namespace engram {
namespace {

struct Planted {
  Bug bug;
  const char* name;
  const char* caught_by;  // gtest's filter of the simulation
  // Where it was found last, to be quick; if it is not found there any more, all are tried.
  uint64_t seed = 1;
};

constexpr int kSeeds = 2'000;
constexpr int kQuickSeeds = 5;

constexpr const char* kReplicated = "Replicated.Model*";
constexpr const char* kEngine = "Replicated.Engine*";
constexpr const char* kFailover = "FailoverRandom.*";
// Where holders take turns, an appointment hardly ever meets a newer promise.
constexpr const char* kRace = "FailoverRandom.Appointments*";
constexpr const char* kReplica = "ReplicaRandom.*";
constexpr const char* kStale = "StaleTables.*";
constexpr const char* kRecords = "SwimRecords.*";

const std::vector<Planted>& AllPlanted() {
  static const std::vector<Planted> kAll = {
      {Bug::kNoFence, "NoFence", kReplicated, 453},
      {Bug::kNoSelfFence, "NoSelfFence", kReplicated, 11},
      {Bug::kNoStepDown, "NoStepDown", kReplicated, 1},
      {Bug::kPromoteLeastCaughtUp, "PromoteLeastCaughtUp", kReplicated, 624},
      {Bug::kPositionIgnoresEpoch, "PositionIgnoresEpoch", kReplicated, 942},
      {Bug::kOfficeUnchecked, "OfficeUnchecked", kRace, 90},
      {Bug::kLeaseFromAnswer, "LeaseFromAnswer", kReplicated, 170},
      {Bug::kNoWait, "NoWait", kReplicated},
      {Bug::kRestartForgetsContact, "RestartForgetsContact", kFailover},
      {Bug::kRefusalSticks, "RefusalSticks", kReplicated, 65},
      {Bug::kConfirmBeforeCommit, "ConfirmBeforeCommit", kReplicated, 1534},
      {Bug::kLogPositionReset, "LogPositionReset", kReplicated, 1},
      {Bug::kBranchNotSent, "BranchNotSent", kReplicated},
      {Bug::kOlderAssignmentAccepted, "OlderAssignmentAccepted", kStale, 283},
      {Bug::kHalfOpenLetsAllThrough, "HalfOpenLetsAllThrough", "Outage.*"},
      {Bug::kDeadlineIgnored, "DeadlineIgnored", "Outage.*"},
      {Bug::kHopBoundOff, "HopBoundOff", kStale},
      {Bug::kDiffHalfApplied, "DiffHalfApplied", kRecords},
      {Bug::kDigestSkipsColdSpaces, "DigestSkipsColdSpaces", kRecords},
      {Bug::kAckBeforeCommit, "AckBeforeCommit", kEngine, 2},
      {Bug::kAckBeforeSync, "AckBeforeSync", kEngine, 3},
      {Bug::kNoRequestIdCheck, "NoRequestIdCheck", kEngine},
      {Bug::kNoDuplicateCheck, "NoDuplicateCheck", kEngine, 5},
      {Bug::kMergeDropsLoser, "MergeDropsLoser", kEngine, 9},
      {Bug::kTombstoneIgnored, "TombstoneIgnored", kEngine, 4},
      {Bug::kSiblingDropped, "SiblingDropped", kEngine, 9},
      {Bug::kNeverCollected, "NeverCollected", kEngine},
      {Bug::kCollectedUnconfirmed, "CollectedUnconfirmed", kReplica},
  };
  return kAll;
}

struct Ended {
  bool passed = false;
  bool ran = false;
  std::string failure;  // the lines that say what was found, and by which seed
};

bool Tells(const std::string& line) {
  for (const char* what : {"ENGRAM_SIM_SEED", "ENGRAM_FAILOVER_SEED", "ENGRAM_REPLICA_SEED",
                           "Failure", "primary", "promise", "flag", "[  FAILED"}) {
    if (line.find(what) != std::string::npos) return true;
  }
  return false;
}

Ended Simulate(const Planted& planted, uint64_t first, int seeds) {
  const std::string command = fmt::format(
      "ENGRAM_SIM_SEED={0} ENGRAM_SIM_SEEDS={1} ENGRAM_SIM_TABLES={1} ENGRAM_FAILOVER_SEED={0} "
      "ENGRAM_FAILOVER_SEEDS={1} ENGRAM_REPLICA_SEED={0} ENGRAM_REPLICA_SEEDS={1} {2} {3} "
      "--gtest_filter='{4}' --gtest_fail_fast 2>&1",
      first, seeds, PLANTED_SIMULATION, static_cast<int>(planted.bug), planted.caught_by);
  Ended ended;
  FILE* output = popen(command.c_str(), "r");
  if (output == nullptr) return ended;
  char buffer[4096];
  while (std::fgets(buffer, sizeof buffer, output) != nullptr) {
    const std::string line = buffer;
    ended.ran = ended.ran || line.find("[ RUN ") != std::string::npos;
    if (Tells(line) && ended.failure.size() < 2'000) ended.failure += line;
  }
  ended.passed = pclose(output) == 0;
  return ended;
}

class PlantedBug : public ::testing::TestWithParam<Planted> {};

TEST_P(PlantedBug, IsCaughtWithin2000Seeds) {
  Ended ended = Simulate(GetParam(), GetParam().seed, kQuickSeeds);
  if (ended.passed) ended = Simulate(GetParam(), 1, kSeeds);
  EXPECT_TRUE(ended.ran);
  EXPECT_FALSE(ended.passed) << "nobody misses the mechanism";
  fmt::print("{}", ended.failure);
}

// So what is found above is found because of the bug.
TEST(NoPlantedBug, IsNotCaught) {
  for (const char* simulation :
       {kReplicated, kEngine, kFailover, kReplica, kStale, kRecords, "Outage.*"}) {
    const Ended ended = Simulate({Bug::kNone, "None", simulation}, 1, kQuickSeeds);
    EXPECT_TRUE(ended.ran && ended.passed) << ended.failure;
  }
}

std::string NameOf(const ::testing::TestParamInfo<Planted>& planted) { return planted.param.name; }

INSTANTIATE_TEST_SUITE_P(Each, PlantedBug, ::testing::ValuesIn(AllPlanted()), NameOf);

}  // namespace
}  // namespace engram
