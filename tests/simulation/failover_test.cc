// SPEC C7: writes that arrive during a failover wait inside their deadline, and cost the nodes
// little meanwhile.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "simulation/sim_cluster.h"

namespace engram::simulation {
namespace {

using routing::Operation;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A space whose primary is node 1, its copies on nodes 2 and 3; clients ask node 0, which knows, or
// node 2.
class Failover : public testing::Test {
 protected:
  Failover() {
    cluster_.Place("s", 1, {2, 3});
    cluster_.node(0).table().Apply(cluster_.HistoryOf("s"));
  }
  Scheduler& scheduler() { return cluster_.scheduler(); }
  void RunFor(Duration time) { scheduler().Run(scheduler().now() + time); }

  void Load(int clients, TimePoint end, size_t entry = 0) {
    for (int i = 0; i < clients; ++i) Again(end, entry);
  }
  void Again(TimePoint end, size_t entry) {
    const TimePoint asked_at = scheduler().now();
    if (asked_at >= end) return;
    cluster_.Ask(entry, Operation::kStore, "s", [=, this](const Answer& a) {
      EXPECT_LE(a.at - asked_at, seconds(10));
      retries_ += a.stats.retries;
      if (a.status.ok()) {
        ++ok_;
        if (asked_at < claimed_at_) slowest_ = std::max(slowest_, a.at - claimed_at_);
      } else {
        ++failed_;
        error_ = a.status;
      }
      scheduler().After(milliseconds(20), [=, this] { Again(end, entry); });
    });
  }

  // Node 1 is lost now, node 2 becomes primary after `gap`, under the load of 64 clients.
  void LosePrimaryFor(Duration gap, Condition condition, size_t entry = 0) {
    const TimePoint lost_at = scheduler().now();
    cluster_.network().Set(1, condition);
    claimed_at_ = lost_at + gap;
    scheduler().At(claimed_at_, [this] { cluster_.FailOver("s", 2); });
    Load(64, claimed_at_ + seconds(1), entry);
    scheduler().Run();
  }

  SimCluster cluster_{SimOptions{}};
  TimePoint claimed_at_{};
  Duration slowest_{};  // from the claim to the success of who was waiting
  int ok_ = 0, failed_ = 0, retries_ = 0;
  absl::Status error_;
};

TEST_F(Failover, EachWriteSucceedsSoonAfterThereIsANewPrimary) {
  for (Condition condition : {Condition::kDown, Condition::kHung}) {
    for (int gap = 1; gap <= 8; ++gap) {
      cluster_.Place("s", 1, {2, 3});
      cluster_.node(0).table().Apply(cluster_.HistoryOf("s"));
      ok_ = 0;
      slowest_ = {};
      const uint64_t sent = cluster_.node(0).sent();
      LosePrimaryFor(seconds(gap), condition);
      EXPECT_EQ(failed_, 0) << gap << " s: " << error_;
      EXPECT_GE(ok_, 64);
      EXPECT_LE(slowest_, milliseconds(500)) << gap << " s";
      fmt::print("{} of {} s: found after {} ms, {} messages of the entry node for {} writes\n",
                 condition == Condition::kDown ? "crash" : "hang", gap,
                 std::chrono::duration_cast<milliseconds>(slowest_).count(),
                 cluster_.node(0).sent() - sent, ok_);
      cluster_.Rejoin(1);
      RunFor(seconds(400));  // until its breaker has closed
    }
  }
}

// The entry node holds a copy itself.
TEST_F(Failover, AWriteAtAReplicaWaitsToo) {
  LosePrimaryFor(seconds(4), Condition::kHung, 2);
  EXPECT_EQ(failed_, 0) << error_;
  EXPECT_LE(slowest_, milliseconds(500));
}

// SPEC R7: repeats at one node are at most a tenth of the requests that chose it, and one a second.
TEST_F(Failover, ThePrimaryThatIsGoneIsNotAskedAgainAndAgain) {
  for (Condition condition : {Condition::kDown, Condition::kHung}) {
    ok_ = retries_ = 0;
    LosePrimaryFor(seconds(8), condition);
    EXPECT_LE(retries_, ok_ / 10 + 10);
    cluster_.Rejoin(1);
    cluster_.Place("s", 1, {2, 3});
    cluster_.node(0).table().Apply(cluster_.HistoryOf("s"));
    RunFor(seconds(400));
  }
}

// Each living node is asked for all who wait, not by each of them.
TEST_F(Failover, WhoWaitsIsCheap) {
  cluster_.network().Set(1, Condition::kDown);
  const uint64_t before = cluster_.node(0).sent();
  for (int i = 0; i < 1'000; ++i) {
    cluster_.Ask(
        0, Operation::kStore, "s", [](const Answer&) {}, seconds(10));
  }
  RunFor(seconds(9));
  // A question every 60 ms at most to four others, and the first tries.
  EXPECT_LE(cluster_.node(0).sent() - before, 1'000 + 9'000 / 60 * 4);
}

TEST_F(Failover, ThePrimaryThatComesBackIsFoundAgain) {
  for (Condition condition : {Condition::kDown, Condition::kHung}) {
    cluster_.network().Set(1, condition);
    claimed_at_ = scheduler().now() + seconds(2);
    scheduler().At(claimed_at_, [this] { cluster_.network().Set(1, Condition::kUp); });
    Load(4, scheduler().now() + seconds(1));
    scheduler().Run();
    EXPECT_EQ(failed_, 0) << error_;
  }
}

TEST_F(Failover, WithoutANewPrimaryAWriteEndsAtItsDeadlineAndSaysWhy) {
  cluster_.network().Set(1, Condition::kDown);
  const TimePoint asked_at = scheduler().now();
  Duration took{};
  absl::Status status;
  cluster_.Ask(0, Operation::kStore, "s", [&](const Answer& a) {
    took = a.at - asked_at;
    status = a.status;
  });
  scheduler().Run();
  EXPECT_EQ(CodeOf(status), ErrorCode::kAllReplicasFailed);
  EXPECT_NE(status.message().find("no primary"), absl::string_view::npos) << status;
  EXPECT_GE(took, milliseconds(9'800));
  EXPECT_LE(took, seconds(10));
}

// Nobody is left who could become primary: nothing to wait for.
TEST_F(Failover, WithoutAnyHolderAWriteFailsSoon) {
  for (size_t holder : {1, 2, 3}) cluster_.network().Set(holder, Condition::kDown);
  const TimePoint asked_at = scheduler().now();
  cluster_.Ask(0, Operation::kStore, "s", [&](const Answer& a) {
    EXPECT_FALSE(a.status.ok());
    EXPECT_LE(a.at - asked_at, seconds(2));
    ++failed_;
  });
  scheduler().Run();
  EXPECT_EQ(failed_, 1);
}

TEST_F(Failover, ReadsGoOnAtTheReplicas) {
  cluster_.network().Set(1, Condition::kHung);
  const TimePoint asked_at = scheduler().now();
  cluster_.Ask(0, Operation::kGet, "s", [&](const Answer& a) {
    EXPECT_TRUE(a.status.ok()) << a.status;
    EXPECT_LE(a.at - asked_at, seconds(2));
    ++ok_;
  });
  scheduler().Run();
  EXPECT_EQ(ok_, 1);
}

}  // namespace
}  // namespace engram::simulation
