// SPEC R12 with real processes: a node that is told to be cut off serves what it holds, flagged,
// and refuses the rest at once. Here the test tells it; membership does in
// split_test.cc.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <future>

#include "engram/base/error.h"
#include "support/requests.h"
#include "support/scrape.h"
#include "support/two_copies.h"

namespace engram::testing {
namespace {

template <class T>
bool IsReady(std::future<T>& future) {
  return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

constexpr char kRefused[] =
    R"(engram_routing_request_duration_seconds_count{strategy="local_only",outcome="no_local_data"})";

TEST(CutOff, ServesAndFlagsWhatItHoldsAndRefusesTheRestUntilItIsHealed) {
  TwoCopies copies;
  const auto get = MakeGet(copies.space(), TwoCopies::kMemory);
  copies.hooks().Reach(TwoCopies::kReplica, 1, 3);
  auto at_replica = copies.Asker(TwoCopies::kReplica);
  auto got = at_replica->Get(get);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->served_by, copies.Replica());
  EXPECT_TRUE(got->degraded);
  auto recalled = at_replica->Recall(MakeRecall(copies.space(), "tea"));
  ASSERT_TRUE(recalled.ok()) << recalled.status();
  EXPECT_NEAR(recalled->message.confidence(), 1 - 0.5 * (1 - 1.0 / 3), 1e-6);

  copies.hooks().Reach(TwoCopies::kEntry, 1, 3);
  auto at_entry = copies.Asker();
  const absl::Status refused = at_entry->Get(get).status();
  EXPECT_EQ(CodeOf(refused), ErrorCode::kNoLocalData) << refused;
  EXPECT_GT(DetailOf(refused).retry_after, Duration::zero());
  EXPECT_EQ(copies.Counted(kRefused), 1);

  copies.hooks().Reach(TwoCopies::kEntry, 2, 3);
  got = at_entry->Get(get);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_FALSE(got->degraded);
}

// A request that is under way when its node is cut off.
TEST(CutOff, SendsNothingElseForARequestThatHadBegun) {
  TwoCopies copies({"--read-try-limit", "4s"});
  copies.cluster().node(TwoCopies::kPrimary).Stop();
  auto asked = std::async(std::launch::async, [&] {
    return copies.Asker()->Get(MakeGet(copies.space(), TwoCopies::kMemory)).status();
  });
  const std::string pending =
      fmt::format(R"(engram_node_pending_requests{{node="{}"}})", copies.Primary());
  EXPECT_TRUE(Eventually([&] { return copies.Counted(pending) == 1 || IsReady(asked); }));
  copies.hooks().Reach(TwoCopies::kEntry, 1, 3);
  const absl::Status status = asked.get();
  copies.cluster().node(TwoCopies::kPrimary).Signal(SIGCONT);
  EXPECT_EQ(CodeOf(status), ErrorCode::kNoLocalData) << status;
  EXPECT_GT(DetailOf(status).retry_after, Duration::zero());
  EXPECT_EQ(ValueOf(Scrape(copies.cluster(), TwoCopies::kReplica),
                    R"(engram_peer_requests_total{outcome="ok"})"),
            0)
      << "the replica was asked";
}

}  // namespace
}  // namespace engram::testing
