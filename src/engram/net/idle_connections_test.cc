// Thousands of connections that do nothing: others are answered meanwhile.
#include <sys/resource.h>

#include <vector>

#include "engram/net/testing/hostile_peer.h"

namespace engram::net {
namespace {

using testing::Eventually;
using testing::HostilePeer;
using testing::RawPeer;

constexpr size_t kConnections = 10'000;
// Both ends are in this process.
constexpr rlim_t kDescriptors = 2 * kConnections + 500;

bool AllowDescriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= kDescriptors) return true;
  if (limit.rlim_max < kDescriptors) return false;
  limit.rlim_cur = kDescriptors;
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

TEST_F(HostilePeer, TenThousandIdleConnectionsHoldNobodyUp) {
  if (!AllowDescriptors()) {
    StartServer();
    GTEST_SKIP() << "a process may not open " << kDescriptors << " files here";
  }
  ServerOptions options;
  options.connections_per_address_max = options.connections_max;
  Start(options);
  std::vector<RawPeer> idle;
  idle.reserve(kConnections);
  for (size_t i = 0; i < kConnections; ++i) {
    idle.emplace_back(server_->port()).Begin();
    if (i % 1000 == 0) {
      EXPECT_EQ(Call(testing::kUnary, "meanwhile").message, "meanwhile");
    }
  }
  ASSERT_TRUE(Eventually([&] { return Count(&Counters::connections_accepted) >= kConnections; }));
  EXPECT_EQ(Call(testing::kUnary, "meanwhile").message, "meanwhile");
  EXPECT_EQ(Count(&Counters::connections_refused), 0u);
  EXPECT_EQ(Count(&Counters::connections_closed), 0u);
}

}  // namespace
}  // namespace engram::net
