// Packets between all nodes are dropped below TCP, and every request succeeds within its deadline.
// `tools/bench loss` runs it and prints how long requests take. Each node has clients of its own,
// which ask it for spaces of all the others and reach it without loss: what is measured is the way
// between nodes.
//
// ENGRAM_LOSS_REQUESTS=N asks more often, at each rate of loss.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "support/cluster.h"
#include "support/private_network.h"
#include "support/requests.h"

namespace engram::testing {
namespace {

using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr int kNodes = 3;
constexpr int kClients = 3 * kNodes;
constexpr char kBetweenNodes[] = "127.0.0.2";
constexpr std::chrono::seconds kDeadline(10);

int RequestsPerClient() {
  const char* text = std::getenv("ENGRAM_LOSS_REQUESTS");
  return text == nullptr ? 25 : std::max(1, std::atoi(text) / kClients);
}

struct Tally {
  std::vector<double> took_ms;
  std::vector<absl::Status> failed;

  void Add(const Tally& other) {
    took_ms.insert(took_ms.end(), other.took_ms.begin(), other.took_ms.end());
    failed.insert(failed.end(), other.failed.begin(), other.failed.end());
  }
};

TestClusterOptions OtherAddressBetweenNodes() {
  TestClusterOptions options;
  options.nodes = kNodes;
  options.between_nodes = kBetweenNodes;
  return options;
}

class Lossy {
 public:
  explicit Lossy(PrivateNetwork& network) : network_(network) {
    for (int owner = 0; owner < kNodes; ++owner) {
      spaces_.push_back(cluster_.SpaceOn(owner));
      auto stored = cluster_.Client({owner})->Store(MakeStore(spaces_.back(), "tea", "kettle"));
      EXPECT_TRUE(stored.ok()) << stored.status();
    }
  }

  // Of all clients at once, each asking for the spaces in turn: stores, gets, recalls.
  Tally AskAt(int percent) {
    network_.Lose(percent, kBetweenNodes);
    std::vector<std::future<Tally>> running;
    for (int i = 0; i < kClients; ++i) {
      running.push_back(std::async(std::launch::async, [this, i] { return RunClient(i); }));
    }
    Tally all;
    for (std::future<Tally>& one : running) all.Add(one.get());
    std::sort(all.took_ms.begin(), all.took_ms.end());
    return all;
  }

 private:
  Tally RunClient(int number) {
    const int entry = number % kNodes;
    auto client = cluster_.Client({entry}, kDeadline);
    Tally tally;
    for (int i = 0; i < RequestsPerClient(); ++i) {
      const auto start = std::chrono::steady_clock::now();
      const absl::Status status = Ask(*client, entry, number + i);
      tally.took_ms.push_back(Milliseconds(std::chrono::steady_clock::now() - start).count());
      if (!status.ok()) tally.failed.push_back(status);
    }
    return tally;
  }

  absl::Status Ask(client::Client& client, int entry, int turn) {
    const int owner = (entry + 1 + turn % (kNodes - 1)) % kNodes;
    const std::string& space = spaces_[static_cast<size_t>(owner)];
    switch (turn / (kNodes - 1) % 3) {
      case 0:
        return client.Store(MakeStore(space, fmt::format("m{}", turn), "text")).status();
      case 1:
        return client.Get(MakeGet(space, "tea")).status();
      default:
        return client.Recall(MakeRecall(space, "kettle")).status();
    }
  }

  PrivateNetwork& network_;
  TestCluster cluster_{OtherAddressBetweenNodes()};
  std::vector<std::string> spaces_;  // by owner
};

double Quantile(const std::vector<double>& sorted, double share) {
  return sorted[std::min(sorted.size() - 1,
                         static_cast<size_t>(share * static_cast<double>(sorted.size())))];
}

TEST(LossyNetwork, EveryRequestSucceedsWithinItsDeadline) {
  auto network = PrivateNetwork::Create();
  if (!network.ok()) GTEST_SKIP() << network.status();
  Lossy lossy(**network);
  fmt::print(
      "| lost, each way | packets lost | requests | failed | p50 | p90 | p99 | p99.9 | longest "
      "|\n");
  fmt::print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
  uint64_t lost_at_all = 0;  // at 1 % it may be none, once in a hundred runs
  for (int percent : {0, 1, 5, 10}) {
    const Tally tally = lossy.AskAt(percent);
    const std::vector<double>& ms = tally.took_ms;
    const uint64_t lost = (*network)->Dropped();
    fmt::print(
        "| {} % | {} | {} | {} | {:.2f} ms | {:.2f} ms | {:.0f} ms | {:.0f} ms | {:.0f} ms |\n",
        percent, lost, ms.size(), tally.failed.size(), Quantile(ms, 0.5), Quantile(ms, 0.9),
        Quantile(ms, 0.99), Quantile(ms, 0.999), ms.back());
    lost_at_all += lost;
    EXPECT_TRUE(tally.failed.empty()) << percent << " %: " << tally.failed.front();
  }
  EXPECT_GT(lost_at_all, 0u);
}

}  // namespace
}  // namespace engram::testing
