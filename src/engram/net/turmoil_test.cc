// Calls under random cancellations, deadlines, closed channels and restarted servers: each ends
// exactly once.
#include <algorithm>
#include <random>

#include "engram/net/testing/fixture.h"

namespace engram::net {
namespace {

using testing::Eventually;
using testing::In;
using testing::RunOn;

class TurmoilTest : public testing::NetTest {
 protected:
  TurmoilTest() : NetTest(2) {}

  // Begins a call and perhaps disturbs it. On the channel's loop.
  void Disturb() {
    CallOptions options;
    const int kind = Random(10);
    if (kind < 4) options.metadata.Add("hang", "1");
    // What hangs needs an end; a deadline may also come while the answer is on its way.
    if (kind < 5) options.deadline = In(std::chrono::microseconds(Random(5000)));
    auto handle = std::make_shared<Channel::CallHandle>();
    const size_t call = ends_.size();
    ends_.push_back(0);
    *handle = channel_->Unary(testing::kUnary, std::move(options),
                              std::string(static_cast<size_t>(Random(3000)), 'x'),
                              [this, call](const CallResult&) { ++ends_[call]; });
    if (Random(5) == 0) loop().Post([handle] { handle->Cancel(); });
    if (Random(7) == 0) handle->Cancel();
    if (Random(2000) == 0) channel_->Close();
  }
  int Random(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }

  static constexpr unsigned kSeed = 20240607;
  std::mt19937 random_{kSeed};
  std::vector<int> ends_;
};

TEST_F(TurmoilTest, EveryCallEndsExactlyOnce) {
  SCOPED_TRACE(kSeed);
  ServerOptions options;
  options.concurrent_streams_max = 50;
  StartServer(options);
  options.port = server_->port();
  channel();
  for (int round = 0; round < 20; ++round) {
    for (int burst = 0; burst < 50; ++burst) {
      RunOn(loop(), [&] {
        for (int i = 0; i < 20; ++i) Disturb();
      });
    }
    if (round % 5 == 4) {
      server_.reset();
      StartServer(options);
    }
  }
  EXPECT_TRUE(Eventually([&] {
    return RunOn(loop(), [&] { return std::find(ends_.begin(), ends_.end(), 0) == ends_.end(); });
  }));
  RunOn(loop(), [&] {
    EXPECT_EQ(std::count(ends_.begin(), ends_.end(), 1), static_cast<int>(ends_.size()));
  });
  EXPECT_EQ(ends_.size(), 20'000u);
}

}  // namespace
}  // namespace engram::net
