// The receiving end of the stream between nodes, of a real node: what it serves, refuses and ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <future>
#include <optional>

#include "engram/base/error.h"
#include "engram/net/grpc_status.h"
#include "engram/net/testing/fixture.h"
#include "engram/peer/v1/peer.pb.h"
#include "support/cluster.h"

namespace engram::testing {
namespace {

using net::testing::RunOn;
using ::testing::HasSubstr;

constexpr char kMethod[] = "/engram.peer.v1.PeerService/PassOn";

// Another node, as far as the stream goes.
class Sender {
 public:
  Sender(const std::string& address, const std::string& cluster) {
    loop_.Start();
    net::CallOptions options;
    options.metadata.Add("engram-cluster", cluster);
    RunOn(loop_, [&] {
      channel_ = net::Channel::Create(loop_, address, {});
      stream_ = channel_->Open(kMethod, std::move(options), end_.Done());
    });
  }
  ~Sender() {
    RunOn(loop_, [&] {
      stream_.reset();
      channel_.reset();
    });
    loop_.Stop();
  }

  void Send(std::string message) {
    RunOn(loop_, [&] { stream_->Send(std::move(message)); });
  }
  // Nothing if the stream has ended.
  std::optional<peer::v1::PassedReply> Read() {
    auto promise = std::make_shared<std::promise<std::optional<std::string>>>();
    auto future = promise->get_future();
    RunOn(loop_, [&] {
      stream_->Read([promise](std::optional<std::string> m) { promise->set_value(std::move(m)); });
    });
    const auto message = future.get();
    if (!message.has_value()) return std::nullopt;
    peer::v1::PassedReply reply;
    EXPECT_TRUE(reply.ParseFromString(*message));
    return reply;
  }
  peer::v1::PassedReply Ask(const peer::v1::PassedRequest& request) {
    Send(request.SerializeAsString());
    return Read().value();
  }
  net::CallResult WaitForEnd() { return end_.Wait(); }

 private:
  net::EventLoop loop_;
  std::shared_ptr<net::Channel> channel_;
  std::unique_ptr<net::Channel::Stream> stream_;
  net::testing::PendingCall end_;
};

absl::Status StatusOf(const peer::v1::PassedReply& reply) {
  if (reply.status() == 0) return absl::OkStatus();
  return net::DecodeStatus(reply.status(), reply.message(), reply.details());
}

peer::v1::PassedRequest Get(uint64_t number, const std::string& space, const std::string& id) {
  v1::GetRequest get;
  get.set_space(space);
  get.set_id(id);
  peer::v1::PassedRequest request;
  request.set_number(number);
  request.set_operation(peer::v1::OPERATION_GET);
  request.set_space(space);
  request.set_timeout_ns(10'000'000'000);
  request.set_body(get.SerializeAsString());
  return request;
}

class PeerStreams : public ::testing::Test {
 protected:
  PeerStreams() : cluster_(TwoNodes()) {
    v1::StoreRequest store;
    store.set_space(cluster_.SpaceOn(0));
    store.set_id("first");
    store.set_content("here");
    EXPECT_TRUE(cluster_.Client({0})->Store(store).ok());
    here_ = store.space();
    store.set_space(cluster_.SpaceOn(1));
    store.set_content("there");
    EXPECT_TRUE(cluster_.Client({0})->Store(store).ok());
    there_ = store.space();
  }
  static TestClusterOptions TwoNodes() {
    TestClusterOptions options;
    options.nodes = 2;
    return options;
  }

  TestCluster cluster_;
  std::string here_, there_;  // spaces of node 0 and node 1
};

TEST_F(PeerStreams, ServesWhatItOwnsAndRedirectsTheRest) {
  Sender sender(cluster_.Address(0), cluster_.ClusterId());
  peer::v1::PassedReply reply = sender.Ask(Get(7, here_, "first"));
  EXPECT_EQ(reply.number(), 7u);
  v1::GetResponse found;
  ASSERT_TRUE(found.ParseFromString(reply.body()));
  EXPECT_EQ(found.content(), "here");
  EXPECT_FALSE(reply.assignment().empty()) << "the sender chose it by no version at all";

  reply = sender.Ask(Get(8, there_, "first"));
  EXPECT_EQ(reply.number(), 8u);
  const absl::Status status = StatusOf(reply);
  EXPECT_EQ(CodeOf(status), ErrorCode::kWrongNode) << status;
  EXPECT_TRUE(status.GetPayload(net::kAssignmentPayload).has_value()) << "says who owns it";
}

TEST_F(PeerStreams, ABadRequestIsRefusedAloneAndTheOthersGoOn) {
  Sender sender(cluster_.Address(0), cluster_.ClusterId());
  peer::v1::PassedRequest request = Get(1, here_, "first");
  request.set_operation(static_cast<peer::v1::Operation>(99));
  EXPECT_EQ(CodeOf(StatusOf(sender.Ask(request))), ErrorCode::kUnimplemented);
  request = Get(2, here_, "first");
  request.set_operation(peer::v1::OPERATION_STORE);
  EXPECT_THAT(std::string(StatusOf(sender.Ask(request)).message()), HasSubstr("engram-request-id"));
  request = Get(3, "another", "first");
  request.set_space(here_);
  EXPECT_THAT(std::string(StatusOf(sender.Ask(request)).message()),
              HasSubstr("names space 'another' but was routed by '" + here_ + "'"));
  EXPECT_TRUE(StatusOf(sender.Ask(Get(4, here_, "first"))).ok());
}

TEST_F(PeerStreams, ASenderOfAnotherClusterIsRefused) {
  Sender sender(cluster_.Address(0), "another");
  EXPECT_FALSE(sender.Read().has_value());
  EXPECT_THAT(std::string(sender.WaitForEnd().status.message()), HasSubstr("cluster"));
}

TEST_F(PeerStreams, BytesThatAreNoRequestEndTheStream) {
  Sender sender(cluster_.Address(0), cluster_.ClusterId());
  EXPECT_TRUE(StatusOf(sender.Ask(Get(1, here_, "first"))).ok());
  sender.Send("\xff");
  EXPECT_FALSE(sender.Read().has_value());
  EXPECT_EQ(CodeOf(sender.WaitForEnd().status), ErrorCode::kInvalidArgument);
}

// With OK, which says that nothing was begun that was not answered.
TEST_F(PeerStreams, ANodeThatStopsEndsItsStreamsInOrder) {
  Sender sender(cluster_.Address(0), cluster_.ClusterId());
  EXPECT_TRUE(StatusOf(sender.Ask(Get(1, here_, "first"))).ok());
  cluster_.node(0).Signal(SIGTERM);
  EXPECT_FALSE(sender.Read().has_value());
  const net::CallResult end = sender.WaitForEnd();
  EXPECT_TRUE(end.status.ok()) << end.status;
  EXPECT_EQ(end.delivery, net::Delivery::kAnswered);
  EXPECT_EQ(cluster_.node(0).Wait(std::chrono::seconds(60)), 0);
}

}  // namespace
}  // namespace engram::testing
