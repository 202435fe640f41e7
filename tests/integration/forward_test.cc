// Forwarding is not re-serving: the entry node neither parses a request that it passes on nor
// copies it beyond what the transport does (once out of the socket's buffer, once into it).
//
// The entry node runs inside this process, whose large allocations are counted: every copy of a
// large body would be one more. The owner is a process of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <future>
#include <new>

#include "engram/base/error.h"
#include "engram/net/channel.h"
#include "engram/server/config.h"
#include "engram/server/node.h"
#include "support/cluster.h"

namespace {

constexpr size_t kBodySize = 1u << 20;
std::atomic<size_t> large_allocations = 0;

}  // namespace

// Not inlined: the compiler would otherwise pair one of them with the library's other half.
[[gnu::noinline]] void* operator new(size_t size) {
  if (size >= kBodySize) large_allocations.fetch_add(1);
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  std::abort();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace engram::testing {
namespace {

struct Totals {
  uint64_t received = 0;
  uint64_t received_bytes = 0;
  uint64_t sent = 0;
  uint64_t sent_bytes = 0;
  uint64_t streams_ended = 0;
};

Totals Sum(const net::EventLoopGroup& loops) {
  Totals totals;
  for (size_t i = 0; i < loops.size(); ++i) {
    const net::Counters& counters = loops.at(i).counters();
    totals.received += counters.messages_received.value();
    totals.received_bytes += counters.message_bytes_received.value();
    totals.sent += counters.messages_sent.value();
    totals.sent_bytes += counters.message_bytes_sent.value();
    totals.streams_ended += counters.streams_ended.value();
  }
  return totals;
}

// A cluster of which node 0 runs in this process.
class Forward : public ::testing::Test {
 protected:
  Forward() {
    // In an orderly way, so that the other one lets its successor in.
    cluster_.node(0).Signal(SIGTERM);
    EXPECT_EQ(cluster_.node(0).Wait(std::chrono::seconds(30)), 0);
    server::NodeConfig config;
    config.node_id = NodeId(cluster_.Name(0));
    config.cluster = "test";
    config.data_dir = dir_.path() / "entry";
    config.listen = cluster_.Address(0);
    config.http = cluster_.HttpAddress(0);
    config.loops = 1;
    config.gossip = cluster_.GossipAddress(0);
    config.seeds = {cluster_.Address(1)};
    config.swim.probe_period = config.swim.exchange_period = std::chrono::hours(1);
    EXPECT_TRUE(FinishConfig(config).ok());
    auto node = server::Node::Start(config);
    EXPECT_TRUE(node.ok()) << node.status();
    entry_ = *std::move(node);
    EXPECT_TRUE(Eventually([&] { return entry_->directory().members().size() == 2; }));
    loop_.Start();
    channel_ = net::Channel::Create(loop_, cluster_.Address(0), {});
  }
  ~Forward() override {
    std::promise<void> closed;
    loop_.Post([&] {
      channel_->Close();
      channel_.reset();
      closed.set_value();
    });
    closed.get_future().wait();
    loop_.Stop();
  }
  static TestClusterOptions TwoNodes() {
    TestClusterOptions options;
    options.nodes = 2;
    options.flags = kQuietMembership;  // every message is counted
    return options;
  }
  net::CallResult Call(std::string body) {
    std::promise<net::CallResult> promise;
    loop_.Post([&, body = std::move(body)]() mutable {
      net::CallOptions options{std::chrono::steady_clock::now() + std::chrono::seconds(30), {}};
      channel_->Unary("/engram.v1.MemoryService/Store", std::move(options), std::move(body),
                      [&](net::CallResult result) { promise.set_value(std::move(result)); });
    });
    return promise.get_future().get();
  }

  // So many gets, 64 at a time. Returns how many failed.
  int CallMany(int calls, const std::string& body) {
    std::promise<int> done;
    int failed = 0, left = calls, unsent = calls;
    std::function<void()> next = [&] {
      if (unsent-- <= 0) return;
      net::CallOptions options{std::chrono::steady_clock::now() + std::chrono::seconds(60), {}};
      channel_->Unary("/engram.v1.MemoryService/Get", std::move(options), body,
                      [&](const net::CallResult& result) {
                        failed += result.status.ok() ? 0 : 1;
                        if (--left == 0) return done.set_value(failed);
                        next();
                      });
    };
    loop_.Post([&] {
      for (int i = 0; i < 64; ++i) next();
    });
    return done.get_future().get();
  }

  TestCluster cluster_{TwoNodes()};
  storage::TempDir dir_;
  std::unique_ptr<server::Node> entry_;
  net::EventLoop loop_;
  std::shared_ptr<net::Channel> channel_;
};

// SPEC R10: connections are opened when they are first needed, and then used.
TEST_F(Forward, AHundredThousandRequestsOpenNoConnection) {
  v1::StoreRequest store;
  store.set_space(cluster_.SpaceOn(1));
  store.set_id("often");
  store.set_content("read often");
  ASSERT_TRUE(Call(store.SerializeAsString()).status.ok());
  v1::GetRequest get;
  get.set_space(store.space());
  get.set_id(store.id());
  EXPECT_EQ(CallMany(1'000, get.SerializeAsString()), 0) << "failed while warming up";
  const net::Counters& counters = entry_->loops().at(0).counters();
  const uint64_t connects = counters.connects.value();
  const uint64_t opened = counters.channels_opened.value();
  const uint64_t acquired = counters.channels_acquired.value();
  EXPECT_EQ(opened, 4u) << "all four are in use";
  EXPECT_EQ(CallMany(100'000, get.SerializeAsString()), 0);
  EXPECT_EQ(counters.connects.value(), connects);
  EXPECT_EQ(counters.channels_opened.value(), opened);
  EXPECT_EQ(counters.channels_acquired.value() - acquired, 100'000u);
}

// One stream carries them, and what is too large for it has a call of its own.
TEST_F(Forward, SmallRequestsShareAStream) {
  v1::StoreRequest store;
  store.set_space(cluster_.SpaceOn(1));
  store.set_id("small");
  store.set_content("small");
  ASSERT_TRUE(Call(store.SerializeAsString()).status.ok());
  v1::GetRequest get;
  get.set_space(store.space());
  get.set_id(store.id());
  EXPECT_EQ(CallMany(1'000, get.SerializeAsString()), 0) << "failed while warming up";
  const uint64_t before = Sum(entry_->loops()).streams_ended;
  EXPECT_EQ(CallMany(1'000, get.SerializeAsString()), 0);
  // The client has its last answers a moment before its streams have ended.
  EXPECT_NEAR(Sum(entry_->loops()).streams_ended - before, 1'000, 64) << "the client's alone";
}

TEST_F(Forward, AReplyTooLargeForTheStreamComesByACallOfItsOwn) {
  v1::StoreRequest store;
  store.set_space(cluster_.SpaceOn(1));
  store.set_id("large");
  store.set_content(std::string(kBodySize, 'x'));  // as long as may be; with the rest above 1 MiB
  ASSERT_TRUE(Call(store.SerializeAsString()).status.ok());
  v1::GetRequest get;
  get.set_space(store.space());
  get.set_id(store.id());
  const std::string body = get.SerializeAsString();
  EXPECT_EQ(CallMany(100, body), 0) << "failed while warming up";
  const Totals before = Sum(entry_->loops());
  EXPECT_EQ(CallMany(100, body), 0);
  const Totals after = Sum(entry_->loops());
  EXPECT_NEAR(after.streams_ended - before.streams_ended, 200, 64) << "the client's and the node's";
  EXPECT_GE(after.sent_bytes - before.sent_bytes, 100 * kBodySize) << "whole answers";
}

TEST_F(Forward, CopiesABodyOnceInAndOnceOut) {
  v1::StoreRequest request;
  request.set_space(cluster_.SpaceOn(1));
  request.set_id("large");
  // As large as content may be; names and tags bring the message above the size that is counted.
  request.set_content(std::string(kBodySize, 'x'));
  const std::string body = request.SerializeAsString();
  ASSERT_TRUE(
      Call(body).status.ok());  // connects, creates the space, grows every buffer to its size
  constexpr int kCalls = 10;
  Totals before = Sum(entry_->loops());
  std::vector<std::string> bodies(kCalls, body);
  large_allocations = 0;
  uint64_t replies = 0;
  for (std::string& copy : bodies) {
    net::CallResult result = Call(std::move(copy));
    ASSERT_TRUE(result.status.ok()) << result.status;
    EXPECT_EQ(result.trailing.Find("engram-served-by"), cluster_.Name(1));
    replies += result.message.size();
  }
  EXPECT_EQ(large_allocations, kCalls) << "one for each message read from the socket, and no other";
  Totals after = Sum(entry_->loops());
  EXPECT_EQ(after.received - before.received, 2 * kCalls);
  EXPECT_EQ(after.sent - before.sent, 2 * kCalls);
  // The wire counts gRPC's prefix of five bytes with each message.
  const uint64_t bytes = kCalls * (body.size() + 5) + replies + kCalls * 5;
  EXPECT_EQ(after.received_bytes - before.received_bytes, bytes);
  EXPECT_EQ(after.sent_bytes - before.sent_bytes, bytes);
}

// What only a parser would notice is noticed by the owner.
TEST_F(Forward, DoesNotParseWhatItPassesOn) {
  v1::StoreRequest request;
  request.set_space(cluster_.SpaceOn(1));
  request.set_content("text");
  std::string link_cut_off =
      "\x4a\x02\x0a\x7f";  // field 9, a LinkTarget of two bytes whose own field claims 127
  net::CallResult result = Call(request.SerializeAsString() + link_cut_off);
  EXPECT_EQ(result.status.code(), absl::StatusCode::kInvalidArgument) << result.status;
  EXPECT_EQ(result.trailing.Find("engram-served-by"), cluster_.Name(1));
}

}  // namespace
}  // namespace engram::testing
