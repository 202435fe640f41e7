// Peers that send what costs them little and us something, in masses: after each flood, another
// client is served.
#include <cstdint>
#include <functional>
#include <ostream>

#include "engram/net/testing/hostile_peer.h"

namespace engram::net {
namespace {

using testing::Frame;
using testing::HostilePeer;
using testing::kEnhanceYourCalm;
using testing::Message;
using testing::Number;
using testing::RequestHeaders;
using namespace std::chrono_literals;

TEST_F(HostilePeer, HeaderFloodIsRefused) {
  Start();
  peer_->Begin();
  Frame headers = RequestHeaders(1, testing::kUnary);
  for (int i = 0; i < 20; ++i) headers.payload += testing::EncodeHeader("x", std::string(500, 'x'));
  // The rest in CONTINUATIONs, to beyond what a header list may have.
  headers.flags = testing::kEndStream;
  peer_->Send(headers);
  std::string more;
  for (int i = 0; i < 20; ++i) more += testing::EncodeHeader("y", std::string(500, 'y'));
  peer_->Send(Frame{testing::kContinuation, testing::kEndHeaders, 1, more});
  EXPECT_TRUE(peer_->ReceiveType(testing::kHeaders).has_value());
  EXPECT_EQ(Count(&Counters::header_lists_refused), 1u);
}

TEST_F(HostilePeer, ContinuationFloodIsCutOff) {
  Start();
  peer_->Begin();
  Frame headers = RequestHeaders(1, testing::kUnary);
  headers.flags = 0;
  peer_->Send(headers);
  const Frame more{testing::kContinuation, 0, 1, testing::EncodeHeader("x", "y")};
  for (int i = 0; i < 1000; ++i) {
    if (!peer_->Send(more)) break;
  }
  ExpectCutOffAtOnce();
}

TEST_F(HostilePeer, RapidResetIsCutOff) {
  Start();
  peer_->Begin();
  std::string flood;
  for (uint32_t stream = 1; stream < 2 * 3000; stream += 2) {
    flood += Encode(RequestHeaders(stream, testing::kUnary));
    flood += Encode(Frame{testing::kRstStream, 0, stream, std::string("\0\0\0\x08", 4)});
  }
  peer_->Send(flood);
  ExpectCutOff();
}

TEST_F(HostilePeer, PingFloodIsCutOff) {
  ServerOptions options;
  options.control_frames_max = 500;
  Start(options);
  peer_->Begin();
  for (int i = 0; i < 600; ++i) peer_->Send(Frame{testing::kPing, 0, 0, std::string(8, 'p')});
  ExpectCutOff();
}

TEST_F(HostilePeer, SettingsFloodWithoutReadingIsCutOff) {
  Start();
  peer_->Begin();
  std::string flood;
  for (int i = 0; i < 20'000; ++i) flood += Encode(Frame{testing::kSettings, 0, 0, ""});
  peer_->Send(flood);
  ExpectCutOffAtOnce();
}

TEST_F(HostilePeer, MoreStreamsThanAllowedAreRefused) {
  ServerOptions options;
  options.concurrent_streams_max = 10;
  Start(options);
  peer_->Begin();
  for (uint32_t stream = 1; stream < 100; stream += 2)
    peer_->Send(RequestHeaders(stream, testing::kUnary));
  EXPECT_TRUE(peer_->ReceiveType(testing::kRstStream).has_value());
  EXPECT_GT(Count(&Counters::streams_refused), 0u);
}

TEST_F(HostilePeer, ContinuationsOfNothingAreCutOff) {
  Start();
  peer_->Begin();
  peer_->Send(Frame{testing::kHeaders, 0, 1, RequestHeaders(1, testing::kUnary).payload});
  Flood(Encode(Frame{testing::kContinuation, 0, 1, ""}), 100'000);
  ExpectCutOffAtOnce();
}

// nghttp2 once aborted the process on the frame after the last one that was taken.
TEST_F(HostilePeer, MalformedFrameBehindAFlood) {
  ServerOptions options;
  options.control_frames_max = 500;
  Start(options);
  peer_->Begin();
  std::string flood;
  for (int i = 0; i < 600; ++i) flood += Encode(Frame{testing::kPing, 0, 0, std::string(8, 'p')});
  flood += Encode(Frame{testing::kPriority, 0, 0, ""});
  flood += Encode(Frame{testing::kData, 0, 0, std::string(256, '\0')});
  peer_->Send(flood);
  ExpectCutOff();
}

TEST_F(HostilePeer, PingFloodWithoutReadingIsCutOff) {
  Start();
  peer_->Begin();
  Flood(Encode(Frame{testing::kPing, 0, 0, std::string(8, 'p')}), 1'000'000);
  ExpectCutOffAtOnce();
}

TEST_F(HostilePeer, TableSizeChangedAgainAndAgainIsCutOff) {
  ServerOptions options;
  options.control_frames_max = 500;
  Start(options);
  peer_->Begin();
  for (int i = 0; i < 600; ++i) {
    peer_->Send(testing::Setting(testing::kHeaderTableSize, i % 2 == 0 ? 0 : 4096));
  }
  ExpectCutOff();
}

TEST_F(HostilePeer, EmptyDataFloodIsCutOff) {
  Start();
  peer_->Begin();
  peer_->Send(RequestHeaders(1, testing::kBidi));
  Flood(Encode(Frame{testing::kData, 0, 1, ""}), 20'000);
  ExpectCutOff();
}

TEST_F(HostilePeer, WindowUpdatesForNothingAreCutOff) {
  Start();
  peer_->Begin();
  Flood(Encode(Frame{testing::kWindowUpdate, 0, 0, Number(1)}), 20'000);
  ExpectCutOff();
}

// A client that has not heard of the limit may go beyond it, but not for ever.
TEST_F(HostilePeer, RefusedStreamsWithoutEndAreCutOff) {
  ServerOptions options;
  options.concurrent_streams_max = 10;
  options.control_frames_max = 500;
  Start(options);
  peer_->Begin();
  std::string flood;
  for (uint32_t stream = 1; stream < 2 * 1000; stream += 2) {
    flood += Encode(RequestHeaders(stream, testing::kBidi));
  }
  peer_->Send(flood);
  ExpectCutOff();
}

// Wasteful, but every byte brings the message on; the bound on messages holds.
TEST_F(HostilePeer, MessageInFramesOfOneByteIsTaken) {
  Start();
  peer_->Begin();
  peer_->Send(RequestHeaders(1, testing::kUnary));
  const std::string message = Message(std::string(20'000, 'x'));
  std::string frames;
  for (const char c : message) frames += Encode(Frame{testing::kData, 0, 1, std::string(1, c)});
  peer_->Send(frames);
  ExpectOthersServed();
  peer_->Send(Frame{testing::kData, testing::kEndStream, 1, ""});
  EXPECT_TRUE(peer_->ReceiveType(testing::kData).has_value());
}

// "MadeYouReset" (CVE-2025-8671): the peer resets nothing, it provokes the server's own resets.
struct Provocation {
  const char* name;
  uint32_t http2_error;  // some break the rules so that HTTP/2 ends the connection at the first
  std::function<std::string(uint32_t stream)> frames;
};

std::ostream& operator<<(std::ostream& out, const Provocation& p) { return out << p.name; }

constexpr uint32_t kProtocolError = 1;
constexpr uint32_t kStreamClosed = 5;

class MadeYouReset : public HostilePeer, public ::testing::WithParamInterface<Provocation> {};

TEST_P(MadeYouReset, IsCutOff) {
  ServerOptions options;
  options.resets_max = 100;
  Start(options);
  peer_->Begin();
  const uint64_t begun_before = Count(&Counters::calls_begun);
  std::string flood;
  // One more than allowed, so that nothing is left unread whose loss would take the GOAWAY along.
  for (uint32_t i = 0; i <= options.resets_max; ++i) flood += GetParam().frames(2 * i + 1);
  peer_->Send(flood);
  EXPECT_EQ(GoawayCode(), GetParam().http2_error);
  EXPECT_EQ(Count(&Counters::connections_flooding),
            GetParam().http2_error == kEnhanceYourCalm ? 1u : 0u);
  ExpectOthersServed();
  EXPECT_LE(Count(&Counters::calls_begun) - begun_before, options.resets_max + 2);
}

std::string Call(uint32_t stream, std::string_view extra_header = "") {
  Frame headers = RequestHeaders(stream, testing::kBidi);
  headers.payload += extra_header;
  return Encode(headers);
}

INSTANTIATE_TEST_SUITE_P(
    Hostile, MadeYouReset,
    ::testing::Values(
        Provocation{"WindowOverflow", kEnhanceYourCalm,
                    [](uint32_t stream) {
                      return Call(stream) +
                             Encode(Frame{testing::kWindowUpdate, 0, stream, Number(0x7fffffff)});
                    }},
        Provocation{
            "WindowUpdateOfZero", kProtocolError,
            [](uint32_t stream) {
              return Call(stream) + Encode(Frame{testing::kWindowUpdate, 0, stream, Number(0)});
            }},
        Provocation{"DataAfterTheEnd", kStreamClosed,
                    [](uint32_t stream) {
                      const Frame last{testing::kData, testing::kEndStream, stream, Message("x")};
                      return Call(stream) + Encode(last) + Encode(last);
                    }},
        Provocation{"DependsOnItself", kProtocolError,
                    [](uint32_t stream) {
                      return Call(stream) +
                             Encode(Frame{testing::kPriority, 0, stream, Number(stream) + "x"});
                    }},
        Provocation{
            "MalformedHeader", kEnhanceYourCalm,
            [](uint32_t stream) { return Call(stream, testing::EncodeHeader("Upper", "case")); }},
        Provocation{"LengthThatIsNot", kEnhanceYourCalm,
                    [](uint32_t stream) {
                      return Call(stream, testing::EncodeHeader("content-length", "1")) +
                             Encode(Frame{testing::kData, 0, stream, Message("more than one")});
                    }}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace engram::net
