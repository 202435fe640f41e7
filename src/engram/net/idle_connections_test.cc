// Thousands of connections that do nothing: others are answered meanwhile, and each costs little.
#include <sys/resource.h>

#include "engram/net/testing/fixture.h"
#include "engram/net/testing/idle_peers.h"
#include "engram/net/testing/resident_memory.h"

namespace engram::net {
namespace {

using testing::Eventually;

constexpr size_t kConnections = 10'000;
// The server's ends are in this process, the others in one of their own.
constexpr rlim_t kDescriptors = kConnections + 100;
constexpr int64_t kBytesPerConnectionMax = 32 << 10;

bool AllowDescriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= kDescriptors) return true;
  if (limit.rlim_max < kDescriptors) return false;
  limit.rlim_cur = kDescriptors;
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

class IdleConnectionsTest : public testing::NetTest {};

TEST_F(IdleConnectionsTest, TenThousandHoldNobodyUpAndCostLittle) {
  if (!AllowDescriptors()) {
    GTEST_SKIP() << "a process may not open " << kDescriptors << " files here";
  }
  ServerOptions options;
  options.connections_per_address_max = options.connections_max;
  StartServer(options);
  EXPECT_EQ(Call(testing::kUnary, "before").message, "before");
  const uint64_t accepted_before = Count(&Counters::connections_accepted);
  const int64_t resident_before = testing::ResidentBytes();
  testing::IdlePeers idle(ENGRAM_IDLE_PEERS, server_->port(), kConnections);
  for (uint64_t some = 1000; some < kConnections; some += 1000) {
    ASSERT_TRUE(Eventually(
        [&] { return Count(&Counters::connections_accepted) - accepted_before >= some; }));
    EXPECT_EQ(Call(testing::kUnary, "meanwhile").message, "meanwhile");
  }
  ASSERT_TRUE(idle.AwaitSettled());
  EXPECT_EQ(Call(testing::kUnary, "meanwhile").message, "meanwhile");
  EXPECT_EQ(Count(&Counters::connections_accepted) - accepted_before, kConnections);
  EXPECT_EQ(Count(&Counters::connections_refused), 0u);
  EXPECT_EQ(Count(&Counters::connections_closed), 0u);
  const int64_t each =
      (testing::ResidentBytes() - resident_before) / static_cast<int64_t>(kConnections);
  RecordProperty("bytes_per_connection", static_cast<int>(each));
  if (testing::kResidentMemoryIsOurs) {
    EXPECT_LT(each, kBytesPerConnectionMax);
  }
}

}  // namespace
}  // namespace engram::net
