// SPEC R7 to R9: what a dead, a hanging and a cut-off node cost, and what the others are asked for
// because of it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "simulation/sim_cluster.h"

namespace engram::simulation {
namespace {

using routing::Operation;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Outage : public testing::Test {
 protected:
  // A space whose primary is node 1, its copy on node 2; node 0 knows.
  void Make(const SimOptions& options = {}) {
    cluster_ = std::make_unique<SimCluster>(options);
    cluster_->Place("copied", 1, {2});
    cluster_->Place("single", 1);
    for (const char* space : {"copied", "single"}) {
      cluster_->node(0).table().Apply(cluster_->HistoryOf(space));
    }
  }
  Scheduler& scheduler() { return cluster_->scheduler(); }

  // `clients` ask node 0 one request after the other until `end`.
  void Load(int clients, Operation op, const std::string& space, Duration limit, TimePoint end) {
    for (int i = 0; i < clients; ++i) Again(op, space, limit, end);
  }
  void Again(Operation op, const std::string& space, Duration limit, TimePoint end) {
    const TimePoint asked_at = scheduler().now();
    if (asked_at >= end) return;
    ++asked_;
    cluster_->Ask(
        0, op, space,
        [=, this](const Answer& a) {
          EXPECT_LE(a.at - asked_at, limit);
          slowest_ = std::max(slowest_, a.at - asked_at);
          ok_ += a.status.ok() ? 1 : 0;
          if (!a.status.ok()) ++failed_[std::string(InfoOf(CodeOf(a.status)).name)];
          scheduler().After(pause_, [=, this] { Again(op, space, limit, end); });
        },
        limit);
  }
  void RunFor(Duration time) { scheduler().Run(scheduler().now() + time); }

  std::unique_ptr<SimCluster> cluster_;
  Duration pause_ = milliseconds(20);  // of a client between two requests
  int asked_ = 0, ok_ = 0;
  Duration slowest_{};
  std::map<std::string, int> failed_;
};

TEST_F(Outage, ReplicaFallbackOnPrimaryFailure) {
  for (Condition condition : {Condition::kDown, Condition::kHung}) {
    Make();
    cluster_->network().Set(1, condition);
    // The last ones come after 30 s: one of them is the probe.
    for (int i = 0; i < 25; ++i) {
      const TimePoint asked_at = scheduler().now();
      cluster_->Ask(0, Operation::kGet, "copied", [&](const Answer& a) {
        EXPECT_TRUE(a.status.ok()) << a.status;
        EXPECT_EQ(a.served_by, cluster_->id(2).value());
        EXPECT_LE(a.at - asked_at, i < 5 ? seconds(2) : milliseconds(100)) << i;
      });
      RunFor(seconds(2));
    }
  }
}

// A network that swallows what goes to the primary looks like a primary that hangs.
TEST_F(Outage, ReplicaFallbackWhenTheWayToThePrimaryIsCut) {
  Make();
  cluster_->network().Cut(0, 1);
  const TimePoint asked_at = scheduler().now();
  cluster_->Ask(0, Operation::kRecall, "copied", [&](const Answer& a) {
    EXPECT_TRUE(a.status.ok()) << a.status;
    EXPECT_LE(a.at - asked_at, seconds(2));
  });
  scheduler().Run();
}

TEST_F(Outage, TotalOutageOfOneNodeIsNotAmplified) {
  Make();
  const TimePoint start = scheduler().now();
  Load(64, Operation::kGet, "single", seconds(10), start + seconds(120));
  RunFor(seconds(5));
  cluster_->network().Set(1, Condition::kDown);
  const int asked_before = asked_;
  const auto& node = cluster_->node(0).nodes().Of(routing::NodeIndex(1));
  const uint64_t sent_before = cluster_->node(0).sent();
  RunFor(seconds(20));
  const double asked = asked_ - asked_before;
  // To all nodes: the tries at node 1, and the questions to the others who holds the space.
  const double sent = static_cast<double>(cluster_->node(0).sent() - sent_before);
  EXPECT_GT(asked, 10'000);
  EXPECT_LE(sent / asked, 1.1);
  EXPECT_GE(node.reads.openings(), 1u);
  fmt::print("outage: {} requests, {} sent\n", asked, sent);
}

TEST_F(Outage, TheNodeIsUsedAgainSoonAfterItIsBack) {
  Make();
  const TimePoint start = scheduler().now();
  Load(64, Operation::kGet, "single", seconds(10), start + seconds(60));
  cluster_->network().Set(1, Condition::kDown);
  RunFor(seconds(10));
  EXPECT_EQ(ok_, 0);
  cluster_->network().Set(1, Condition::kUp);
  RunFor(seconds(3));
  EXPECT_GT(ok_, 64) << "the last holder is probed once a second";
}

// Its breaker is open, and nobody but it can say that the space is there.
TEST_F(Outage, ASpaceThatOnlyTheLostNodeKnowsIsFoundSoonAfterItIsBack) {
  Make();
  const TimePoint start = scheduler().now();
  cluster_->node(0).table().ReplaceForTest({});
  cluster_->network().Set(1, Condition::kHung);
  Load(64, Operation::kGet, "single", seconds(1), start + seconds(60));
  RunFor(seconds(15));
  EXPECT_EQ(ok_, 0);
  EXPECT_GE(cluster_->node(0).nodes().Of(routing::NodeIndex(1)).reads.openings(), 1u);
  cluster_->network().Set(1, Condition::kUp);
  RunFor(seconds(3));
  EXPECT_GT(ok_, 64);
}

TEST_F(Outage, CircuitBreakerPreventsCascade) {
  Make();
  cluster_->network().Set(1, Condition::kHung);
  const TimePoint start = scheduler().now();
  Load(64, Operation::kGet, "copied", seconds(10), start + seconds(20));
  RunFor(seconds(1));
  ok_ = 0;
  slowest_ = {};
  RunFor(seconds(5));
  EXPECT_TRUE(failed_.empty());
  EXPECT_GT(ok_, 64 * 200) << "nobody waits for the node that hangs";
  EXPECT_LT(slowest_, milliseconds(100));
}

TEST_F(Outage, ExactlyOneProbePerHalfOpenPeriod) {
  Make();
  cluster_->network().Set(1, Condition::kDown);
  const TimePoint start = scheduler().now();
  pause_ = milliseconds(100);
  // Another holder is there, so that nobody probes before the time.
  Load(64, Operation::kGet, "copied", seconds(10), start + seconds(31));
  RunFor(seconds(29));
  const auto& breaker = cluster_->node(0).nodes().Of(routing::NodeIndex(1)).reads;
  EXPECT_EQ(breaker.probes(), 0u);
  RunFor(seconds(2));
  EXPECT_EQ(breaker.probes(), 1u);
  EXPECT_EQ(breaker.openings(), 2u);
}

// What success costs when messages are lost for good, which TCP prevents below: the more a node may
// repeat, the more requests succeed.
TEST_F(Outage, SuccessAgainstBudgetForLostMessages) {
  fmt::print(
      "| lost, each way | budget | asked | succeeded | sent / asked |\n| --- | --- | --- | --- | "
      "--- |\n");
  for (double loss : {0.0, 0.01, 0.05, 0.1}) {
    double before = 0;
    for (double ratio : {0.0, 0.1, 0.5}) {
      SimOptions options;
      options.link.loss = loss;
      options.health.budget = {ratio, ratio == 0 ? 0 : 1.0, 100};
      options.health.breaker.failures_max = 1'000;  // only the budget is looked at
      pause_ = milliseconds(200);
      Make(options);
      asked_ = ok_ = 0;
      failed_.clear();
      Load(64, Operation::kStore, "single", seconds(10), scheduler().now() + seconds(60));
      scheduler().Run();
      const double success = static_cast<double>(ok_) / asked_;
      fmt::print("| {} % | {} % | {} | {:.3f} % | {:.3f} |\n", loss * 100, ratio * 100, asked_,
                 success * 100, static_cast<double>(cluster_->node(1).received()) / asked_);
      EXPECT_GE(success, before - 0.01) << "more budget must not harm";
      if (loss == 0) {
        EXPECT_EQ(success, 1);
      }
      before = success;
    }
  }
}

}  // namespace
}  // namespace engram::simulation
