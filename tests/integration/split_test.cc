// SPEC R12 with real processes on hosts of their own, and cuts between the hosts: who is cut off
// from the majority finds out, serves what it holds, flagged, refuses the rest at once and asks
// nobody; the majority goes on; after the heal everything is as before. How long that takes is
// printed, and decides nothing.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "engram/base/error.h"
#include "support/split_cluster.h"
#include "support/tcp_sockets.h"

namespace engram::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;

using Seconds = std::chrono::duration<double>;
using Milliseconds = std::chrono::duration<double, std::milli>;
using Clock = std::chrono::steady_clock;

// So that a test takes less time than with the 10 s after which a heal counts by default.
const std::vector<std::string> kHealsSoon = {"--healing", "1s"};

class Split : public ::testing::Test {
 protected:
  // The last `minority` of the nodes are cut off later; the others are the majority.
  void Begin(int nodes, int minority, const std::vector<std::string>& flags = kHealsSoon) {
    auto network = SwitchedNetwork::Create(nodes);
    if (!network.ok()) GTEST_SKIP() << network.status();
    network_ = *std::move(network);
    cluster_ = std::make_unique<SplitCluster>(*network_, nodes, flags);
    for (int node = 0; node < nodes; ++node) {
      (node < nodes - minority ? majority_ : minority_).push_back(node);
      all_.push_back(node);
    }
    ExpectEverybodyServesEverything();
  }
  void TearDown() override { cluster_.reset(); }  // before the network

  // Connections to everybody are open from then on, and every table is complete.
  void ExpectEverybodyServesEverything() {
    for (int at : all_) {
      for (int owner : all_) {
        EXPECT_TRUE(Eventually([&] {
          const auto got = cluster_->Get(at, owner);
          return got.ok() && !got->degraded && got->served_by == cluster_->nodes().Name(owner);
        })) << at
            << " asked for what is at " << owner;
      }
    }
  }

  // What the node has logged of its connectivity, in order.
  std::vector<std::string> LoggedStates(int node) const {
    std::vector<std::string> states;
    std::istringstream log(ReadAll(cluster_->nodes().Log(node)));
    for (std::string line; std::getline(log, line);) {
      for (const char* state : {"connected", "partitioned", "healing", "starting"}) {
        if (line.find(fmt::format("event={} reachable=", state)) != std::string::npos) {
          states.emplace_back(state);
        }
      }
    }
    return states;
  }
  void ExpectEachChangeLoggedOnce(int node) const {
    const std::vector<std::string> states = LoggedStates(node);
    ASSERT_FALSE(states.empty());
    EXPECT_EQ(std::adjacent_find(states.begin(), states.end()), states.end())
        << "node " << node << " logged " << fmt::format("{}", fmt::join(states, ", "));
  }

  static void ExpectFlagged(const std::string& server, const auto& answer) {
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_TRUE(answer->degraded);
    EXPECT_EQ(answer->served_by, server);
  }
  void ExpectServesItsOwn(int node, Part part) {
    const std::string server = cluster_->nodes().Name(node);
    ExpectFlagged(server, cluster_->Get(node, node));
    ExpectFlagged(server, cluster_->ClientOf(node).Store(
                              MakeStore(cluster_->SpaceOf(node), "written-apart", "text")));
    const auto recalled = cluster_->Recall(node, node);
    ExpectFlagged(server, recalled);
    if (!recalled.ok()) return;
    EXPECT_EQ(recalled->message.results_size(), 1);
    EXPECT_NEAR(recalled->message.confidence(), part.Confidence(), 1e-6);
  }

  // Asks the node for all that others hold; returns how long the longest refusal took.
  Milliseconds ExpectRefusesTheRest(int node) {
    Milliseconds longest{};
    const auto expect_refused = [&](int owner, const auto& ask) {
      const auto start = Clock::now();
      const absl::Status status = ask().status();
      longest = std::max(longest, Milliseconds(Clock::now() - start));
      EXPECT_EQ(CodeOf(status), ErrorCode::kNoLocalData) << status;
      EXPECT_EQ(DetailOf(status).space, cluster_->SpaceOf(owner)) << status;
      EXPECT_GT(DetailOf(status).retry_after, Duration::zero()) << status;
    };
    for (int owner : all_) {
      if (owner == node) continue;
      expect_refused(owner, [&] { return cluster_->Get(node, owner); });
      expect_refused(owner, [&] { return cluster_->Recall(node, owner); });
      expect_refused(owner, [&] {
        return cluster_->ClientOf(node).Store(MakeStore(cluster_->SpaceOf(owner), "no", "text"));
      });
    }
    return longest;
  }

  // Of a recall over the spaces of all nodes only one's own is answered.
  void ExpectAnswersInPart(int node, Part part) {
    v1::RecallManyRequest request;
    request.set_query(SplitCluster::kMemory);
    for (int owner : all_) request.add_spaces(cluster_->SpaceOf(owner));
    const auto answer = cluster_->ClientOf(node).RecallMany(request);
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_TRUE(answer->degraded);
    EXPECT_EQ(answer->message.results_size(), 1);
    EXPECT_LT(answer->message.confidence(), part.Confidence());
    const v1::Coverage& coverage = answer->message.coverage();
    EXPECT_EQ(coverage.answered(), 1u);
    EXPECT_EQ(coverage.missing_size(), static_cast<int>(all_.size()) - 1);
    for (const v1::MissingSpace& missing : coverage.missing()) {
      EXPECT_EQ(missing.code(), "NO_LOCAL_DATA");
      EXPECT_GT(missing.retry_after_ms(), 0u);
    }
  }

  // What the minority serves and refuses; it asks nobody for any of it.
  void ExpectTheMinorityKeepsToItself(Part part) {
    constexpr int kRounds = 10;
    for (int node : minority_) {
      const double attempts = cluster_->Attempts(node);
      Milliseconds longest{};
      for (int round = 0; round < kRounds && !HasFailure(); ++round) {
        ExpectServesItsOwn(node, part);
        longest = std::max(longest, ExpectRefusesTheRest(node));
        ExpectAnswersInPart(node, part);
      }
      EXPECT_EQ(cluster_->Attempts(node), attempts);
      fmt::print("{}: the longest refusal took {:.1f} ms\n", cluster_->nodes().Name(node),
                 longest.count());
    }
  }

  void ExpectTheMajorityGoesOn() {
    for (int at : majority_) {
      for (int owner : majority_) {
        const auto got = cluster_->Get(at, owner);
        ASSERT_TRUE(got.ok()) << got.status();
        EXPECT_FALSE(got->degraded);
        const auto recalled = cluster_->Recall(at, owner);
        ASSERT_TRUE(recalled.ok()) << recalled.status();
        EXPECT_EQ(recalled->message.confidence(), 1);
        const auto stored = cluster_->ClientOf(at).Store(
            MakeStore(cluster_->SpaceOf(owner), fmt::format("written-by-{}", at), "text"));
        ASSERT_TRUE(stored.ok()) << stored.status();
        EXPECT_FALSE(stored->degraded);
      }
    }
  }

  void AwaitCutOff(Part part) {
    const auto start = Clock::now();
    EXPECT_TRUE(cluster_->AwaitPart(minority_, part));
    fmt::print("the minority knows after {:.1f} s\n", Seconds(Clock::now() - start).count());
  }

  // What was written apart is there, too.
  void HealAndExpectAllIsWell() {
    const auto start = Clock::now();
    network_->Heal();
    EXPECT_TRUE(cluster_->AwaitWhole(all_));
    fmt::print("flags are gone {:.1f} s after the heal", Seconds(Clock::now() - start).count());
    EXPECT_TRUE(cluster_->AwaitAllAlive());
    fmt::print(", all see all alive after {:.1f} s", Seconds(Clock::now() - start).count());
    ExpectEverybodyServesEverything();
    fmt::print(", all serve all after {:.1f} s\n", Seconds(Clock::now() - start).count());
    for (int owner : minority_) {
      const auto got =
          cluster_->ClientOf(0).Get(MakeGet(cluster_->SpaceOf(owner), "written-apart"));
      EXPECT_TRUE(got.ok()) << got.status();
    }
  }

  // Written into connections to the majority, and not acknowledged.
  uint64_t UnacknowledgedOf(int node) const {
    const InsideNamespace inside(network_->host(node));
    uint64_t sum = 0;
    for (const TcpSocket& socket : OpenTcpSockets()) {
      for (int far : majority_) {
        if (socket.remote.starts_with(network_->Address(far) + ":")) {
          sum += socket.unacknowledged_bytes;
        }
      }
    }
    return sum;
  }

  void PrintTraffic(Fate fate, const SwitchTraffic& before) const {
    const SwitchTraffic now = network_->Traffic();
    const auto packets = [&](PacketKind kind) {
      return now.Of(kind, fate, minority_, majority_).packets -
             before.Of(kind, fate, minority_, majority_).packets;
    };
    fmt::print(
        "minority to majority meanwhile: {} UDP packets, {} TCP connections tried, {} TCP packets "
        "with payload",
        packets(PacketKind::kUdp), packets(PacketKind::kTcpSyn), packets(PacketKind::kTcpPayload));
    for (int node : minority_) {
      fmt::print("; {} waits for {} bytes to be acknowledged", cluster_->nodes().Name(node),
                 UnacknowledgedOf(node));
    }
    fmt::print("\n");
  }

  std::unique_ptr<SwitchedNetwork> network_;
  std::unique_ptr<SplitCluster> cluster_;
  Hosts majority_;
  Hosts minority_;
  Hosts all_;
};

// As configured by default: the times that are printed are those of an ordinary node.
TEST_F(Split, TwoOfFiveServeWhatTheyHoldUntilTheHeal) {
  Begin(5, 2, {});
  if (IsSkipped()) return;
  network_->Cut(minority_, majority_);
  AwaitCutOff({2, 5});
  const SwitchTraffic before = network_->Traffic();
  ExpectTheMinorityKeepsToItself({2, 5});
  PrintTraffic(Fate::kCut, before);
  ExpectTheMajorityGoesOn();
  HealAndExpectAllIsWell();
  for (int node : all_) ExpectEachChangeLoggedOnce(node);
  for (int node : minority_) {
    EXPECT_THAT(LoggedStates(node), AllOf(Contains("partitioned"), Contains("healing")));
    EXPECT_EQ(LoggedStates(node).back(), "connected");
  }
}

TEST_F(Split, OneOfFiveServesWhatItHoldsUntilTheHeal) {
  Begin(5, 1);
  if (IsSkipped()) return;
  network_->Cut(minority_, majority_);
  AwaitCutOff({1, 5});
  ExpectTheMinorityKeepsToItself({1, 5});
  ExpectTheMajorityGoesOn();
  HealAndExpectAllIsWell();
}

// It hears the majority, and knows by the silence after its own words.
TEST_F(Split, WhoIsNotHeardByTheMajorityIsCutOff) {
  Begin(5, 2);
  if (IsSkipped()) return;
  network_->CutOneWay(minority_, majority_);
  AwaitCutOff({2, 5});
  ExpectTheMinorityKeepsToItself({2, 5});
  ExpectTheMajorityGoesOn();
  HealAndExpectAllIsWell();
}

// What it sends gets there: were there requests, the majority would count them.
TEST_F(Split, WhoDoesNotHearTheMajorityIsCutOffAndSendsItNoRequest) {
  Begin(5, 2);
  if (IsSkipped()) return;
  network_->CutOneWay(majority_, minority_);
  AwaitCutOff({2, 5});
  std::map<int, double> before;
  for (int node : majority_) before[node] = cluster_->Counted(node, "engram_peer_requests_total");
  const SwitchTraffic traffic = network_->Traffic();
  ExpectTheMinorityKeepsToItself({2, 5});
  PrintTraffic(Fate::kDelivered, traffic);
  for (int node : majority_) {
    EXPECT_EQ(cluster_->Counted(node, "engram_peer_requests_total"), before[node]);
  }
  ExpectTheMajorityGoesOn();
  HealAndExpectAllIsWell();
}

TEST_F(Split, TwoNodesWithoutEachOtherAreBothDegradedButAvailable) {
  Begin(2, 2);
  if (IsSkipped()) return;
  network_->Cut({0}, {1});
  AwaitCutOff({1, 2});
  ExpectTheMinorityKeepsToItself({1, 2});
  HealAndExpectAllIsWell();
}

TEST_F(Split, TheSurvivorOfTwoIsDegradedButAvailableUntilTheOtherIsBack) {
  Begin(2, 1);
  if (IsSkipped()) return;
  cluster_->nodes().Kill9(0);
  AwaitCutOff({1, 2});
  ExpectTheMinorityKeepsToItself({1, 2});
  cluster_->nodes().Start(0);
  HealAndExpectAllIsWell();
}

}  // namespace
}  // namespace engram::testing
