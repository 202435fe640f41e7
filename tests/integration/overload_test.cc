// A node that has more to do than it can (SPEC R14): what it says to whom, over the real wire.
//
// The node takes one write at a time and lets none wait. Requests are sent as another node would
// send them, many in one go, until the node has refused some.
#include <gtest/gtest.h>

#include <future>
#include <vector>

#include "engram/base/error.h"
#include "engram/base/ulid.h"
#include "engram/net/channel.h"
#include "support/cluster.h"

namespace engram::testing {
namespace {

constexpr int kInOneGo = 100;

class Overload : public ::testing::Test {
 protected:
  Overload() {
    loop_.Start();
    channel_ = net::Channel::Create(loop_, cluster_.Address(0), {});
  }
  ~Overload() override {
    std::promise<void> closed;
    loop_.Post([&] {
      channel_->Close();
      channel_.reset();
      closed.set_value();
    });
    closed.get_future().wait();
    loop_.Stop();
  }

  static TestClusterOptions OneWriteAtATime() {
    TestClusterOptions options;
    options.nodes = 2;
    options.flags = {"--writes-max", "1", "--queue-max", "0"};
    return options;
  }

  // Stores a memory in each of the spaces, all sent before any is answered.
  std::vector<absl::Status> StoreAll(const std::vector<std::string>& spaces) {
    std::vector<std::promise<absl::Status>> answers(spaces.size());
    loop_.Post([&] {
      for (size_t i = 0; i < spaces.size(); ++i) {
        channel_->Unary(
            "/engram.peer.v1.PeerService/Store", OptionsFor(spaces[i]), Message(spaces[i]),
            [&answers, i](const net::CallResult& result) { answers[i].set_value(result.status); });
      }
    });
    std::vector<absl::Status> statuses;
    for (auto& answer : answers) statuses.push_back(answer.get_future().get());
    return statuses;
  }

  void CreateThroughNode0(const std::string& space) {
    v1::StoreRequest create;
    create.set_space(space);
    create.set_content("text");
    ASSERT_TRUE(cluster_.Client({0})->Store(create).ok());
  }

  TestCluster cluster_{OneWriteAtATime()};
  const std::string cluster_id_ = cluster_.ClusterId();

 private:
  net::CallOptions OptionsFor(const std::string& space) {
    net::CallOptions options{std::chrono::steady_clock::now() + std::chrono::seconds(30), {}};
    options.metadata.Add("engram-cluster", cluster_id_);
    options.metadata.Add("engram-space", space);
    options.metadata.Add("engram-request-id", Ulid::Make(WallNow(), random_).ToString());
    return options;
  }
  // The node knows when an id was made, and refuses old ones.
  static WallMillis WallNow() {
    return WallMillis{std::chrono::duration_cast<std::chrono::milliseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count()};
  }
  static std::string Message(const std::string& space) {
    v1::StoreRequest request;
    request.set_space(space);
    request.set_content("text");
    return request.SerializeAsString();
  }

  std::mt19937_64 random_{1};
  net::EventLoop loop_;
  std::shared_ptr<net::Channel> channel_;
};

TEST_F(Overload, WhatIsShedSaysWhoAndWhenToComeAgain) {
  const std::string here = cluster_.SpaceOn(0);
  CreateThroughNode0(here);
  int shed = 0;
  EXPECT_TRUE(Eventually([&] {
    for (const absl::Status& status : StoreAll(std::vector(kInOneGo, here))) {
      if (status.ok()) continue;
      ++shed;
      ErrorDetail detail = DetailOf(status);
      EXPECT_EQ(detail.code, ErrorCode::kOverloaded) << status;
      EXPECT_EQ(detail.node, cluster_.Name(0));
      EXPECT_EQ(detail.space, here);
      EXPECT_GE(detail.retry_after, std::chrono::milliseconds(10));
      EXPECT_LE(detail.retry_after, std::chrono::seconds(1));
    }
    return shed > 0;
  }));
  EXPECT_TRUE(Eventually([&] { return StoreAll({here})[0].ok(); })) << "and serves again";
}

TEST_F(Overload, ABusyWrongNodeStillRedirects) {
  const std::string here = cluster_.SpaceOn(0);
  const std::string there = cluster_.SpaceOn(1);
  CreateThroughNode0(here);
  CreateThroughNode0(there);  // now it knows where that is

  std::vector<std::string> mixed;
  for (int i = 0; i < kInOneGo; ++i) mixed.insert(mixed.end(), {here, there});
  bool shed = false;
  EXPECT_TRUE(Eventually([&] {
    std::vector<absl::Status> statuses = StoreAll(mixed);
    for (size_t i = 0; i < statuses.size(); i += 2) {
      shed |= CodeOf(statuses[i]) == ErrorCode::kOverloaded;
      EXPECT_EQ(CodeOf(statuses[i + 1]), ErrorCode::kWrongNode) << statuses[i + 1];
    }
    return shed;
  }));
}

}  // namespace
}  // namespace engram::testing
