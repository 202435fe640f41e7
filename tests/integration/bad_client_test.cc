// A client that asks for what is not there, or asks wrongly, is held against no node (SPEC R6, R9).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "engram/base/error.h"
#include "support/cluster.h"
#include "support/requests.h"
#include "support/scrape.h"

namespace engram::testing {
namespace {

constexpr int kOfEachKind = 25;

class BadClient : public ::testing::Test {
 protected:
  BadClient() {
    auto stored = client_->Store(MakeStore(space_, "tea", "tea is at four"));
    EXPECT_TRUE(stored.ok()) << stored.status();
  }

  // The same kind in a row, as it takes several failures in a row to open a breaker.
  template <class Ask>
  void AskBadly(ErrorCode expected, Ask ask) {
    for (int i = 0; i < kOfEachKind; ++i) ASSERT_EQ(CodeOf(ask()), expected);
  }

  double OfOwner(const std::string& metric, const std::string& operations) {
    return ValueOf(Scrape(cluster_, 0), fmt::format(R"({}{{node="{}",operations="{}"}})", metric,
                                                    cluster_.Name(1), operations));
  }

  TestCluster cluster_;
  const std::string space_ = cluster_.SpaceOn(1);
  std::unique_ptr<client::Client> client_ = cluster_.Client({0});
};

TEST_F(BadClient, OpensNoBreaker) {
  v1::StoreRequest unsure = MakeStore(space_, "cup", "text");
  unsure.set_confidence(2);
  v1::RecallRequest greedy = MakeRecall(space_, "tea");
  greedy.set_limit(1'000'000);
  const auto empty = MakeStore(space_, "cup", "");
  AskBadly(ErrorCode::kNotFound, [&] { return client_->Get(MakeGet(space_, "cup")).status(); });
  AskBadly(ErrorCode::kInvalidArgument, [&] { return client_->Recall(greedy).status(); });
  AskBadly(ErrorCode::kInvalidArgument, [&] { return client_->Store(unsure).status(); });
  AskBadly(ErrorCode::kInvalidArgument, [&] { return client_->Store(empty).status(); });
  for (const char* operations : {"reads", "writes"}) {
    EXPECT_EQ(OfOwner("engram_node_breaker_state", operations), 0) << operations;
    EXPECT_EQ(OfOwner("engram_node_breaker_openings_total", operations), 0) << operations;
  }
  const std::string owner = Scrape(cluster_, 1);
  EXPECT_EQ(ValueOf(owner, R"(engram_peer_requests_total{outcome="not_found"})"), kOfEachKind);
  EXPECT_EQ(ValueOf(owner, R"(engram_peer_requests_total{outcome="invalid_argument"})"),
            3 * kOfEachKind);
  auto good = client_->Get(MakeGet(space_, "tea"));
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ(good->served_by, cluster_.Name(1));
}

}  // namespace
}  // namespace engram::testing
