// What was acknowledged before a kill -9 is there after the restart.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <random>
#include <thread>

#include "support/cluster.h"

namespace engram::testing {
namespace {

constexpr int kRounds = 20;
constexpr int kWriters = 4;

// Writes through another node until told to stop; remembers what was acknowledged.
class Writer {
 public:
  Writer(TestCluster& cluster, std::string space, std::string prefix)
      : client_(cluster.Client({0}, std::chrono::milliseconds(2000))),
        space_(std::move(space)),
        prefix_(std::move(prefix)) {
    thread_ = std::thread([this] { Run(); });
  }
  ~Writer() {
    stop_ = true;
    thread_.join();
  }
  int acknowledged() const { return acknowledged_; }
  std::vector<std::string> Stop() {
    stop_ = true;
    while (!ended_) std::this_thread::yield();
    return ids_;
  }

 private:
  void Run() {
    for (int i = 0; !stop_; ++i) {
      v1::StoreRequest request;
      request.set_space(space_);
      request.set_id(prefix_ + std::to_string(i));
      request.set_content("memory " + request.id());
      if (client_->Store(request).ok()) {
        ids_.push_back(request.id());
        ++acknowledged_;
      }
    }
    ended_ = true;
  }

  std::unique_ptr<client::Client> client_;
  const std::string space_;
  const std::string prefix_;
  std::vector<std::string> ids_;
  std::atomic<int> acknowledged_ = 0;
  std::atomic<bool> stop_ = false;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

TEST(Crash, NothingAcknowledgedIsLostOverTwentyKillPoints) {
  uint64_t seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  std::mt19937_64 random(seed);
  TestClusterOptions options;
  options.nodes = 2;
  TestCluster cluster(options);
  std::string space = cluster.SpaceOn(1);
  size_t total = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::string> acknowledged;
    {
      std::vector<std::unique_ptr<Writer>> writers;
      for (int w = 0; w < kWriters; ++w) {
        writers.push_back(std::make_unique<Writer>(
            cluster, space, "r" + std::to_string(round) + "w" + std::to_string(w) + "-"));
      }
      int kill_after = static_cast<int>(random() % 300) + 1;
      ASSERT_TRUE(Eventually([&] {
        int sum = 0;
        for (const auto& writer : writers) sum += writer->acknowledged();
        return sum >= kill_after;
      })) << "seed "
          << seed << " round " << round;
      cluster.Kill9(1);
      cluster.Start(1);
      cluster.AwaitReady(1);
      for (auto& writer : writers) {
        std::vector<std::string> ids = writer->Stop();
        acknowledged.insert(acknowledged.end(), ids.begin(), ids.end());
      }
    }
    auto client = cluster.Client({0});
    for (const std::string& id : acknowledged) {
      v1::GetRequest request;
      request.set_space(space);
      request.set_id(id);
      auto found = client->Get(request);
      ASSERT_TRUE(found.ok()) << id << " of round " << round << " is gone, seed " << seed << ": "
                              << found.status();
      ASSERT_EQ(found->message.content(), "memory " + id);
    }
    total += acknowledged.size();
  }
  auto spaces = cluster.Client({0})->ListSpaces({});
  ASSERT_TRUE(spaces.ok());
  EXPECT_GE(spaces->message.spaces(0).memories(), total);
}

TEST(Crash, ALoadThatIsInterruptedGoesOnThroughTheSameNodeAfterItsRestart) {
  TestClusterOptions options;
  options.nodes = 1;
  TestCluster cluster(options);
  std::vector<v1::StoreRequest> batch(200);
  for (size_t i = 0; i < batch.size(); ++i) {
    batch[i].set_space("load");
    batch[i].set_id("m" + std::to_string(i));
    batch[i].set_content("line " + std::to_string(i));
  }
  auto client = cluster.Client({0});
  ASSERT_TRUE(client->StoreAll(batch).ok());
  cluster.Kill9(0);
  cluster.Start(0);
  cluster.AwaitReady(0);
  ASSERT_TRUE(client->StoreAll(batch).ok());
  EXPECT_EQ(cluster.Client({0})->ListSpaces({})->message.spaces(0).memories(), 200u);
}

}  // namespace
}  // namespace engram::testing
