// A cluster is split and healed under a load of writes: what was acknowledged is there afterwards,
// from wherever it is asked for.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "support/split_cluster.h"

namespace engram::testing {
namespace {

constexpr int kNodes = 5;

struct Written {
  std::string space;
  std::string id;
  bool degraded = false;
};

// Writes through one node into the spaces of all in turn, until told to stop; what was acknowledged
// is its own to read then. A write that fails is not repeated.
class Writer {
 public:
  Writer(SplitCluster& cluster, int entry)
      : cluster_(cluster),
        entry_(entry),
        client_(cluster.nodes().Client({entry}, std::chrono::seconds(2))),
        running_(std::async(std::launch::async, [this] { Run(); })) {}
  ~Writer() { Stop(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  const std::vector<Written>& Stop() {
    stop_ = true;
    if (running_.valid()) running_.get();
    return acknowledged_;
  }
  int failed() const { return failed_; }
  // Acknowledged so far, flagged ones.
  int degraded() const { return degraded_; }
  int unflagged() const { return unflagged_; }

 private:
  void Run() {
    for (int turn = 0; !stop_; ++turn) {
      Written write{cluster_.SpaceOf(turn % kNodes), fmt::format("w{}-{}", entry_, turn)};
      const auto stored = client_->Store(MakeStore(write.space, write.id, "text"));
      if (!stored.ok()) {
        ++failed_;
        continue;
      }
      write.degraded = stored->degraded;
      ++(write.degraded ? degraded_ : unflagged_);
      acknowledged_.push_back(std::move(write));
    }
  }

  SplitCluster& cluster_;
  const int entry_;
  const std::unique_ptr<client::Client> client_;
  std::vector<Written> acknowledged_;  // the thread's until it has ended
  std::atomic<int> failed_ = 0;
  std::atomic<int> degraded_ = 0;
  std::atomic<int> unflagged_ = 0;
  std::atomic<bool> stop_ = false;
  std::future<void> running_;  // last: it uses the others
};

bool IsThere(SplitCluster& cluster, int at, const Written& write) {
  return Eventually([&] {
    const auto got = cluster.ClientOf(at).Get(MakeGet(write.space, write.id));
    return got.ok() && !got->degraded;
  });
}

TEST(SplitUnderLoad, NothingAcknowledgedIsLost) {
  auto network = SwitchedNetwork::Create(kNodes);
  if (!network.ok()) GTEST_SKIP() << network.status();
  SplitCluster cluster(**network, kNodes, {"--healing", "1s"});
  std::vector<std::unique_ptr<Writer>> writers;
  for (int entry = 0; entry < kNodes; ++entry) {
    writers.push_back(std::make_unique<Writer>(cluster, entry));
  }
  const auto all = [&](const auto& condition) {
    return Eventually([&] { return std::all_of(writers.begin(), writers.end(), condition); });
  };
  EXPECT_TRUE(all([](const auto& writer) { return writer->unflagged() >= 100; }));

  (*network)->Cut({0, 1, 2}, {3, 4});
  for (int cut_off : {3, 4}) {
    EXPECT_TRUE(Eventually([&] { return writers[cut_off]->degraded() >= 100; }));
  }
  (*network)->Heal();
  EXPECT_TRUE(cluster.AwaitWhole({0, 1, 2, 3, 4}));
  EXPECT_TRUE(cluster.AwaitAllAlive());
  std::vector<int> at_heal;
  for (const auto& writer : writers) at_heal.push_back(writer->unflagged());
  for (int i = 0; i < kNodes; ++i) {
    EXPECT_TRUE(Eventually([&] { return writers[i]->unflagged() >= at_heal[i] + 100; }));
  }

  for (int entry = 0; entry < kNodes; ++entry) {
    const std::vector<Written>& acknowledged = writers[entry]->Stop();
    const int elsewhere = (entry + 3) % kNodes;
    fmt::print("through {}: {} acknowledged, {} of them flagged, {} failed\n",
               cluster.nodes().Name(entry), acknowledged.size(), writers[entry]->degraded(),
               writers[entry]->failed());
    for (const Written& write : acknowledged) {
      // Through the majority only what the minority took when it was reached again and not yet sure
      // of it.
      const bool of_minority =
          write.space == cluster.SpaceOf(3) || write.space == cluster.SpaceOf(4);
      EXPECT_TRUE(!write.degraded || of_minority) << write.space << " " << write.id;
      ASSERT_TRUE(IsThere(cluster, elsewhere, write)) << write.space << " " << write.id;
    }
  }
}

}  // namespace
}  // namespace engram::testing
