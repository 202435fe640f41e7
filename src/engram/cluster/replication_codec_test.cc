#include "engram/cluster/replication_codec.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "engram/base/error.h"
#include "engram/cluster/replication_frame.h"

namespace engram::cluster {
namespace {

namespace r = replication;
namespace proto = peer::v1;

const Epoch kOld{1, NodeId("a")};
const Epoch kReign{3, NodeId("b")};
const TimePoint kSent{std::chrono::nanoseconds(1'234'567'890'123)};

r::EpochHistory History() { return *r::EpochHistory::FromRows({{kOld, 7}, {kReign, 2}}); }

r::Entries SomeEntries() {
  return {kReign,
          {kOld, 7},
          {{{kReign, 1}, "first"}, {{kReign, 2}, std::string("\0\xff", 2)}, {{kReign, 3}, "x"}}};
}
r::Offer SomeChanges() {
  const Epoch branch{0, NodeId("c")};
  return {kReign, {{{kOld, 9}, 7, "p"}, {{branch, 1}, 0, "q"}, {{branch, 5}, 1, "r"}}};
}

r::Base SomeBase() {
  return {kReign,
          {History(),
           VersionVector({{kOld, 7}, {kReign, 2}}),
           {NodeId("a"), NodeId("b")},
           {kReign, 1},
           std::string("\0\1", 2)}};
}
r::Piece SomePiece() {
  return {kReign,
          {kReign, 2},
          false,
          {"mfirst", "", VersionVector({{kOld, 7}}), {"one", std::string("\0", 1)}}};
}

std::vector<r::ReplicaMessage> OneOfEach() {
  return {
      r::FailoverMessage(r::Heartbeat{kReign, kSent, {kReign, 2}}),
      r::FailoverMessage(r::Heartbeat{kReign, kSent, {}}),
      r::FailoverMessage(r::HeartbeatAnswer{kReign, kSent, true, {kOld, 7}}),
      r::FailoverMessage(
          r::HeartbeatAnswer{kReign, TimePoint() - kSent.time_since_epoch(), false, {}}),
      r::FailoverMessage(r::Fenced{4, kReign}),
      r::FailoverMessage(r::Fenced{0, {}}),
      r::FailoverMessage(r::Canvass{5}),
      r::FailoverMessage(r::WouldPromise{6}),
      r::FailoverMessage(r::AskPromise{1, {NodeId("b"), NodeId("a")}, true}),
      r::FailoverMessage(r::Promise{7, {kOld, 3}}),
      r::FailoverMessage(r::HandOver{8, {kReign, 4}}),
      r::FailoverMessage(r::Appoint{kNumberMax}),
      r::Lineage{kReign, History()},
      r::Lineage{kReign, {}},
      SomeEntries(),
      r::Entries{kReign, {}, {{{kOld, 1}, "from the beginning"}, {{kReign, 1}, "next"}}},
      r::Confirm{kReign, {kReign, 1}, true},
      r::Confirm{kReign, {}, false},
      r::Confirm{kReign, {}, false, true},
      SomeChanges(),
      r::FailoverMessage(r::Heartbeat{kReign, kSent, {kReign, 2}, {kOld, 1}, {NodeId("a")}}),
      r::FailoverMessage(
          r::HeartbeatAnswer{kReign, kSent, true, {kOld, 7}, r::CopyState::kForgetful}),
      r::FailoverMessage(r::HeartbeatAnswer{kReign, kSent, true, {kOld, 7}, r::CopyState::kBehind}),
      r::FailoverMessage(r::Canvass{5, {NodeId("a"), NodeId("c")}}),
      r::FailoverMessage(r::WouldPromise{6, r::CopyState::kForgetful}),
      r::FailoverMessage(r::Promise{7, {kOld, 3}, r::CopyState::kForgetful}),
      r::FailoverMessage(r::Promise{7, {kOld, 3}, r::CopyState::kBehind}),
      SomeBase(),
      r::Fetch{kReign, {kReign, 2}, "", "mlast", std::string(16, '\7')},
      r::Fetch{kReign, {}, "mlast", "", ""},
      r::Piece{kReign, {kReign, 2}, true, {"", "mlast", {}, {}}},
      SomePiece()};
}

proto::SpaceMessage OnWire(r::ReplicaMessage message) {
  return ToProto({SpaceId("notes"), std::move(message)});
}

// The field that is at fault; empty if none is.
std::string Fault(const proto::SpaceMessage& message) {
  return DetailOf(FromProto(message).status()).field;
}

TEST(ReplicationCodec, EveryKindComesBackAsItWas) {
  for (const r::ReplicaMessage& message : OneOfEach()) {
    const proto::SpaceMessage sent = OnWire(message);
    SCOPED_TRACE(sent.ShortDebugString());
    const absl::StatusOr<SpaceMessage> read = FromProto(sent);
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    EXPECT_EQ(read->space, SpaceId("notes"));
    ASSERT_EQ(read->message.index(), message.index());
    EXPECT_EQ(ToProto(*read).SerializeAsString(), sent.SerializeAsString());
  }
}

// The wire alone does not show that a reader puts each field where it belongs.
TEST(ReplicationCodec, FieldsArriveWhereTheyBelong) {
  const auto read =
      *FromProto(OnWire(r::FailoverMessage(r::HeartbeatAnswer{kReign, kSent, true, {kOld, 7}})));
  const auto& answer = std::get<r::HeartbeatAnswer>(std::get<r::FailoverMessage>(read.message));
  EXPECT_EQ(answer.epoch, kReign);
  EXPECT_EQ(answer.sent, kSent);
  EXPECT_TRUE(answer.in_step);
  EXPECT_EQ(answer.position, (Version{kOld, 7}));

  const auto entries = std::get<r::Entries>(FromProto(OnWire(SomeEntries()))->message);
  EXPECT_EQ(entries.previous, (Version{kOld, 7}));
  EXPECT_EQ(entries.entries, SomeEntries().entries);
  const auto offer = std::get<r::Offer>(FromProto(OnWire(SomeChanges()))->message);
  EXPECT_EQ(offer.changes, SomeChanges().changes);
  const auto lineage =
      std::get<r::Lineage>(FromProto(OnWire(r::Lineage{kReign, History()}))->message);
  EXPECT_EQ(lineage.history, History());
}

TEST(ReplicationCodec, ACopysFieldsArriveWhereTheyBelong) {
  const auto base = std::get<r::Base>(FromProto(OnWire(SomeBase()))->message);
  EXPECT_EQ(base.log.history, History());
  EXPECT_EQ(base.log.logged, SomeBase().log.logged);
  EXPECT_EQ(base.log.holders, SomeBase().log.holders);
  EXPECT_EQ(base.log.assignment, (Version{kReign, 1}));
  EXPECT_EQ(base.log.totals, SomeBase().log.totals);
  const auto piece = std::get<r::Piece>(FromProto(OnWire(SomePiece()))->message);
  EXPECT_EQ(piece.position, (Version{kReign, 2}));
  EXPECT_EQ(piece.content.after, "mfirst");
  EXPECT_EQ(piece.content.until, "");
  EXPECT_EQ(piece.content.logged, SomePiece().content.logged);
  EXPECT_EQ(piece.content.items, SomePiece().content.items);
}

TEST(ReplicationCodec, WhatNoCopyCanSayIsRefused) {
  proto::SpaceMessage base = OnWire(SomeBase());
  base.mutable_base()->clear_history();
  EXPECT_EQ(Fault(base), "history");
  base = OnWire(SomeBase());
  base.mutable_base()->clear_holders();
  EXPECT_EQ(Fault(base), "holders");
  base = OnWire(SomeBase());
  base.mutable_base()->mutable_logged()->SwapElements(0, 1);
  EXPECT_EQ(Fault(base), "logged");
  proto::SpaceMessage piece = OnWire(SomePiece());
  piece.mutable_piece()->set_until("mfirst");
  EXPECT_EQ(Fault(piece), "until");
  piece = OnWire(SomePiece());
  piece.mutable_piece()->set_equal(true);
  EXPECT_EQ(Fault(piece), "items");
  proto::SpaceMessage fetch = OnWire(r::Fetch{kReign, {}, "", "", ""});
  fetch.mutable_fetch()->set_digest(std::string(17, 'x'));
  EXPECT_EQ(Fault(fetch), "digest");
  fetch.mutable_fetch()->clear_digest();
  fetch.mutable_fetch()->set_after(std::string(kKeyMax + 1, 'm'));
  EXPECT_EQ(Fault(fetch), "after");
}

// An entry of the epoch of the one before costs its sequence and its bytes.
TEST(ReplicationCodec, AnEpochIsNotRepeated) {
  const proto::SpaceMessage sent = OnWire(SomeEntries());
  EXPECT_TRUE(sent.entries().entries(0).has_epoch());
  EXPECT_FALSE(sent.entries().entries(1).has_epoch());
}

TEST(ReplicationCodec, AMessageOfAnUnknownKindIsToldFromABadOne) {
  proto::SpaceMessage message;
  message.set_space("notes");
  EXPECT_EQ(CodeOf(FromProto(message).status()), ErrorCode::kUnimplemented);
}

TEST(ReplicationCodec, NamesAreChecked) {
  auto message = OnWire(r::FailoverMessage(r::Canvass{5}));
  message.set_space("No Space");
  EXPECT_EQ(Fault(message), "space");
  message = OnWire(r::Confirm{kReign, {}, false});
  message.mutable_confirm()->mutable_epoch()->set_primary("no/node");
  EXPECT_EQ(Fault(message), "epoch");
  message = OnWire(r::FailoverMessage(r::AskPromise{1, {NodeId("a"), NodeId("")}}));
  EXPECT_EQ(Fault(message), "holders");
}

TEST(ReplicationCodec, CountersAreWithinBounds) {
  EXPECT_EQ(Fault(OnWire(r::FailoverMessage(r::Canvass{0}))), "counter");
  EXPECT_EQ(Fault(OnWire(r::FailoverMessage(r::WouldPromise{0}))), "counter");
  EXPECT_EQ(Fault(OnWire(r::FailoverMessage(r::AskPromise{0, {}}))), "counter");
  EXPECT_EQ(Fault(OnWire(r::FailoverMessage(r::Promise{0, {}}))), "counter");
  EXPECT_EQ(Fault(OnWire(r::FailoverMessage(r::HandOver{0, {}}))), "counter");
  EXPECT_EQ(Fault(OnWire(r::FailoverMessage(r::Appoint{kNumberMax + 1}))), "counter");
  EXPECT_EQ(Fault(OnWire(r::FailoverMessage(r::Fenced{kNumberMax + 1, {}}))), "promised");
  EXPECT_EQ(Fault(OnWire(r::Confirm{{0, NodeId("a")}, {}, false})), "epoch") << "of no promise";
  EXPECT_EQ(Fault(OnWire(r::Confirm{{}, {}, false})), "epoch");
}

TEST(ReplicationCodec, HoldersAreFewAndDifferent) {
  EXPECT_EQ(Fault(OnWire(r::FailoverMessage(r::AskPromise{1, {NodeId("a"), NodeId("a")}}))),
            "holders");
  std::vector<NodeId> many;
  for (char c = 'a'; c <= 'h'; ++c) many.emplace_back(std::string(1, c));
  EXPECT_EQ(Fault(OnWire(r::FailoverMessage(r::AskPromise{1, many}))), "holders");
}

TEST(ReplicationCodec, APositionIsWhole) {
  auto message = OnWire(r::Confirm{kReign, {kOld, 7}, false});
  message.mutable_confirm()->mutable_position()->set_sequence(0);
  EXPECT_EQ(Fault(message), "position");
  message = OnWire(r::FailoverMessage(r::Heartbeat{kReign, kSent, {kReign, 2}}));
  message.mutable_heartbeat()->mutable_last()->clear_epoch();
  EXPECT_EQ(Fault(message), "last");
}

TEST(ReplicationCodec, AHistoryAscends) {
  auto message = OnWire(r::Lineage{kReign, History()});
  message.mutable_lineage()->mutable_history()->SwapElements(0, 1);
  EXPECT_EQ(Fault(message), "history");
}

TEST(ReplicationCodec, EntriesFollowEachOther) {
  const auto fault_of = [](const std::function<void(proto::Entries&)>& change) {
    proto::SpaceMessage message = OnWire(SomeEntries());
    change(*message.mutable_entries());
    return Fault(message);
  };
  EXPECT_EQ(fault_of([](auto&) {}), "");
  EXPECT_EQ(fault_of([](auto& m) { m.mutable_entries(1)->set_sequence(3); }), "entries") << "a gap";
  EXPECT_EQ(fault_of([](auto& m) { m.mutable_entries(1)->set_sequence(1); }), "entries");
  EXPECT_EQ(fault_of([](auto& m) { m.mutable_entries(0)->clear_epoch(); }), "entries")
      << "1 after 7 of the old epoch";
  EXPECT_EQ(fault_of([](auto& m) {
              m.clear_previous();
              m.mutable_entries(0)->clear_epoch();
            }),
            "entries")
      << "no epoch at all";
  EXPECT_EQ(fault_of([](auto& m) { m.mutable_entries(2)->clear_content(); }), "entries");
  EXPECT_EQ(fault_of([](auto& m) { m.mutable_epoch()->set_counter(2); }), "entries")
      << "newer than their sender";
  EXPECT_EQ(fault_of([](auto& m) { m.mutable_previous()->mutable_epoch()->set_counter(9); }),
            "entries");
}

TEST(ReplicationCodec, ChangesOfAStreamAscend) {
  const auto fault_of = [](const std::function<void(proto::Offer&)>& change) {
    proto::SpaceMessage message = OnWire(SomeChanges());
    change(*message.mutable_offer());
    return Fault(message);
  };
  EXPECT_EQ(fault_of([](auto&) {}), "");
  EXPECT_EQ(fault_of([](auto& m) { m.mutable_changes(0)->set_previous(9); }), "changes");
  EXPECT_EQ(fault_of([](auto& m) { m.mutable_changes()->SwapElements(1, 2); }), "changes");
  EXPECT_EQ(fault_of([](auto& m) { m.mutable_changes(0)->clear_content(); }), "changes");
  EXPECT_EQ(fault_of([](auto& m) { m.mutable_changes(0)->clear_origin(); }), "changes");
}

TEST(ReplicationCodec, CountsAreBounded) {
  r::Entries entries{kReign, {}, {}};
  for (uint64_t s = 1; s <= kEntriesMax + 1; ++s) entries.entries.push_back({{kReign, s}, "x"});
  EXPECT_EQ(Fault(OnWire(entries)), "entries");
  entries.entries.pop_back();
  EXPECT_EQ(Fault(OnWire(entries)), "");
}

// ---- frames

const ReplicationHello kHello{NodeId("a"), NodeId("b"), 42};

TEST(ReplicationFrame, CarriesMessagesOfManySpaces) {
  std::string batch = EncodePart({SpaceId("one"), r::FailoverMessage(r::Canvass{5})});
  batch += EncodePart({SpaceId("two"), SomeEntries()});
  const auto frame = DecodeFrame(EncodeFrame({kHello, 17}, batch));
  ASSERT_TRUE(frame.ok()) << frame.status().ToString();
  EXPECT_EQ(frame->head.receiver_life, 17u);
  ASSERT_TRUE(frame->head.hello.has_value());
  EXPECT_EQ(frame->head.hello->sender, NodeId("a"));
  EXPECT_EQ(frame->head.hello->receiver, NodeId("b"));
  EXPECT_EQ(frame->head.hello->life, 42u);
  ASSERT_EQ(frame->messages.size(), 2u);
  EXPECT_EQ(frame->messages[1].space, SpaceId("two"));
  EXPECT_EQ(std::get<r::Entries>(frame->messages[1].message).entries, SomeEntries().entries);
}

// Every byte of it, whatever it is part of.
TEST(ReplicationFrame, ADamagedBatchIsNotRead) {
  const std::string whole =
      EncodeFrame({std::nullopt, 0}, EncodePart({SpaceId("two"), SomeEntries()}));
  const size_t content = whole.find("first");
  ASSERT_NE(content, std::string::npos);
  std::string damaged = whole;
  damaged[content] ^= 1;
  EXPECT_EQ(DetailOf(DecodeFrame(damaged).status()).field, "checksum");
  for (size_t at = 0; at < whole.size(); ++at) {
    damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    const auto frame = DecodeFrame(damaged);
    if (!frame.ok()) continue;  // what is left is a field of the head that is not the batch's
    EXPECT_EQ(frame->messages.size(), 1u) << at;
  }
}

TEST(ReplicationFrame, WhatIsCutOffIsNotRead) {
  const std::string whole = EncodeFrame({kHello, 0}, EncodePart({SpaceId("two"), SomeEntries()}));
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto frame = DecodeFrame(whole.substr(0, size));
    EXPECT_TRUE(!frame.ok() || frame->messages.empty()) << size;
  }
}

TEST(ReplicationFrame, AHelloNamesBothAndALife) {
  for (const ReplicationHello& hello : {ReplicationHello{NodeId("?"), NodeId("b"), 42},
                                        ReplicationHello{NodeId("a"), NodeId(""), 42},
                                        ReplicationHello{NodeId("a"), NodeId("b"), 0}}) {
    EXPECT_EQ(CodeOf(DecodeFrame(EncodeFrame({hello, 0}, "")).status()),
              ErrorCode::kInvalidArgument);
  }
}

// A newer version may know more kinds; what it says besides still counts.
TEST(ReplicationFrame, UnknownKindsAreLeftOut) {
  proto::ReplicationBatch batch;
  batch.add_messages()->set_space("one");
  const auto frame = DecodeFrame(EncodeFrame(
      {std::nullopt, 0},
      batch.SerializeAsString() + EncodePart({SpaceId("two"), r::Confirm{kReign, {}, false}})));
  ASSERT_TRUE(frame.ok());
  EXPECT_EQ(frame->unknown, 1u);
  EXPECT_EQ(frame->messages.size(), 1u);
}

TEST(ReplicationFrame, OneBadMessageSpoilsIt) {
  const std::string batch = EncodePart({SpaceId("one"), r::FailoverMessage(r::Canvass{0})});
  EXPECT_EQ(DetailOf(DecodeFrame(EncodeFrame({std::nullopt, 0}, batch)).status()).field, "counter");
}

}  // namespace
}  // namespace engram::cluster
