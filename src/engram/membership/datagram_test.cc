#include "engram/membership/datagram.h"

#include <gtest/gtest.h>

#include "engram/base/codec.h"
#include "engram/membership/testing/swim_fixture.h"

namespace engram::membership {
namespace {

Verdict VerdictOn(std::string_view bytes) {
  Datagram read;
  return ReadDatagram(bytes, kCluster, read);
}

// A well-sealed datagram around a body that need not be well-formed.
std::string SealedBody(const std::string& body) {
  std::string bytes(19, '\0');
  bytes += body;
  SealDatagram(bytes, kCluster);
  return bytes;
}

// A gossip whose one update is what `put` writes.
template <class Put>
Verdict VerdictOnUpdate(Put put) {
  Encoder out;
  out.Bytes("a");
  out.Byte(5);
  put(out);
  return VerdictOn(SealedBody(out.data()));
}

TEST(Datagram, ReadsBackWhatWasWritten) {
  const std::vector<Update> updates = {Alive("b", 7), Suspect("c", 1, {"a", "b"}), Dead("d", 2),
                                       Left("e", 3)};
  Datagram read;
  ASSERT_EQ(ReadDatagram(Sealed("a", Ping{77, NodeId("b")}, updates), kCluster, read),
            Verdict::kRead);
  EXPECT_EQ(read.sender.value(), "a");
  EXPECT_EQ(std::get<Ping>(read.message).sequence, 77u);
  EXPECT_EQ(std::get<Ping>(read.message).target.value(), "b");
  EXPECT_EQ(read.updates, updates);
}

TEST(Datagram, ReadsBackEachKind) {
  Datagram read;
  ReadDatagram(Sealed("a", Ack{UINT32_MAX}), kCluster, read);
  EXPECT_EQ(std::get<Ack>(read.message).sequence, UINT32_MAX);
  ReadDatagram(Sealed("a", Nack{3}), kCluster, read);
  EXPECT_EQ(std::get<Nack>(read.message).sequence, 3u);
  ReadDatagram(Sealed("a", PingRequest{4, NodeId("x"), milliseconds(400)}), kCluster, read);
  EXPECT_EQ(std::get<PingRequest>(read.message).sequence, 4u);
  EXPECT_EQ(std::get<PingRequest>(read.message).target.value(), "x");
  EXPECT_EQ(std::get<PingRequest>(read.message).nack_after, milliseconds(400));
  ReadDatagram(Sealed("a", Gossip{}), kCluster, read);
  EXPECT_TRUE(std::holds_alternative<Gossip>(read.message));
  ReadDatagram(Sealed("a", FullState{}), kCluster, read);
  EXPECT_TRUE(std::holds_alternative<FullState>(read.message));
}

// The layout is what the header says: others may write it too.
TEST(Datagram, HasTheBytesThatItsHeaderPromises) {
  const std::string bytes = Sealed("a", Ping{1, NodeId("b")}, {Dead("c", 2)});
  EXPECT_EQ(bytes.substr(0, 3), "EG\x01");
  EXPECT_EQ(bytes.substr(19), std::string("\x01"
                                          "a\x01\x01\x01"
                                          "b\x02\x01"
                                          "c\x02"));
}

TEST(Datagram, AForeignClusterIsToldApart) {
  EXPECT_EQ(VerdictOn(Sealed("a", Gossip{}, {}, TagOf("another"))), Verdict::kForeignCluster);
}

TEST(Datagram, AnotherVersionIsToldApart) {
  std::string bytes = Sealed("a", Gossip{});
  bytes[2] = 2;
  EXPECT_EQ(VerdictOn(bytes), Verdict::kOtherVersion);
}

TEST(Datagram, NoFlippedBitIsReadAsSomething) {
  const std::string whole = Sealed("a", Ping{1, NodeId("b")}, {Alive("b", 7), Dead("c", 1)});
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_NE(VerdictOn(damaged), Verdict::kRead) << "bit " << bit;
  }
}

TEST(Datagram, NothingCutOrExtendedIsRead) {
  const std::string whole = Sealed("a", Ping{1, NodeId("b")}, {Alive("b", 7)});
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(VerdictOn(std::string_view(whole).substr(0, size)), Verdict::kGarbled) << size;
  }
  EXPECT_EQ(VerdictOn(whole + "x"), Verdict::kGarbled);
}

// A checksum is no promise of good faith.
TEST(Datagram, WhatIsSealedButMalformedIsGarbled) {
  EXPECT_EQ(VerdictOn(SealedBody("")), Verdict::kGarbled);
  EXPECT_EQ(VerdictOn(SealedBody("\x01"
                                 "A\x05")),
            Verdict::kGarbled)
      << "no node id";
  EXPECT_EQ(VerdictOn(SealedBody("\x01"
                                 "a\x07")),
            Verdict::kGarbled)
      << "no such kind";
  EXPECT_EQ(VerdictOn(SealedBody("\x01"
                                 "a\x02\xff\xff\xff\xff\x1f")),
            Verdict::kGarbled)
      << "a sequence of 33 bits";
}

// Under the sanitizers: nor is anything computed with it.
TEST(Datagram, ATimeOutOfItsBoundsIsGarbled) {
  const auto ask = [](uint64_t nack_after_ms) {
    Encoder body;
    body.Bytes("a");
    body.Byte(3);
    body.Varint(4);
    body.Bytes("x");
    body.Varint(nack_after_ms);
    return VerdictOn(SealedBody(body.data()));
  };
  EXPECT_EQ(ask(60'000), Verdict::kRead);
  EXPECT_EQ(ask(60'001), Verdict::kGarbled);
  EXPECT_EQ(ask(UINT64_MAX), Verdict::kGarbled);
}

TEST(Datagram, UpdatesOutOfTheirBoundsAreGarbled) {
  const auto alive = [](Encoder& out, uint64_t incarnation, const std::string& address) {
    out.Byte(4);
    out.Bytes("b");
    out.Varint(incarnation);
    for (const std::string& text : {address, address, std::string("z"), std::string("r")}) {
      out.Bytes(text);
    }
  };
  const uint64_t largest = static_cast<uint64_t>(kIncarnationMax);
  const std::string long_address(kAddressBytesMax, 'x');
  EXPECT_EQ(VerdictOnUpdate([&](Encoder& out) { alive(out, largest, long_address); }),
            Verdict::kRead);
  EXPECT_EQ(VerdictOnUpdate([&](Encoder& out) { alive(out, largest + 1, "x"); }),
            Verdict::kGarbled);
  EXPECT_EQ(VerdictOnUpdate([&](Encoder& out) { alive(out, 1, long_address + "x"); }),
            Verdict::kGarbled);
  EXPECT_EQ(VerdictOnUpdate([&](Encoder& out) { alive(out, 1, ""); }), Verdict::kGarbled);
}

TEST(Datagram, AliveWithoutAnAddressIsGarbled) {
  EXPECT_EQ(VerdictOnUpdate([](Encoder& out) {
              out.Byte(0);
              out.Bytes("b");
              out.Varint(1);
            }),
            Verdict::kGarbled);
}

TEST(Datagram, TooManyAccusersAreGarbled) {
  const auto suspect = [](size_t accusers) {
    return VerdictOnUpdate([&](Encoder& out) {
      out.Byte(1);
      out.Bytes("b");
      out.Varint(1);
      out.Varint(accusers);
      for (size_t i = 0; i < accusers; ++i) out.Bytes("a");
    });
  };
  EXPECT_EQ(suspect(8), Verdict::kRead);
  EXPECT_EQ(suspect(9), Verdict::kGarbled);
}

TEST(Datagram, TheLongestUpdateFitsIntoADatagram) {
  Update longest = Alive(std::string(64, 'a'), static_cast<uint64_t>(kIncarnationMax));
  const std::string address(kAddressBytesMax, 'x');
  const std::string label(kLabelBytesMax, 'x');
  longest.info = MemberInfo{address, address, label, label};
  const std::string bytes =
      Sealed(std::string(64, 'b'), PingRequest{UINT32_MAX, longest.id, seconds(60)}, {longest});
  EXPECT_LE(bytes.size(), 1'000u) << "the least that datagram_bytes_max may be";
  EXPECT_EQ(VerdictOn(bytes), Verdict::kRead);
}

}  // namespace
}  // namespace engram::membership
