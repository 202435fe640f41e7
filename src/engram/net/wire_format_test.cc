// The pure parts: what bytes and headers mean.
#include <gtest/gtest.h>

#include <span>

#include "engram/base/error.h"
#include "engram/net/endpoint.h"
#include "engram/net/flood_guard.h"
#include "engram/net/grpc_status.h"
#include "engram/net/grpc_timeout.h"
#include "engram/net/message_reader.h"
#include "engram/net/metadata_wire.h"
#include "engram/net/request_head.h"
#include "engram/net/response_head.h"
#include "engram/net/send_queue.h"
#include "engram/net/utf8_text.h"
#include "engram/v1/common.pb.h"
#include "engram/v1/error.pb.h"

namespace engram::net::internal {
namespace {

using namespace std::chrono_literals;

std::span<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

TEST(Timeout, IsReadInEveryUnit) {
  EXPECT_EQ(ParseTimeout("1H"), Duration(1h));
  EXPECT_EQ(ParseTimeout("2M"), Duration(2min));
  EXPECT_EQ(ParseTimeout("3S"), Duration(3s));
  EXPECT_EQ(ParseTimeout("4m"), Duration(4ms));
  EXPECT_EQ(ParseTimeout("5u"), Duration(5us));
  EXPECT_EQ(ParseTimeout("6n"), Duration(6ns));
  EXPECT_EQ(ParseTimeout("0n"), Duration(0));
  EXPECT_EQ(ParseTimeout("99999999H"), Duration::max());
}

TEST(Timeout, MalformedIsRefused) {
  for (const char* bad : {"", "S", "1", "123456789S", "-1S", "+1S", "1s", "1.5S", " 1S", "1 S",
                          "1S ", "0x1S", "1h", "1ms", "1H2M", "1S,2S"}) {
    EXPECT_EQ(ParseTimeout(bad), std::nullopt) << bad;
  }
}

TEST(Timeout, IsWrittenInTheFinestUnitThatFits) {
  EXPECT_EQ(TimeoutText(Duration(-1s)).view(), "0n");
  EXPECT_EQ(TimeoutText(Duration(99'999'999ns)).view(), "99999999n");
  EXPECT_EQ(TimeoutText(Duration(100'000'001ns)).view(), "100001u") << "rounded up";
  EXPECT_EQ(TimeoutText(Duration(10s)).view(), "10000000u");
  EXPECT_EQ(TimeoutText(Duration(1000h)).view(), "3600000S");
  EXPECT_EQ(TimeoutText(Duration::max()).view(), "2562048H");
}

TEST(Timeout, BeyondTheClockIsNever) {
  const TimePoint now = TimePoint() + 1h;
  EXPECT_EQ(DeadlineAfter(now, Duration::max()), kNever);
  EXPECT_EQ(DeadlineAfter(now, 1s), now + 1s);
}

TEST(BinaryMetadata, IsBase64WithAndWithoutPadding) {
  const std::string binary("\xff\0\x10\x7f", 4);
  EXPECT_EQ(EncodeBinary(binary), "/wAQfw");
  std::string decoded;
  for (const char* text : {"/wAQfw", "/wAQfw=="}) {
    ASSERT_TRUE(DecodeBinary(text, decoded)) << text;
    EXPECT_EQ(decoded, binary);
  }
  EXPECT_FALSE(DecodeBinary("a*b", decoded));
}

TEST(BinaryMetadata, SeveralValuesMayShareAHeader) {
  Metadata metadata;
  ASSERT_TRUE(AddReceived("k-bin", "YQ,Yg==", metadata));
  ASSERT_EQ(metadata.entries().size(), 2u);
  EXPECT_EQ(metadata.entries()[0].value, "a");
  EXPECT_EQ(metadata.entries()[1].value, "b");
}

TEST(MetadataRules, SayWhatGrpcCanCarry) {
  EXPECT_TRUE(IsSendable("engram-space", "a b~"));
  EXPECT_TRUE(IsSendable("x-bin", "\n\xff"));
  for (const char* name : {"", "Upper", "grpc-status", ":path", "te", "sp ace"}) {
    EXPECT_FALSE(IsSendable(name, "v")) << name;
  }
  EXPECT_FALSE(IsSendable("x", "ä"));
  EXPECT_FALSE(IsSendable("x", "a\nb"));
}

TEST(PercentEncoding, RoundTripsAnyBytes) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  EXPECT_EQ(PercentDecode(PercentEncode(all)), all);
  EXPECT_EQ(PercentEncode("a b%\n\u00e4"), "a b%25%0A%C3%A4");
}

TEST(PercentEncoding, LeavesMalformedTextAsItIs) {
  for (const char* text : {"100%", "%4", "%zz", "%", "a%%b"}) EXPECT_EQ(PercentDecode(text), text);
  EXPECT_EQ(PercentDecode("%41%zz%42"), "A%zzB");
}

TEST(ErrorCodes, AreThoseOfTheWire) {
  ASSERT_EQ(kErrorCodeCount, v1::ErrorCode_MAX + 1);
  for (int i = 0; i < kErrorCodeCount; ++i) {
    EXPECT_EQ("ERROR_CODE_" + std::string(InfoOf(static_cast<ErrorCode>(i)).name),
              v1::ErrorCode_Name(static_cast<v1::ErrorCode>(i)));
  }
}

TEST(StatusDetails, CarryAssignmentAndAttempts) {
  v1::Assignment assignment;
  assignment.set_primary("n3");
  v1::RouteTrace trace;
  trace.add_attempts()->set_node("n1");
  absl::Status status = MakeError(ErrorCode::kWrongNode, "not here");
  status.SetPayload(kAssignmentPayload, absl::Cord(assignment.SerializeAsString()));
  status.SetPayload(kAttemptsPayload, absl::Cord(trace.SerializeAsString()));

  const absl::Status back = DecodeStatus(9, "not here", EncodeDetails(status));
  EXPECT_EQ(back, status);
  EXPECT_EQ(CodeOf(back), ErrorCode::kWrongNode);
}

// Protobuf would refuse to read the whole detail.
TEST(StatusDetails, SurviveTextThatIsNotUtf8) {
  const absl::Status status = MakeError(
      {.code = ErrorCode::kWrongNode, .field = "f\xff", .space = "s\xc3", .node = "n\x80"}, "\xfe");
  const absl::Status back = DecodeStatus(9, "m", EncodeDetails(status));
  EXPECT_EQ(CodeOf(back), ErrorCode::kWrongNode);
  EXPECT_EQ(DetailOf(back).field, "f\uFFFD");
  EXPECT_EQ(DetailOf(back).space, "s\uFFFD");
  EXPECT_EQ(DetailOf(back).node, "n\uFFFD");
}

TEST(Utf8Text, KeepsWhatIsWellFormed) {
  for (const char* text :
       {"", "plain", "\u00e4\u07ff", "\u0800\ud7ff\ue000\uffff", "\U00010000\U0010ffff"}) {
    EXPECT_EQ(ToValidUtf8(text), text);
  }
}

TEST(Utf8Text, ReplacesEachByteThatIsNot) {
  const std::string r = "\uFFFD";
  EXPECT_EQ(ToValidUtf8("a\xff\xfe"
                        "b"),
            "a" + r + r + "b");
  EXPECT_EQ(ToValidUtf8("\xc3"), r) << "cut short";
  EXPECT_EQ(ToValidUtf8("\xe2\x82"
                        "c"),
            r + r + "c")
      << "cut short";
  EXPECT_EQ(ToValidUtf8("\xc0\x80"), r + r) << "overlong";
  EXPECT_EQ(ToValidUtf8("\xe0\x9f\xbf"), r + r + r) << "overlong";
  EXPECT_EQ(ToValidUtf8("\xed\xa0\x80"), r + r + r) << "a surrogate";
  EXPECT_EQ(ToValidUtf8("\xf4\x90\x80\x80"), r + r + r + r) << "beyond U+10FFFF";
}

TEST(StatusDetails, PlainStatusHasNone) {
  EXPECT_EQ(EncodeDetails(absl::OkStatus()), "");
  EXPECT_EQ(EncodeDetails(absl::NotFoundError("x")), "");
}

TEST(StatusDetails, OfForeignServersArePassedOnAsTheyCame) {
  v1::ErrorDetail ours;
  ours.set_code(v1::ERROR_CODE_NOT_FOUND);
  v1::StatusDetails mixed;
  mixed.add_details()->set_type_url("type.googleapis.com/google.rpc.RetryInfo");
  auto* any = mixed.add_details();
  any->set_type_url("type.googleapis.com/engram.v1.ErrorDetail");
  ours.SerializeToString(any->mutable_value());
  for (const std::string& details : {mixed.SerializeAsString(), std::string("no protobuf\xff")}) {
    const absl::Status status = DecodeStatus(9, "m", details);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(EncodeDetails(status), details);
  }
  EXPECT_EQ(CodeOf(DecodeStatus(9, "m", mixed.SerializeAsString())), ErrorCode::kNotFound);
}

TEST(StatusDetails, OfHostilePeersAreHarmless) {
  EXPECT_EQ(DecodeStatus(5, "m", "garbage\xff").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(DecodeStatus(17, "m", "").code(), absl::StatusCode::kUnknown);
  EXPECT_EQ(DecodeStatus(-1, "m", "").code(), absl::StatusCode::kUnknown);
  v1::ErrorDetail detail;
  detail.set_code(static_cast<v1::ErrorCode>(200));
  v1::StatusDetails details;
  auto* any = details.add_details();
  any->set_type_url("type.googleapis.com/engram.v1.ErrorDetail");
  detail.SerializeToString(any->mutable_value());
  EXPECT_EQ(CodeOf(DecodeStatus(5, "m", details.SerializeAsString())), ErrorCode::kNotFound);
  detail.set_code(v1::ERROR_CODE_OVERLOADED);
  detail.set_space(std::string("a\0b", 3));
  detail.mutable_retry_after()->set_seconds(INT64_MAX);
  detail.SerializeToString(any->mutable_value());
  const ErrorDetail decoded = DetailOf(DecodeStatus(8, "m", details.SerializeAsString()));
  EXPECT_EQ(decoded.space, "ab");
  EXPECT_EQ(decoded.retry_after, Duration(24h));
}

std::string Framed(const std::string& body) {
  SendQueue queue;
  queue.Push(body);
  std::string out;
  queue.CopyTo(out, queue.unsent());
  return out;
}

TEST(Messages, SurviveAnySplit) {
  const std::string wire = Framed("first") + Framed("") + Framed(std::string(300, 'x'));
  for (size_t step = 1; step <= wire.size(); ++step) {
    MessageReader reader(1000);
    std::vector<std::string> messages;
    for (size_t at = 0; at < wire.size(); at += step) {
      auto bytes = Bytes(wire).subspan(at, std::min(step, wire.size() - at));
      while (!bytes.empty()) {
        bytes = bytes.subspan(reader.Feed(bytes));
        if (reader.state() == MessageReader::State::kComplete) messages.push_back(reader.Take());
      }
    }
    EXPECT_EQ(messages, (std::vector<std::string>{"first", "", std::string(300, 'x')}));
    EXPECT_TRUE(reader.at_boundary());
  }
}

TEST(Messages, LeaveInAnySplit) {
  for (size_t step = 1; step < 40; ++step) {
    SendQueue queue;
    for (const char* body : {"one", "", "three"}) queue.Push(body);
    std::string out;
    size_t completed = 0;
    while (queue.unsent() > 0) completed += queue.CopyTo(out, std::min(step, queue.unsent()));
    EXPECT_EQ(out, Framed("one") + Framed("") + Framed("three"));
    EXPECT_EQ(completed, 3u);
  }
}

TEST(Messages, TooLargeAllocatesNothing) {
  MessageReader reader(10);
  reader.Feed(Bytes(std::string_view("\0\xff\xff\xff\xff", 5)));
  EXPECT_EQ(reader.state(), MessageReader::State::kTooLarge);
  EXPECT_EQ(reader.announced(), 0xffffffffu);
}

TEST(Messages, CompressedOnesAreRefusedUnlessAllowed) {
  const std::string_view wire("\1\0\0\0\1z", 6);
  MessageReader reader(10);
  reader.Feed(Bytes(wire));
  EXPECT_EQ(reader.state(), MessageReader::State::kCompressed);
  MessageReader allowing(10);
  allowing.AllowCompressed();
  allowing.Feed(Bytes(wire));
  ASSERT_EQ(allowing.state(), MessageReader::State::kComplete);
  EXPECT_TRUE(allowing.compressed());
  EXPECT_EQ(allowing.Take(), "z");
}

TEST(Messages, ReservedFlagsAreRefused) {
  MessageReader reader(10);
  reader.AllowCompressed();
  reader.Feed(Bytes(std::string_view("\2\0\0\0\1", 5)));
  EXPECT_EQ(reader.state(), MessageReader::State::kBadFlag);
}

TEST(FloodGuard, CutsOffResetsThatServeNothing) {
  FloodGuard guard({10, 100});
  const TimePoint now{};
  bool cut = false;
  for (int i = 0; i < 11; ++i) {
    guard.OnCallBegun();
    cut = guard.OnReset(now);
    EXPECT_EQ(cut, i == 10);
  }
}

TEST(FloodGuard, LeavesABusyPeerAlone) {
  FloodGuard guard({10, 100});
  for (int i = 0; i < 1000; ++i) {
    for (int k = 0; k < 3; ++k) guard.OnCallBegun();
    EXPECT_FALSE(guard.OnReset(TimePoint()));
  }
}

TEST(FloodGuard, ForgetsWithEachWindow) {
  FloodGuard guard({10, 2});
  TimePoint now{};
  for (int i = 0; i < 10; ++i, now += FloodGuard::kWindow / 2)
    EXPECT_FALSE(guard.OnControlFrame(now));
}

TEST(Endpoint, TakesNamesAndAddresses) {
  EXPECT_EQ(ParseEndpoint("node7:5000")->host, "node7");
  EXPECT_EQ(ParseEndpoint("[fd00::7]:5000")->host, "fd00::7");
  EXPECT_EQ(ParseEndpoint("10.0.0.7:65535")->port, 65535);
  for (const char* bad : {"", "x", "x:", ":1", "x:0", "x:65536", "fd00::7:5000", "[]:1", "x:1a"}) {
    EXPECT_FALSE(ParseEndpoint(bad).ok()) << bad;
  }
}

class RequestHeadTest : public ::testing::Test {
 protected:
  RequestHeadTest() {
    methods_.Add(
        "/s/M", [](const ServerCall&, const std::string&) {}, nullptr);
  }
  void AddBasics(RequestHead& head) {
    head.Add(":method", "POST");
    head.Add(":path", "/s/M");
    head.Add("content-type", "application/grpc+proto");
  }
  MethodTable methods_;
};

TEST_F(RequestHeadTest, AcceptsGrpc) {
  RequestHead head(methods_, {1000, 500});
  AddBasics(head);
  head.Add("te", "trailers");
  head.Add("grpc-timeout", "5S");
  head.Add("engram-space", "s");
  EXPECT_EQ(head.HttpStatus(), 200);
  EXPECT_TRUE(head.Verdict().ok());
  EXPECT_EQ(head.timeout(), Duration(5s));
  EXPECT_EQ(head.metadata().entries().size(), 1u);
}

TEST_F(RequestHeadTest, AnswersWhatIsNotGrpcInHttp) {
  RequestHead get(methods_, {1000, 500});
  get.Add(":method", "GET");
  EXPECT_EQ(get.HttpStatus(), 405);
  for (const char* type : {"text/html", "application/grpc-web", "application/grpcx", ""}) {
    RequestHead head(methods_, {1000, 500});
    AddBasics(head);
    head.Add("content-type", type);
    EXPECT_EQ(head.HttpStatus(), 415) << type;
  }
}

TEST_F(RequestHeadTest, NamesWhatIsMalformed) {
  const auto verdict = [&](const char* name, const std::string& value) {
    RequestHead head(methods_, {1000, 500});
    AddBasics(head);
    head.Add(name, value);
    return head.Verdict();
  };
  EXPECT_EQ(DetailOf(verdict("grpc-timeout", "soon")).field, "grpc-timeout");
  EXPECT_EQ(DetailOf(verdict("x-bin", "*")).field, "metadata");
  EXPECT_EQ(DetailOf(verdict("x", std::string(600, 'x'))).field, "metadata");
  EXPECT_EQ(CodeOf(verdict("x", std::string(1200, 'x'))), ErrorCode::kOverloaded);
  EXPECT_EQ(CodeOf(verdict(":path", "/s/N")), ErrorCode::kUnimplemented);
}

TEST(ResponseHead, TrailersOnlyIsTrailing) {
  ResponseHead head(1000);
  head.Add(":status", "200");
  head.Add("content-type", "application/grpc");
  head.Add("grpc-status", "5");
  head.Add("grpc-message", "n%C3%A4h");
  head.Add("served-by", "n1");
  head.EndList();
  EXPECT_EQ(head.Status(), absl::NotFoundError("n\u00e4h"));
  EXPECT_TRUE(head.TakeInitial().empty());
  EXPECT_EQ(head.TakeTrailing().Find("served-by"), "n1");
}

TEST(ResponseHead, InterimAnswersDoNotCount) {
  ResponseHead head(1000);
  head.Add(":status", "103");
  head.EndList();
  head.Add(":status", "200");
  head.Add("a", "1");
  head.EndList();
  head.Add("grpc-status", "0");
  head.Add("b", "2");
  head.EndList();
  EXPECT_TRUE(head.Status().ok());
  EXPECT_EQ(head.TakeInitial().Find("a"), "1");
  EXPECT_EQ(head.TakeTrailing().Find("b"), "2");
}

TEST(ResponseHead, HttpStatusStandsInForAMissingOne) {
  const auto status = [](const char* http) {
    ResponseHead head(1000);
    head.Add(":status", http);
    head.EndList();
    return head.Status().code();
  };
  EXPECT_EQ(status("401"), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(status("403"), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(status("404"), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(status("503"), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status("418"), absl::StatusCode::kUnknown);
  EXPECT_EQ(status("200"), absl::StatusCode::kUnknown);
}

}  // namespace
}  // namespace engram::net::internal
