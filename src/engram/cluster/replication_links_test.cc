// Nodes that replicate over loopback sockets: what arrives, what does not, and what it costs.
#include "engram/cluster/replication_links.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "engram/base/error.h"
#include "engram/cluster/gossip_methods.h"
#include "engram/cluster/testing/replication_node.h"
#include "support/free_ports.h"

namespace engram::cluster {
namespace {

namespace r = replication;
using net::testing::Eventually;

const Epoch kReign{1, NodeId("a")};

SpaceMessage Canvass(uint64_t counter) {
  return {SpaceId("notes"), r::FailoverMessage(r::Canvass{counter})};
}
SpaceMessage Answer() {
  return {SpaceId("notes"), r::FailoverMessage(r::HeartbeatAnswer{kReign, TimePoint(), false, {}})};
}
// One entry of so many bytes, of a space of its own.
SpaceMessage EntryOf(const std::string& space, size_t bytes) {
  return {SpaceId(space), r::Entries{kReign, {}, {{{kReign, 1}, std::string(bytes, 'x')}}}};
}

uint64_t CounterOf(const SpaceMessage& message) {
  const auto* failover = std::get_if<r::FailoverMessage>(&message.message);
  const auto* canvass = failover == nullptr ? nullptr : std::get_if<r::Canvass>(failover);
  return canvass == nullptr ? 0 : canvass->counter;
}
bool HasHeard(const ReplicationNode& node, uint64_t counter) {
  const auto heard = node.heard();
  return std::any_of(heard.begin(), heard.end(),
                     [&](const auto& h) { return CounterOf(h.message) == counter; });
}
bool HasHeardAnswer(const ReplicationNode& node) {
  const auto heard = node.heard();
  return std::any_of(heard.begin(), heard.end(), [](const auto& h) {
    const auto* failover = std::get_if<r::FailoverMessage>(&h.message.message);
    return failover != nullptr && std::holds_alternative<r::HeartbeatAnswer>(*failover);
  });
}

struct Pair {
  ReplicationNode a{"a"};
  ReplicationNode b{"b"};
  Pair() {
    a.Knows(b);
    b.Knows(a);
  }
};

TEST(ReplicationLinks, CarriesMessagesEachWay) {
  Pair nodes;
  nodes.a.Send(NodeId("b"), {Canvass(7)});
  nodes.b.Send(NodeId("a"), {EntryOf("diary", 100)});
  ASSERT_TRUE(Eventually([&] { return nodes.b.heard_count() == 1; }));
  ASSERT_TRUE(Eventually([&] { return nodes.a.heard_count() == 1; }));
  EXPECT_EQ(nodes.b.heard()[0].from, NodeId("a"));
  EXPECT_EQ(nodes.b.heard()[0].message.space, SpaceId("notes"));
  EXPECT_EQ(CounterOf(nodes.b.heard()[0].message), 7u);
  EXPECT_EQ(nodes.a.heard()[0].message.space, SpaceId("diary"));
}

TEST(ReplicationLinks, WhatOneTurnSendsIsOneFrame) {
  Pair nodes;
  nodes.a.Send(NodeId("b"), {Canvass(1)});
  ASSERT_TRUE(Eventually([&] { return nodes.b.heard_count() == 1; }));
  const uint64_t frames = nodes.a.counters().frames_sent.value();
  std::vector<SpaceMessage> many;
  for (uint64_t i = 2; i <= 101; ++i) many.push_back(Canvass(i));
  nodes.a.Send(NodeId("b"), many);
  ASSERT_TRUE(Eventually([&] { return nodes.b.heard_count() == 101; }));
  EXPECT_EQ(nodes.a.counters().frames_sent.value(), frames + 1);
  for (size_t i = 0; i < 101; ++i) EXPECT_EQ(CounterOf(nodes.b.heard()[i].message), i + 1);
}

TEST(ReplicationLinks, LargeAndManyEntriesArriveInOrder) {
  Pair nodes;
  std::vector<SpaceMessage> entries = {EntryOf("largest", (4u << 20) - 2048)};
  for (int i = 0; i < 40; ++i) entries.push_back(EntryOf("s" + std::to_string(i), 100u << 10));
  nodes.a.Send(NodeId("b"), entries);
  ASSERT_TRUE(Eventually([&] { return nodes.b.heard_count() == entries.size(); }));
  const auto heard = nodes.b.heard();
  for (size_t i = 0; i < entries.size(); ++i) {
    EXPECT_EQ(heard[i].message.space, entries[i].space);
    EXPECT_EQ(std::get<r::Entries>(heard[i].message.message).entries,
              std::get<r::Entries>(entries[i].message).entries);
  }
}

TEST(ReplicationLinks, WhatNoReceiverWouldTakeIsNotSent) {
  Pair nodes;
  nodes.a.Send(NodeId("b"), {EntryOf("too-large", 5u << 20), Canvass(1)});
  ASSERT_TRUE(Eventually([&] { return nodes.b.heard_count() == 1; }));
  EXPECT_EQ(nodes.a.counters().messages_dropped.value(), 1u);
  EXPECT_EQ(CounterOf(nodes.b.heard()[0].message), 1u);
}

ReplicationNode::Options At(int port) {
  ReplicationNode::Options options;
  options.port = static_cast<uint16_t>(port);
  return options;
}

TEST(ReplicationLinks, AStreamIsOpenedAnewWhenItsPeerHasRestarted) {
  const int port = testing::FreePorts(1)[0];
  ReplicationNode a("a");
  std::optional<ReplicationNode> b(std::in_place, "b", At(port));
  a.Knows(*b);
  ASSERT_TRUE(a.SendUntil(NodeId("b"), Canvass(1), [&] { return HasHeard(*b, 1); }));
  b.reset();
  ReplicationNode::Options next = At(port);
  next.life = 2;
  b.emplace("b", next);
  EXPECT_TRUE(a.SendUntil(NodeId("b"), Canvass(2), [&] { return HasHeard(*b, 2); }));
  EXPECT_EQ(a.counters().streams_opened.value(), 2u);
  EXPECT_GE(a.counters().streams_lost.value(), 1u);
}

TEST(ReplicationLinks, AnAddressThatChangesIsFollowed) {
  ReplicationNode a("a");
  ReplicationNode here("b");
  ReplicationNode there("b");
  a.Knows(here);
  ASSERT_TRUE(a.SendUntil(NodeId("b"), Canvass(1), [&] { return HasHeard(here, 1); }));
  a.Knows(there);
  EXPECT_TRUE(a.SendUntil(NodeId("b"), Canvass(2), [&] { return HasHeard(there, 2); }));
  EXPECT_FALSE(HasHeard(here, 2));
}

TEST(ReplicationLinks, ARefusedPortIsReported) {
  ReplicationNode a("a");
  {
    ReplicationNode b("b", At(testing::FreePorts(1)[0]));
    a.Knows(b);
    ASSERT_TRUE(a.SendUntil(NodeId("b"), Canvass(1), [&] { return HasHeard(b, 1); }));
    EXPECT_TRUE(a.refused().empty());
  }
  // Nothing is sent meanwhile: a holder that has lost its primary has nothing to say to it.
  ASSERT_TRUE(Eventually([&] { return !a.refused().empty(); }));
  EXPECT_EQ(a.refused()[0], NodeId("b"));
}

// Its process may be alive, and still answer as primary.
TEST(ReplicationLinks, WhoSaysGoodbyeIsNotReportedAsGoneAtOnce) {
  ReplicationNode::Options patient;
  patient.links.goodbye_grace = std::chrono::hours(1);
  ReplicationNode a("a", patient);
  ReplicationNode b("b", At(testing::FreePorts(1)[0]));
  a.Knows(b);
  ASSERT_TRUE(a.SendUntil(NodeId("b"), Canvass(1), [&] { return HasHeard(b, 1); }));
  b.Leave();
  ASSERT_TRUE(Eventually([&] { return a.counters().ports_refused.value() >= 2; }));
  EXPECT_TRUE(a.refused().empty());
}

TEST(ReplicationLinks, ANodeOfAnotherClusterIsRefused) {
  ReplicationNode::Options other;
  other.cluster = "another";
  ReplicationNode a("a", other);
  ReplicationNode b("b");
  a.Knows(b);
  ASSERT_TRUE(
      a.SendUntil(NodeId("b"), Canvass(1), [&] { return a.counters().streams_lost.value() >= 2; }));
  EXPECT_EQ(b.heard_count(), 0u);
  EXPECT_EQ(a.counters().streams_opened.value(), 0u);
}

// Its address has been given to another one.
TEST(ReplicationLinks, WhatIsForAnotherNodeIsRefused) {
  ReplicationNode a("a");
  ReplicationNode b("b");
  a.Knows(NodeId("c"), b.address());
  ASSERT_TRUE(
      a.SendUntil(NodeId("c"), Canvass(1), [&] { return a.counters().streams_lost.value() >= 2; }));
  EXPECT_EQ(b.heard_count(), 0u);
}

TEST(ReplicationLinks, WhoseAddressIsNotKnownIsDialledOnceItIs) {
  ReplicationNode a("a");
  ReplicationNode b("b");
  a.Send(NodeId("b"), {Canvass(1)});
  a.Knows(b);
  EXPECT_TRUE(a.SendUntil(NodeId("b"), Canvass(2), [&] { return HasHeard(b, 2); }));
}

TEST(ReplicationLinks, AnUnusedStreamIsGivenUp) {
  ReplicationNode::Options brief;
  brief.links.idle_max = std::chrono::milliseconds(200);
  ReplicationNode a("a", brief);
  ReplicationNode b("b");
  a.Knows(b);
  ASSERT_TRUE(a.SendUntil(NodeId("b"), Canvass(1), [&] { return HasHeard(b, 1); }));
  EXPECT_TRUE(Eventually([&] { return b.calls_open() == 0; }));
  EXPECT_EQ(a.counters().streams_lost.value(), 0u);
  EXPECT_TRUE(a.SendUntil(NodeId("b"), Canvass(2), [&] { return HasHeard(b, 2); }));
}

// An answer to a heartbeat of a former life would give its successor a lease.
TEST(ReplicationLinks, AnAnswerReachesOnlyTheLifeThatAsked) {
  Pair nodes;
  ASSERT_TRUE(nodes.b.SendUntil(NodeId("a"), Answer(), [&] {
    return nodes.a.counters().messages_ignored.value() > 0;
  })) << "b has heard nothing of a yet";
  EXPECT_FALSE(HasHeardAnswer(nodes.a));
  nodes.a.Send(NodeId("b"), {Canvass(1)});
  ASSERT_TRUE(Eventually([&] { return HasHeard(nodes.b, 1); }));
  EXPECT_TRUE(nodes.b.SendUntil(NodeId("a"), Answer(), [&] { return HasHeardAnswer(nodes.a); }));
}

// A clock that was put back must not make a node unheard; nor does the order of lives matter.
TEST(ReplicationLinks, ARestartedNodeIsHeardAndAnsweredWhateverItsLife) {
  const int port = testing::FreePorts(1)[0];
  ReplicationNode a("a");
  ReplicationNode::Options first = At(port);
  first.life = 2;
  std::optional<ReplicationNode> b(std::in_place, "b", first);
  a.Knows(*b);
  b->Knows(a);
  ASSERT_TRUE(b->SendUntil(NodeId("a"), Canvass(1), [&] { return HasHeard(a, 1); }));
  ASSERT_TRUE(a.SendUntil(NodeId("b"), Answer(), [&] { return HasHeardAnswer(*b); }));
  b.reset();
  b.emplace("b", At(port));  // 1
  b->Knows(a);
  ASSERT_TRUE(a.SendUntil(NodeId("b"), Answer(), [&] {
    return b->counters().messages_ignored.value() > 0;
  })) << "nothing was heard of this life yet";
  EXPECT_FALSE(HasHeardAnswer(*b));
  ASSERT_TRUE(b->SendUntil(NodeId("a"), Canvass(2), [&] { return HasHeard(a, 2); }));
  EXPECT_TRUE(a.SendUntil(NodeId("b"), Answer(), [&] { return HasHeardAnswer(*b); }));
}

// ---- peers that do not behave

// Takes streams, but reads nothing before it is told to.
class SlowPeer {
 public:
  SlowPeer() {
    server_.AddStream(kReplicateMethod, [this](net::ServerCall call) {
      call.SendHeaders();
      call_ = std::make_unique<net::ServerCall>(std::move(call));
    });
    loops_.Start();
    EXPECT_TRUE(server_.Start().ok());
  }
  ~SlowPeer() {
    server_.Drain(TimePoint::min());
    loops_.Stop();
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(server_.port()); }

  void BeginToRead() {
    net::testing::RunOn(loops_.at(0), [this] { ReadOn(); });
  }
  std::vector<SpaceMessage> Read() {
    return net::testing::RunOn(loops_.at(0), [this] { return read_; });
  }

 private:
  void ReadOn() {
    call_->Read([this](const std::optional<std::string>& bytes) {
      if (!bytes.has_value()) return;
      Frame frame = *DecodeFrame(*bytes);
      for (SpaceMessage& m : frame.messages) read_.push_back(std::move(m));
      ReadOn();
    });
  }

  net::EventLoopGroup loops_{1};
  net::Server server_{loops_, {}};
  std::unique_ptr<net::ServerCall> call_;
  std::vector<SpaceMessage> read_;
};

// What is unsent stays bounded, and what is urgent does not wait behind all of it.
TEST(ReplicationLinks, APeerThatDoesNotReadCostsNoMoreThanTheBound) {
  constexpr size_t kEntryBytes = 256u << 10;
  constexpr size_t kEntries = 256;  // 64 MiB
  const size_t queue_bytes_max = ReplicationLinksOptions().queue_bytes_max;
  SlowPeer peer;
  ReplicationNode a("a");
  a.Knows(NodeId("b"), peer.address());
  ASSERT_TRUE(a.SendUntil(NodeId("b"), Canvass(1),
                          [&] { return a.counters().streams_opened.value() == 1; }));
  for (size_t i = 0; i < kEntries; ++i) a.Send(NodeId("b"), {EntryOf("notes", kEntryBytes)});
  const size_t gone =
      a.counters().messages_dropped.value() * kEntryBytes + a.counters().bytes_sent.value();
  EXPECT_GE(gone + queue_bytes_max, kEntries * kEntryBytes);
  EXPECT_GT(a.counters().messages_dropped.value(), 0u);
  EXPECT_LE(a.loop().counters().bytes_held.value(), int64_t{2} << 20) << "of the stream";

  a.Send(NodeId("b"), {Canvass(2)});
  peer.BeginToRead();
  const size_t left = kEntries - a.counters().messages_dropped.value();
  const auto is_entry = [](const SpaceMessage& m) { return CounterOf(m) == 0; };
  std::vector<SpaceMessage> read;
  ASSERT_TRUE(Eventually([&] {
    read = peer.Read();
    return static_cast<size_t>(std::count_if(read.begin(), read.end(), is_entry)) == left;
  }));
  const auto urgent = std::find_if(read.begin(), read.end(),
                                   [](const SpaceMessage& m) { return CounterOf(m) == 2; });
  ASSERT_NE(urgent, read.end());
  EXPECT_GE(static_cast<size_t>(read.end() - urgent) * kEntryBytes, queue_bytes_max / 2);
}

// Nothing says that it is gone: its kernel goes on taking what comes.
TEST(ReplicationLinks, APeerThatStandsStillIsGivenUpAndFoundAgain) {
  ReplicationNode a("a");
  ReplicationNode b("b");
  a.Knows(b);
  ASSERT_TRUE(a.SendUntil(NodeId("b"), Canvass(1), [&] { return HasHeard(b, 1); }));
  std::promise<void> go_on;
  b.serving_loop().Post([&] { go_on.get_future().wait(); });
  EXPECT_TRUE(
      a.SendUntil(NodeId("b"), Canvass(2), [&] { return a.counters().streams_lost.value() > 0; }));
  EXPECT_TRUE(a.refused().empty());
  go_on.set_value();
  EXPECT_TRUE(a.SendUntil(NodeId("b"), Canvass(3), [&] { return HasHeard(b, 3); }));
}

// What says `bytes` as the frame of a stream to b, and what becomes of the stream.
absl::Status SayTo(ReplicationNode& b, std::vector<std::string> frames) {
  net::EventLoopGroup loops(1);
  loops.Start();
  net::testing::PendingCall call;
  std::shared_ptr<net::Channel> channel;
  std::unique_ptr<net::Channel::Stream> stream;
  net::testing::RunOn(loops.at(0), [&] {
    channel = net::Channel::Create(loops.at(0), b.address(), {});
    net::CallOptions options;
    options.metadata.Add(kMdCluster, "cluster");
    stream = channel->Open(kReplicateMethod, std::move(options), call.Done());
    for (std::string& frame : frames) stream->Send(std::move(frame));
    stream->SendDone();
    stream->Read([](const std::optional<std::string>&) {});
  });
  absl::Status status = call.Wait().status;
  net::testing::RunOn(loops.at(0), [&] {
    stream.reset();
    channel.reset();
  });
  loops.Stop();
  return status;
}

std::string HelloFrame() { return EncodeFrame({{{NodeId("a"), NodeId("b"), 1}}, 0}, ""); }

TEST(ReplicationLinks, AFrameWithAWrongChecksumIsDroppedAndEndsTheStream) {
  ReplicationNode b("b");
  std::string damaged = EncodeFrame({}, EncodePart(EntryOf("notes", 100)));
  damaged[damaged.size() - 10] ^= 1;
  const std::string good = EncodeFrame({}, EncodePart(Canvass(1)));
  EXPECT_EQ(DetailOf(SayTo(b, {HelloFrame(), damaged, good})).field, "checksum");
  ASSERT_TRUE(Eventually([&] { return b.counters().frames_refused.value() == 1; }));
  EXPECT_EQ(b.heard_count(), 0u) << "nor anything after it";
}

TEST(ReplicationLinks, AStreamBeginsWithHelloAndHasNoSecondOne) {
  ReplicationNode b("b");
  const std::string good = EncodeFrame({}, EncodePart(Canvass(1)));
  EXPECT_EQ(DetailOf(SayTo(b, {good})).field, "hello");
  EXPECT_EQ(DetailOf(SayTo(b, {HelloFrame(), HelloFrame()})).field, "hello");
  EXPECT_EQ(b.heard_count(), 0u);
  EXPECT_EQ(SayTo(b, {HelloFrame(), good}), absl::OkStatus());
  EXPECT_TRUE(Eventually([&] { return HasHeard(b, 1); }));
}

}  // namespace
}  // namespace engram::cluster
