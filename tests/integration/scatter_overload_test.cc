// Recalls over several spaces at nodes that have more to do than they can (SPEC R14), over the real
// wire: the gate of the node that gathers, and that of a node that answers for a part.
#include <gtest/gtest.h>

#include <future>
#include <string>
#include <vector>

#include "engram/base/error.h"
#include "engram/net/channel.h"
#include "engram/peer/v1/peer.pb.h"
#include "support/cluster.h"
#include "support/requests.h"
#include "support/scrape.h"

namespace engram::testing {
namespace {

constexpr int kInOneGo = 200;

// Two nodes that let nobody wait: at each loop one recall over several spaces at a time, and two
// of its own.
class ScatterOverload : public ::testing::Test {
 protected:
  ScatterOverload() {
    for (const std::string& space : {here_, there_}) {
      auto client = cluster_.Client({0});
      for (int i = 0; i < 50; ++i) {
        const std::string id = "m" + std::to_string(i);
        EXPECT_TRUE(client->Store(MakeStore(space, id, "tea and more of it " + id)).ok());
      }
    }
    loop_.Start();
    channel_ = net::Channel::Create(loop_, cluster_.Address(0), {});
  }
  ~ScatterOverload() override {
    std::promise<void> closed;
    loop_.Post([&] {
      channel_->Close();
      channel_.reset();
      closed.set_value();
    });
    closed.get_future().wait();
    loop_.Stop();
  }

  static TestClusterOptions NobodyWaits() {
    TestClusterOptions options;
    options.nodes = 2;
    options.flags = {"--workers", "1", "--scatters-max", "1", "--queue-max", "0"};
    return options;
  }

  // Many of the same, all sent before any is answered.
  std::vector<net::CallResult> InOneGo(const std::string& method, const std::string& body) {
    std::vector<std::promise<net::CallResult>> answers(kInOneGo);
    loop_.Post([&] {
      for (auto& answer : answers) {
        net::CallOptions options{std::chrono::steady_clock::now() + std::chrono::seconds(30), {}};
        options.metadata.Add("engram-cluster", cluster_id_);
        channel_->Unary(method, std::move(options), body,
                        [&answer](net::CallResult result) { answer.set_value(std::move(result)); });
      }
    });
    std::vector<net::CallResult> results;
    for (auto& answer : answers) results.push_back(answer.get_future().get());
    return results;
  }

  TestCluster cluster_{NobodyWaits()};
  const std::string cluster_id_ = cluster_.ClusterId();
  const std::string here_ = cluster_.SpaceOn(0);
  const std::string there_ = cluster_.SpaceOn(1);

 private:
  net::EventLoop loop_;
  std::shared_ptr<net::Channel> channel_;
};

TEST_F(ScatterOverload, TheNodeThatGathersShedsWhatItCanNotGather) {
  v1::RecallManyRequest request;
  request.add_spaces(here_);
  request.add_spaces(there_);
  request.set_query("tea");
  int shed = 0;
  int served = 0;
  EXPECT_TRUE(Eventually([&] {
    for (const net::CallResult& result :
         InOneGo("/engram.v1.MemoryService/RecallMany", request.SerializeAsString())) {
      if (result.status.ok()) {
        ++served;
        continue;
      }
      ++shed;
      const ErrorDetail detail = DetailOf(result.status);
      EXPECT_EQ(detail.code, ErrorCode::kOverloaded) << result.status;
      EXPECT_EQ(detail.node, cluster_.Name(0));
      EXPECT_GE(detail.retry_after, std::chrono::milliseconds(10));
    }
    return shed > 0;
  }));
  EXPECT_GT(served, 0);
  const std::string scraped = Scrape(cluster_, 0);
  EXPECT_EQ(ValueOf(scraped, R"(engram_admission_sheds_total{operations="scatters",)"
                             R"(reason="queue_full"})"),
            shed);
  EXPECT_EQ(ValueOf(scraped, "engram_overload_sheds_total"), shed);
  EXPECT_TRUE(Eventually([&] { return cluster_.Client({0})->RecallMany(request).ok(); }));
}

// As another node would ask: a space that is here, and one that is not.
TEST_F(ScatterOverload, ABusyNodeShedsItsPartAndStillRedirects) {
  peer::v1::FindInSpacesRequest request;
  request.add_spaces()->set_name(here_);
  request.add_spaces()->set_name(there_);
  request.mutable_question()->set_query("tea");
  int shed = 0;
  EXPECT_TRUE(Eventually([&] {
    for (const net::CallResult& result :
         InOneGo("/engram.peer.v1.PeerService/FindInSpaces", request.SerializeAsString())) {
      EXPECT_TRUE(result.status.ok()) << result.status;
      peer::v1::FindInSpacesResponse reply;
      EXPECT_TRUE(reply.ParseFromString(result.message));
      EXPECT_EQ(reply.spaces_size(), 2);
      for (const peer::v1::SpaceFindings& space : reply.spaces()) {
        if (space.space() == there_) {
          EXPECT_EQ(space.refusal().code(), v1::ERROR_CODE_WRONG_NODE);
          EXPECT_EQ(space.refusal().assignment().primary(), cluster_.Name(1));
        } else if (space.has_refusal()) {
          ++shed;
          EXPECT_EQ(space.refusal().code(), v1::ERROR_CODE_OVERLOADED);
          EXPECT_GE(space.refusal().retry_after_ms(), 10u);
        } else {
          EXPECT_GT(space.found_size(), 0);
        }
      }
    }
    return shed > 0;
  }));
  EXPECT_EQ(ValueOf(Scrape(cluster_, 0), R"(engram_peer_requests_total{outcome="overloaded"})"),
            shed);
}

}  // namespace
}  // namespace engram::testing
