// SPEC R5 with real processes: in a connected cluster with live owners every request succeeds with
// at most three hops, whatever once-true assignments the tables hold at the start. The simulator
// asks the same of many more tables (tests/simulation/stale_tables_test.cc).
//
// ENGRAM_TEST_SEED=N ENGRAM_TEST_TABLES=M draws other tables, or more.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <future>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "support/cluster.h"
#include "support/requests.h"
#include "support/scrape.h"
#include "support/test_hooks.h"

namespace engram::testing {
namespace {

constexpr int kNodes = 5;
constexpr int kSpaces = 4;
constexpr uint64_t kFirstCounter = 10;
constexpr size_t kHopsMax = 3;

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TestClusterOptions FiveNodes() {
  TestClusterOptions options;
  options.nodes = kNodes;
  options.flags = kTestHooksFlags;
  return options;
}

// The first forward, and each that followed a redirect: to the node that it named. Repeats, and
// what asking everybody led to, are not counted: SPEC §1 tells them apart.
size_t HopsOf(const std::vector<v1::Attempt>& route) {
  if (route.size() == 1 && route[0].reason() == "local") return 0;
  size_t hops = 1;
  for (size_t i = 0; i + 1 < route.size(); ++i) {
    const bool named =
        route[i].reason().ends_with(fmt::format("node {} does", route[i + 1].node()));
    const bool looked_up = route[i + 1].reason() == "found by asking all";
    hops += route[i].outcome() == "redirect" && named && !looked_up ? 1 : 0;
  }
  return hops;
}

std::string Describe(const std::vector<v1::Attempt>& route) {
  std::string text;
  for (const v1::Attempt& a : route) {
    text += fmt::format("\n  {} {}: {}", a.node(), a.outcome(), a.reason());
  }
  return text;
}

// What a request came to, whichever operation it was.
struct Result {
  absl::Status status;
  bool found = false;  // what was asked for
  std::string served_by;
  std::vector<v1::Attempt> route;
};

template <class Message, class Check>
Result ToResult(absl::StatusOr<client::Answer<Message>> answer, Check found) {
  if (!answer.ok()) return {answer.status(), false, "", client::AttemptsOf(answer.status())};
  return {absl::OkStatus(), found(answer->message), answer->served_by, std::move(answer->route)};
}

class StaleRoutes : public ::testing::Test {
 protected:
  StaleRoutes() {
    for (int i = 0; i < kNodes; ++i) clients_.push_back(cluster_.Client({i}));
    for (int i = 0; i < kSpaces; ++i) GiveHistory(fmt::format("space-{}", i));
  }

  // The space is at one node after another, and has its memory at each.
  void GiveHistory(const std::string& space) {
    const size_t length = 1 + Draw(6);
    for (size_t i = 0; i < length; ++i) Settle(space, static_cast<int>(Draw(kNodes)));
  }

  void Settle(const std::string& space, int holder) {
    Move(space, holder);
    auto stored = clients_[static_cast<size_t>(holder)]->Store(MakeStore(space, "tea", "kettle"));
    ASSERT_TRUE(stored.ok()) << stored.status();
    EXPECT_EQ(stored->served_by, cluster_.Name(holder));
  }

  // Its former holder and the new one know, and nobody else.
  void Move(const std::string& space, int to) {
    std::vector<v1::Assignment>& history = histories_[space];
    const std::string from = history.empty() ? cluster_.Name(to) : history.back().primary();
    history.push_back(MakeAssignment(cluster_, space, kFirstCounter + history.size(), to));
    hooks_.Hold(to, history.back());
    if (from == cluster_.Name(to)) return;
    hooks_.Hold(cluster_.IndexOf(from), history.back());
    hooks_.Drop(cluster_.IndexOf(from), space);
  }

  // Of each space the node knows an assignment that was true once, or nothing.
  void Scramble(int node) {
    std::vector<v1::Assignment> table;
    for (const auto& [space, history] : histories_) {
      const size_t which = Draw(history.size() + 1);
      if (which < history.size()) table.push_back(history[which]);
    }
    hooks_.InstallTable(node, table);
  }

  Result Ask(int entry, const std::string& space) {
    return Ask(*clients_[static_cast<size_t>(entry)], space, Draw(3));
  }
  static Result Ask(client::Client& client, const std::string& space, size_t operation) {
    switch (operation) {
      case 0:
        return ToResult(client.Store(MakeStore(space, "tea", "kettle"), client::Explain::kYes),
                        [](const v1::StoreResponse& r) { return r.id() == "tea"; });
      case 1:
        return ToResult(client.Get(MakeGet(space, "tea"), client::Explain::kYes),
                        [](const v1::GetResponse& r) { return r.content() == "kettle"; });
      default:
        return ToResult(client.Recall(MakeRecall(space, "kettle"), client::Explain::kYes),
                        [](const v1::RecallResponse& r) { return r.results_size() == 1; });
    }
  }

  // Every node is asked for every space.
  void AskEverywhere() {
    for (int entry = 0; entry < kNodes; ++entry) {
      for (const auto& [space, history] : histories_) {
        const Result result = Ask(entry, space);
        const std::string about = fmt::format("seed {}: {} asked for {}:{}", seed_,
                                              cluster_.Name(entry), space, Describe(result.route));
        ASSERT_TRUE(result.status.ok()) << result.status << about;
        EXPECT_TRUE(result.found) << about;
        EXPECT_EQ(result.served_by, history.back().primary()) << about;
        const size_t hops = HopsOf(result.route);
        ASSERT_LE(hops, kHopsMax) << about;
        ++by_hops_[hops];
        look_ups_ += result.route.back().reason() == "found by asking all" ? 1 : 0;
      }
    }
  }

  // The nodes' own count.
  double HopsCounted() {
    double sum = 0;
    for (int i = 0; i < kNodes; ++i) {
      sum += ValueOf(Scrape(cluster_, i), "engram_routing_hops_total");
    }
    return sum;
  }

  size_t Draw(size_t below) { return std::uniform_int_distribution<size_t>(0, below - 1)(random_); }

  const uint64_t seed_ = FromEnvironment("ENGRAM_TEST_SEED", 1);
  std::mt19937_64 random_{seed_};
  TestCluster cluster_{FiveNodes()};
  TestHooks hooks_{cluster_};
  std::vector<std::unique_ptr<client::Client>> clients_;
  std::map<std::string, std::vector<v1::Assignment>> histories_;  // by space, oldest first
  std::array<size_t, kHopsMax + 1> by_hops_{};
  size_t look_ups_ = 0;
};

TEST_F(StaleRoutes, EveryRequestSucceedsWithinThreeHops) {
  const uint64_t tables = FromEnvironment("ENGRAM_TEST_TABLES", 100);
  const double before = HopsCounted();
  for (uint64_t table = 0; table < tables && !HasFatalFailure(); ++table) {
    for (int node = 0; node < kNodes; ++node) Scramble(node);
    AskEverywhere();
  }
  fmt::print(
      "seed {}, {} tables: served here {}, forwards beyond the first: none {}, one {}, two {}; "
      "owner found by asking all {}\n",
      seed_, tables, by_hops_[0], by_hops_[1], by_hops_[2], by_hops_[3], look_ups_);
  EXPECT_GT(by_hops_[2], 0u) << "no table was stale";
  EXPECT_EQ(HopsCounted() - before,
            static_cast<double>(by_hops_[1] + 2 * by_hops_[2] + 3 * by_hops_[3]));
}

TEST_F(StaleRoutes, TheNextRequestGoesStraightThere) {
  for (int node = 0; node < kNodes; ++node) Scramble(node);
  AskEverywhere();
  by_hops_ = {};
  AskEverywhere();
  EXPECT_EQ(by_hops_[0] + by_hops_[1], static_cast<size_t>(kNodes * kSpaces));
}

// Clients that ask any node for any space, each on a thread of its own, while these change.
class MovingSpaces : public StaleRoutes {
 protected:
  static constexpr int kAskers = 4;

  // Every node gets the memory of every space, so that it is there wherever the space moves to.
  MovingSpaces() {
    for (int node = 0; node < kNodes; ++node) {
      for (int i = 0; i < kSpaces; ++i) Settle(fmt::format("space-{}", i), node);
    }
    for (uint64_t i = 0; i < kAskers; ++i) {
      askers_.push_back(std::async(std::launch::async, [this, i] { AskOnAndOn(seed_ + i); }));
    }
  }
  ~MovingSpaces() override { StopAsking(); }

  void StopAsking() {
    stopping_ = true;
    for (std::future<void>& asker : askers_) asker.wait();
  }

  // So many more requests have been answered; false if one went wrong.
  bool AwaitAnswers(uint64_t more) {
    const uint64_t until = answered_ + more;
    EXPECT_TRUE(Eventually([&] { return answered_ >= until || HasFailure(); })) << "they hang";
    return !HasFailure();
  }

  std::atomic<uint64_t> answered_{0};
  std::array<std::atomic<uint64_t>, kHopsMax + 1> hops_{};

 private:
  void AskOnAndOn(uint64_t seed) {
    std::mt19937_64 random(seed);
    const auto draw = [&random](size_t below) {
      return std::uniform_int_distribution<size_t>(0, below - 1)(random);
    };
    std::vector<std::unique_ptr<client::Client>> clients;
    for (int node = 0; node < kNodes; ++node) clients.push_back(cluster_.Client({node}));
    while (!stopping_ && !HasFailure()) {
      const size_t entry = draw(kNodes);
      const std::string space = fmt::format("space-{}", draw(kSpaces));
      Check(Ask(*clients[entry], space, draw(3)), static_cast<int>(entry), space);
    }
  }

  void Check(const Result& result, int entry, const std::string& space) {
    const std::string about = fmt::format("seed {}: {} asked for {}:{}", seed_,
                                          cluster_.Name(entry), space, Describe(result.route));
    EXPECT_TRUE(result.status.ok()) << result.status << about;
    EXPECT_TRUE(result.found) << about;
    const size_t hops = HopsOf(result.route);
    EXPECT_LE(hops, kHopsMax) << about;
    ++hops_[std::min(hops, kHopsMax)];
    ++answered_;
  }

  std::atomic<bool> stopping_{false};
  std::vector<std::future<void>> askers_;
};

TEST_F(MovingSpaces, EveryRequestSucceedsWithinThreeHopsWhileAssignmentsChange) {
  const uint64_t moves = FromEnvironment("ENGRAM_TEST_TABLES", 100);
  uint64_t moved = 0;
  while (moved < moves && AwaitAnswers(20)) {
    Move(fmt::format("space-{}", Draw(kSpaces)), static_cast<int>(Draw(kNodes)));
    if (++moved % 5 == 0) Scramble(static_cast<int>(Draw(kNodes)));
  }
  StopAsking();
  fmt::print(
      "seed {}, {} moves: served here {}, forwards beyond the first: none {}, one {}, two {}\n",
      seed_, moved, hops_[0].load(), hops_[1].load(), hops_[2].load(), hops_[3].load());
  EXPECT_EQ(moved, moves);
  EXPECT_GT(hops_[2], 0u) << "no table was stale";
}

}  // namespace
}  // namespace engram::testing
