// Compressed requests and replies, each as gRPC's "Compression" document has it.
#include "engram/base/error.h"
#include "engram/net/testing/compress.h"
#include "engram/net/testing/fixture.h"
#include "engram/net/testing/raw_caller.h"

namespace engram::net {
namespace {

using testing::Answer;
using testing::Eventually;
using testing::Frame;
using testing::Framed;
using testing::Gzip;
using testing::PendingCall;
using testing::RawCaller;
using testing::RawPeer;
using testing::RunOn;

constexpr size_t kMessageBytesMax = 10'000;
constexpr uint8_t kCompressed = 1;
const testing::Headers kGzipNamed = {{"grpc-encoding", "gzip"}};

std::string GzipMessage(std::string_view text) { return Framed(Gzip(text), kCompressed); }

class Compression : public testing::NetTest {
 protected:
  Compression() {
    ServerOptions options;
    options.message_bytes_max = kMessageBytesMax;
    StartServer(options, [this](Server& server) {
      server.AddStream("/test/Held", [this](ServerCall call) { held_.emplace(std::move(call)); });
    });
    caller_.emplace(server_->port());
  }
  ~Compression() override {
    RunOn(loop(), [&] { held_.reset(); });
  }

  Answer Unary(const std::string& body, const testing::Headers& headers = kGzipNamed) {
    return caller_->Call(testing::kUnary, headers, body);
  }
  Answer Bidi(const std::string& body) { return caller_->Call(testing::kBidi, kGzipNamed, body); }
  // Begins a call whose handler reads only what a test makes it read: held_.
  static void BeginHeld(RawPeer& peer) {
    peer.Begin();
    Frame headers = testing::RequestHeaders(1, "/test/Held");
    headers.payload += testing::EncodeHeader("grpc-encoding", "gzip");
    peer.Send(headers);
  }
  // Such a call with so many compressed messages, which have arrived.
  void SendUnread(RawPeer& peer, uint64_t count) {
    BeginHeld(peer);
    std::string messages;
    for (uint64_t i = 0; i < count; ++i) {
      messages += GzipMessage(std::string(kMessageBytesMax, 'x'));
    }
    peer.Send(Frame{testing::kData, 0, 1, messages});
    ASSERT_TRUE(Eventually([&] { return Count(&Counters::messages_received) == count; }));
  }

  std::optional<RawCaller> caller_;
  std::optional<ServerCall> held_;
};

void ExpectEchoed(const Answer& answer, const std::string& body) {
  EXPECT_EQ(answer.body, body);
  EXPECT_EQ(answer.Find("grpc-status"), "0") << answer.Find("grpc-message");
  EXPECT_EQ(answer.Find("grpc-encoding"), "") << "the reply is not compressed";
}

TEST_F(Compression, UnaryRequestIsInflated) {
  const std::string text(5000, 'g');
  ExpectEchoed(Unary(GzipMessage(text)), Framed(text));
  EXPECT_EQ(Count(&Counters::messages_inflated), 1u);
  EXPECT_EQ(Count(&Counters::message_bytes_inflated), 5000u);
}

TEST_F(Compression, EmptyMessageMayBeCompressed) {
  ExpectEchoed(Unary(GzipMessage("")), Framed(""));
}

TEST_F(Compression, TwoMembersAreOneMessage) {
  ExpectEchoed(Unary(Framed(Gzip("one") + Gzip("two"), kCompressed)), Framed("onetwo"));
}

TEST_F(Compression, StreamMayMixPlainAndCompressed) {
  ExpectEchoed(Bidi(GzipMessage("one") + Framed("two") + GzipMessage("") + GzipMessage("four")),
               Framed("one") + Framed("two") + Framed("") + Framed("four"));
  EXPECT_EQ(Count(&Counters::messages_inflated), 3u);
}

TEST_F(Compression, PlainMessageNeedsNoInflating) {
  ExpectEchoed(Unary(Framed("plain")), Framed("plain"));
  ExpectEchoed(Unary(Framed("plain"), {{"grpc-encoding", "identity"}}), Framed("plain"));
  EXPECT_EQ(Count(&Counters::messages_inflated), 0u);
}

TEST_F(Compression, LimitIsOfTheInflatedMessage) {
  ExpectEchoed(Unary(GzipMessage(std::string(kMessageBytesMax, 'x'))),
               Framed(std::string(kMessageBytesMax, 'x')));
  const Answer beyond = Unary(GzipMessage(std::string(kMessageBytesMax + 1, 'x')));
  EXPECT_EQ(beyond.Find("grpc-status"), "3");
  EXPECT_NE(beyond.Find("grpc-message").find("10000"), std::string::npos);
  EXPECT_EQ(Count(&Counters::messages_refused), 1u);
}

TEST_F(Compression, LimitHoldsForEachMessageOfAStream) {
  const std::string most(kMessageBytesMax, 'x');
  ExpectEchoed(Bidi(GzipMessage(most) + GzipMessage(most)), Framed(most) + Framed(most));
  const Answer beyond = Bidi(GzipMessage("first") + GzipMessage(most + "x"));
  EXPECT_EQ(beyond.Find("grpc-status"), "3");
}

TEST_F(Compression, GigabyteOfZerosIsRefused) {
  server_.reset();
  StartServer();
  const std::string bomb = Framed(testing::GzipOfZeros(1000), kCompressed);
  const Answer answer = RawCaller(server_->port()).Call(testing::kUnary, kGzipNamed, bomb);
  EXPECT_EQ(answer.Find("grpc-status"), "3");
  EXPECT_EQ(Count(&Counters::message_bytes_inflated), 0u);
}

TEST_F(Compression, DamagedMessageIsInternal) {
  const std::string whole = Gzip("some text");
  std::string wrong_checksum = whole;
  ++wrong_checksum[whole.size() - 8];
  for (const std::string& damaged :
       {wrong_checksum, whole.substr(0, whole.size() - 1), whole + "x", std::string("plain"),
        std::string(), testing::Deflate("some text", testing::Format::kZlib)}) {
    EXPECT_EQ(Unary(Framed(damaged, kCompressed)).Find("grpc-status"), "13");
    EXPECT_EQ(Bidi(Framed(damaged, kCompressed)).Find("grpc-status"), "13");
  }
  EXPECT_EQ(Count(&Counters::messages_refused), 12u);
}

TEST_F(Compression, FlagWithoutAnEncodingIsInternal) {
  EXPECT_EQ(Unary(GzipMessage("x"), {}).Find("grpc-status"), "13");
  EXPECT_EQ(Unary(GzipMessage("x"), {{"grpc-encoding", "identity"}}).Find("grpc-status"), "13");
}

TEST_F(Compression, ReservedFlagsAreInternal) {
  for (const uint8_t flag : {2, 3, 0x80, 0xff}) {
    EXPECT_EQ(Unary(Framed(Gzip("x"), flag)).Find("grpc-status"), "13") << int{flag};
    EXPECT_EQ(Unary(Framed("x", flag), {}).Find("grpc-status"), "13") << int{flag};
  }
}

TEST_F(Compression, OtherEncodingsAreUnimplementedAndToldWhatIs) {
  const std::string message =
      Framed(testing::Deflate("x", testing::Format::kZlib), kCompressed) + Framed("x");
  for (const char* encoding : {"deflate", "snappy", "GZIP", "gzip,identity", ""}) {
    for (const char* method : {testing::kUnary, testing::kBidi}) {
      const Answer answer = caller_->Call(method, {{"grpc-encoding", encoding}}, message);
      EXPECT_EQ(answer.Find("grpc-status"), "12") << encoding;
      EXPECT_EQ(answer.Find("grpc-accept-encoding"), "identity,gzip") << encoding;
    }
  }
}

TEST_F(Compression, TwoEncodingsAreNone) {
  const testing::Headers twice = {{"grpc-encoding", "gzip"}, {"grpc-encoding", "gzip"}};
  EXPECT_EQ(Unary(GzipMessage("x"), twice).Find("grpc-status"), "12");
}

TEST_F(Compression, AcceptedEncodingsAreToldToWhoNamesOne) {
  EXPECT_EQ(Unary(GzipMessage("x")).headers["grpc-accept-encoding"], "identity,gzip");
  EXPECT_EQ(Unary(Framed("x"), {{"grpc-encoding", "identity"}}).headers["grpc-accept-encoding"],
            "identity,gzip");
  EXPECT_EQ(Unary(Framed("x"), {}).Find("grpc-accept-encoding"), "");
}

// Else a window full of small bombs would cost a thousand times its size in memory.
TEST_F(Compression, WhatNobodyReadsStaysCompressed) {
  RawPeer peer(server_->port());
  SendUnread(peer, 100);
  EXPECT_EQ(Count(&Counters::messages_inflated), 0u);

  std::promise<size_t> size;
  RunOn(loop(), [&] {
    held_->Read([&](const std::optional<std::string>& message) {
      size.set_value(message.value_or("").size());
    });
  });
  EXPECT_EQ(size.get_future().get(), kMessageBytesMax);
  EXPECT_EQ(Count(&Counters::messages_inflated), 1u);
}

TEST_F(Compression, InflatingManyMessagesLetsOthersHaveTheirTurn) {
  constexpr int kMessages = 100;
  RawPeer peer(server_->port());
  SendUnread(peer, kMessages);
  int read = 0;
  std::promise<int> read_when_another_had_its_turn;
  std::promise<void> all_read;
  std::function<void(const std::optional<std::string>&)> on_message;
  on_message = [&](const std::optional<std::string>& /*message*/) {
    if (++read == 1) loop().Post([&] { read_when_another_had_its_turn.set_value(read); });
    if (read == kMessages) return all_read.set_value();
    held_->Read(std::ref(on_message));
  };
  RunOn(loop(), [&] { held_->Read(std::ref(on_message)); });
  all_read.get_future().get();
  EXPECT_LT(read_when_another_had_its_turn.get_future().get(), kMessages);
}

TEST_F(Compression, DamageAmongUnreadMessagesCancelsTheHandler) {
  RawPeer peer(server_->port());
  BeginHeld(peer);
  peer.Send(Frame{testing::kData, testing::kEndStream, 1,
                  GzipMessage("good") + Framed("bad", kCompressed) + Framed("after")});
  ASSERT_TRUE(Eventually([&] { return Count(&Counters::messages_received) == 3; }));
  std::promise<std::string> first;
  std::promise<void> cancelled;
  RunOn(loop(), [&] {
    held_->OnCancel([&] { cancelled.set_value(); });
    held_->Read([&](const std::optional<std::string>& message) {
      first.set_value(message.value_or(""));
      held_->Read([](const std::optional<std::string>&) { FAIL() << "nothing good follows"; });
    });
  });
  EXPECT_EQ(first.get_future().get(), "good");
  EXPECT_EQ(cancelled.get_future().wait_for(testing::kPatience), std::future_status::ready);
}

TEST_F(Compression, CompressedReplyIsInternalBecauseNoneIsAskedFor) {
  testing::RawListener listener;
  UseChannel("127.0.0.1:" + std::to_string(listener.port()));
  PendingCall call = Begin("/s/M", "request");
  RawPeer peer = listener.Accept();
  const std::optional<Frame> request = peer.ReceiveType(testing::kHeaders);
  ASSERT_TRUE(request.has_value());
  peer.Send(Frame{testing::kHeaders, testing::kEndHeaders, 1,
                  testing::EncodeHeader(":status", "200") +
                      testing::EncodeHeader("content-type", "application/grpc") +
                      testing::EncodeHeader("grpc-encoding", "gzip")});
  peer.Send(Frame{testing::kData, 0, 1, GzipMessage("reply")});
  const CallResult result = call.Wait();
  EXPECT_EQ(result.status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(result.delivery, Delivery::kUndetermined);
}

}  // namespace
}  // namespace engram::net
