// One node is killed (-9) at random points, under load and while it starts, again and again; each
// time it comes back by itself, and in the end every promise was kept.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <sstream>
#include <string>

#include "chaos/asker.h"
#include "chaos/copies.h"
#include "chaos/load.h"
#include "chaos/recorder.h"
#include "support/checker.h"
#include "support/cluster.h"

namespace engram::testing {
namespace {

constexpr int kCycles = 50;
constexpr size_t kOperationsMax = 400;  // between two kills

int CyclesWanted() {
  const char* wanted = std::getenv("ENGRAM_CRASH_CYCLES");
  return wanted != nullptr ? std::stoi(wanted) : kCycles;
}

class CrashCycles : public ::testing::Test {
 protected:
  static TestClusterOptions OneNode() {
    TestClusterOptions options;
    options.nodes = 1;
    options.durability = "fsync";
    return options;
  }

  // Every second time somewhere in the load, else so early that the node may not even have started:
  // requests that nobody takes are recorded, too.
  void KillSomewhere(int cycle) {
    const size_t more = 1 + random_() % kOperationsMax;
    const auto count = [&] { return cycle % 2 == 0 ? record_.acknowledged() : record_.recorded(); };
    const size_t enough = count() + more;
    ASSERT_TRUE(Eventually([&] { return count() >= enough; })) << "cycle " << cycle;
    ASSERT_TRUE(cluster_.node(0).Running()) << "ended by itself in cycle " << cycle;
    cluster_.Kill9(0);
    cluster_.Start(0);
  }

  History Finish() {
    const auto copies = ReadCopies(cluster_, asker_, record_.ids());
    EXPECT_TRUE(copies.ok()) << copies.status();
    if (copies.ok()) {
      for (const Copy& copy : copies->copies) writer_.Write(copy);
      for (const Held& held : copies->held) writer_.Write(held);
    }
    EXPECT_TRUE(writer_.Finish().ok());
    auto history = ReadHistory(file_);
    EXPECT_TRUE(history.ok()) << history.status();
    return history.ok() ? *std::move(history) : History();
  }

  const uint64_t seed_ = std::random_device{}();
  std::mt19937_64 random_{seed_};
  TestCluster cluster_{OneNode()};
  Asker asker_{{{cluster_.Name(0), cluster_.Address(0)}}};
  std::stringstream file_;
  HistoryWriter writer_{file_};
  Recorder record_{writer_};
};

TEST_F(CrashCycles, NothingAcknowledgedIsLostAndNobodyHasToHelp) {
  const int cycles = CyclesWanted();
  fmt::print("seed {}\n", seed_);
  {
    Load load({.seed = seed_,
               .clients = 4,
               .spaces = {SpaceId("one"), SpaceId("two")},
               .pause = std::chrono::milliseconds(1)},
              asker_, record_);
    for (int cycle = 0; cycle < cycles && !HasFatalFailure(); ++cycle) KillSomewhere(cycle);
    cluster_.AwaitReady(0);
  }
  const History history = Finish();
  const Verdict verdict = Judge(history, {.copies = 1, .late = std::chrono::seconds(1)});
  EXPECT_TRUE(verdict.ok()) << verdict.ToString();
  fmt::print("{} cycles, {} operations, {} writes acknowledged, {} memories at the end\n", cycles,
             record_.recorded(), record_.acknowledged(), history.held.size());
}

}  // namespace
}  // namespace engram::testing
