// The details of "gRPC over HTTP/2" on the wire, on both sides, against peers that are not ours.
#include "engram/base/error.h"
#include "engram/net/grpc_status.h"
#include "engram/net/metadata_wire.h"
#include "engram/net/testing/fixture.h"
#include "engram/net/testing/raw_caller.h"

namespace engram::net {
namespace {

using testing::Answer;
using testing::Frame;
using testing::Framed;
using testing::Headers;
using testing::In;
using testing::PendingCall;
using testing::RawPeer;
using namespace std::chrono_literals;

constexpr char kSeen[] = "/test/Seen";

class ServerProtocol : public testing::NetTest {
 protected:
  ServerProtocol() {
    StartServer({}, [this](Server& server) {
      server.AddUnary(kSeen, [this](ServerCall call, std::string message) {
        metadata_ = call.metadata();
        deadline_ = call.deadline();
        call.Reply(std::move(message));
      });
    });
    caller_.emplace(server_->port());
  }

  Answer Call(const Headers& extra) { return caller_->Call(kSeen, extra, Framed("x")); }
  Answer CallFailing(const std::string& message) {
    return caller_->Call(testing::kUnary, {{"fail", message}}, Framed("x"));
  }
  // One of the headers of every call is replaced.
  Answer CallWithout(const std::string& without, const Headers& others) {
    Headers headers;
    for (const auto& header : Headers{{":method", "POST"},
                                      {":scheme", "http"},
                                      {":path", kSeen},
                                      {":authority", "test"},
                                      {"content-type", "application/grpc"},
                                      {"te", "trailers"}}) {
      if (header.first != without) {
        headers.push_back(header);
      } else {
        headers.insert(headers.end(), others.begin(), others.end());
      }
    }
    return caller_->CallWith(headers, Framed("x"));
  }
  std::vector<std::string> Values(std::string_view name) const {
    std::vector<std::string> values;
    for (const MetadataEntry& entry : metadata_.entries()) {
      if (entry.name == name) values.push_back(entry.value);
    }
    return values;
  }

  std::optional<testing::RawCaller> caller_;
  Metadata metadata_;  // of the last call that was answered
  TimePoint deadline_;
};

TEST_F(ServerProtocol, AnswerIsHeadersMessageTrailers) {
  const Answer answer = Call({});
  EXPECT_EQ(answer.headers,
            (testing::HeaderMap{{":status", "200"}, {"content-type", "application/grpc"}}));
  EXPECT_EQ(answer.body, Framed("x"));
  EXPECT_EQ(answer.trailers, (testing::HeaderMap{{"grpc-status", "0"}}));
}

TEST_F(ServerProtocol, ErrorWithoutAMessageIsTrailersOnly) {
  const Answer answer = CallFailing("no");
  EXPECT_TRUE(answer.trailers.empty());
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(answer.headers.at(":status"), "200");
  EXPECT_EQ(answer.headers.at("content-type"), "application/grpc");
  EXPECT_EQ(answer.headers.at("grpc-status"), "3");
  EXPECT_EQ(answer.headers.at("grpc-message"), "no");
}

TEST_F(ServerProtocol, DetailsAreUnpaddedBase64OfTheStatus) {
  const Answer answer = CallFailing("no");
  const std::string text = answer.headers.at("grpc-status-details-bin");
  EXPECT_EQ(text.find('='), std::string::npos);
  std::string details;
  ASSERT_TRUE(internal::DecodeBinary(text, details));
  EXPECT_EQ(DetailOf(DecodeStatus(3, "no", details)).field, "test");
}

TEST_F(ServerProtocol, MessagesOfErrorsArePercentEncodedUtf8) {
  EXPECT_EQ(CallFailing("100 % \u00e4").Find("grpc-message"), "100 %25 %C3%A4");
  EXPECT_EQ(CallFailing("\xff").Find("grpc-message"), "%EF%BF%BD") << "clients decode UTF-8";
}

TEST_F(ServerProtocol, ContentTypeMayNameTheEncodingOfMessages) {
  for (const char* type : {"application/grpc", "application/grpc+proto", "application/grpc+json",
                           "application/grpc;charset=utf-8", "application/grpc+proto;x=y"}) {
    EXPECT_EQ(CallWithout("content-type", {{"content-type", type}}).Find("grpc-status"), "0")
        << type;
  }
}

TEST_F(ServerProtocol, WhatIsNotGrpcIsAnsweredInHttp) {
  for (const char* type : {"text/html", "application/grpc-web", "application/json"}) {
    const Answer answer = CallWithout("content-type", {{"content-type", type}});
    EXPECT_EQ(answer.Find(":status"), "415") << type;
    EXPECT_EQ(answer.Find("grpc-status"), "") << type;
  }
  EXPECT_EQ(CallWithout("content-type", {}).Find(":status"), "415");
  EXPECT_EQ(CallWithout(":method", {{":method", "PUT"}}).Find(":status"), "405");
}

// It tells proxies that trailers must pass; once a call is here nothing depends on it.
TEST_F(ServerProtocol, MissingTeIsForgiven) {
  EXPECT_EQ(CallWithout("te", {}).Find("grpc-status"), "0");
}

TEST_F(ServerProtocol, UpperCaseHeaderNameIsAProtocolError) {
  constexpr uint32_t kProtocolError = 1;
  EXPECT_EQ(Call({{"X-Upper", "1"}}).reset, kProtocolError);
  EXPECT_EQ(Call({}).Find("grpc-status"), "0") << "of that call only";
}

TEST_F(ServerProtocol, UnknownMethodIsUnimplementedWhateverItsName) {
  for (const char* path : {"/test/Nothing", "/", "/test/Seen/", "/test/Seen?x", "/test/\xff"}) {
    const Answer answer = CallWithout(":path", {{":path", path}});
    EXPECT_EQ(answer.Find("grpc-status"), "12") << path;
    EXPECT_TRUE(answer.trailers.empty()) << path;
  }
}

TEST_F(ServerProtocol, TimeoutIsTakenInEveryUnit) {
  const std::vector<std::pair<std::string, Duration>> timeouts = {{"2H", 2h},
                                                                  {"3M", 3min},
                                                                  {"7S", 7s},
                                                                  {"00000007S", 7s},
                                                                  {"7000m", 7s},
                                                                  {"7000000u", 7s},
                                                                  {"99999999m", 99'999'999ms}};
  for (const auto& [text, timeout] : timeouts) {
    const TimePoint before = In(timeout);
    EXPECT_EQ(Call({{"grpc-timeout", text}}).Find("grpc-status"), "0") << text;
    EXPECT_GE(deadline_, before) << text;
    EXPECT_LE(deadline_, In(timeout)) << text;
  }
  Call({});
  EXPECT_EQ(deadline_, kNever);
  EXPECT_EQ(Call({{"grpc-timeout", "99999999H"}}).Find("grpc-status"), "0") << "beyond the clock";
  EXPECT_EQ(deadline_, kNever);
}

TEST_F(ServerProtocol, TimeoutThatHasPassedEndsTheCall) {
  for (const char* timeout : {"0n", "1n", "0H"}) {
    const Headers headers = {{"grpc-timeout", timeout}, {"hang", "1"}};
    EXPECT_EQ(caller_->Call(testing::kUnary, headers, Framed("x")).Find("grpc-status"), "4")
        << timeout;
  }
}

TEST_F(ServerProtocol, MalformedTimeoutIsRefused) {
  for (const char* timeout : {"", "5", "S", "5s", "123456789S", "-1S", "1.5S", "1H2M"}) {
    EXPECT_EQ(Call({{"grpc-timeout", timeout}}).Find("grpc-status"), "3") << timeout;
  }
}

TEST_F(ServerProtocol, TwoTimeoutsAreMalformed) {
  EXPECT_EQ(Call({{"grpc-timeout", "5S"}, {"grpc-timeout", "5S"}}).Find("grpc-status"), "3");
  EXPECT_EQ(Call({{"grpc-timeout", "x"}, {"grpc-timeout", "5S"}}).Find("grpc-status"), "3");
}

TEST_F(ServerProtocol, ReservedHeadersOfOthersAreIgnoredAndHidden) {
  const Headers unknown = {{"grpc-unknown", "1"},      {"grpc-tags-bin", "*"},
                           {"grpc-message-type", "m"}, {"grpc-accept-encoding", "gzip"},
                           {"user-agent", "grpc-x/1"}, {"accept-encoding", "gzip"},
                           {"grpc-status", "13"},      {"x-own", "kept"}};
  EXPECT_EQ(Call(unknown).Find("grpc-status"), "0");
  EXPECT_EQ(metadata_.entries().size(), 1u);
  EXPECT_EQ(Values("x-own"), std::vector<std::string>{"kept"});
}

TEST_F(ServerProtocol, BinaryMetadataComesPaddedUnpaddedAndInLists) {
  const Headers binary = {{"a-bin", "/wAQfw=="},
                          {"a-bin", "/wAQfw"},
                          {"b-bin", "YQ,Yg==,,Yw"},
                          {"c-bin", ""},
                          {"d-bin", "YQ, Yg"}};
  EXPECT_EQ(Call(binary).Find("grpc-status"), "0");
  const std::string bytes("\xff\0\x10\x7f", 4);
  EXPECT_EQ(Values("a-bin"), (std::vector<std::string>{bytes, bytes}));
  EXPECT_EQ(Values("b-bin"), (std::vector<std::string>{"a", "b", "", "c"}));
  EXPECT_EQ(Values("c-bin"), std::vector<std::string>{""});
  EXPECT_EQ(Values("d-bin"), (std::vector<std::string>{"a", "b"}));
}

TEST_F(ServerProtocol, BinaryMetadataThatIsNotBase64IsRefused) {
  for (const char* value : {"*", "Y", "YQ=", "YQ==YQ==", "Y-8", "YQ,*"}) {
    EXPECT_EQ(Call({{"a-bin", value}}).Find("grpc-status"), "3") << value;
  }
}

TEST_F(ServerProtocol, BinaryTrailersAreUnpadded) {
  const Headers echo = {{"echo-bin", "/wAQfw=="}, {"echo", "a,b"}};
  const Answer answer = caller_->Call(testing::kUnary, echo, Framed("x"));
  EXPECT_EQ(answer.trailers.at("echo-bin"), "/wAQfw");
  EXPECT_EQ(answer.trailers.at("echo"), "a,b") << "only binary values are lists";
}

class ChannelProtocol : public testing::NetTest {
 protected:
  ChannelProtocol() { UseChannel("127.0.0.1:" + std::to_string(listener_.port())); }

  PendingCall BeginCall(CallOptions options = {}) {
    PendingCall call = Begin("/s/M", "request", std::move(options));
    peer_.emplace(listener_.Accept());
    const std::optional<Frame> frame = peer_->ReceiveType(testing::kHeaders);
    if (frame.has_value()) request_ = testing::HeaderDecoder().Decode(frame->payload);
    return call;
  }
  // Answers without a message.
  void Answer(const Headers& headers) {
    std::string block = testing::EncodeHeader(":status", "200") +
                        testing::EncodeHeader("content-type", "application/grpc+proto");
    for (const auto& [name, value] : headers) block += testing::EncodeHeader(name, value);
    peer_->Send(Frame{testing::kHeaders, testing::kEndHeaders | testing::kEndStream, 1, block});
  }

  testing::RawListener listener_;
  std::optional<RawPeer> peer_;
  testing::HeaderMap request_;
};

TEST_F(ChannelProtocol, RequestHasTheHeadersOfACallAndNoOthers) {
  const PendingCall call = BeginCall();
  const std::string agent = request_["user-agent"];
  EXPECT_TRUE(agent.starts_with("grpc-engram/")) << agent;
  EXPECT_EQ(request_,
            (testing::HeaderMap{{":method", "POST"},
                                {":scheme", "http"},
                                {":path", "/s/M"},
                                {":authority", "127.0.0.1:" + std::to_string(listener_.port())},
                                {"content-type", "application/grpc"},
                                {"te", "trailers"},
                                {"user-agent", agent}}));
}

TEST_F(ChannelProtocol, TimeoutAndBinaryMetadataGoAsTheWireHasThem) {
  CallOptions options = Within(10min);
  options.metadata.Add("a-bin", std::string("\xff\0\x10\x7f", 4));
  options.metadata.Add("b", "text, as it is");
  const PendingCall call = BeginCall(std::move(options));
  EXPECT_EQ(request_["a-bin"], "/wAQfw");
  EXPECT_EQ(request_["b"], "text, as it is");
  EXPECT_EQ(request_["grpc-timeout"].size(), 7u) << "tenths of milliseconds do not fit";
  EXPECT_EQ(request_["grpc-timeout"].back(), 'm');
}

TEST_F(ChannelProtocol, ReadsStatusMessageAndMetadataOfTrailersOnly) {
  PendingCall call = BeginCall();
  Answer({{"grpc-status", "5"},
          {"grpc-message", "n%C3%A4h 100%25 %"},
          {"grpc-unknown", "1"},
          {"x-bin", "YQ==,Yg"},
          {"y-bin", "*"}});
  const CallResult result = call.Wait();
  EXPECT_EQ(result.status, absl::NotFoundError("n\u00e4h 100% %"));
  EXPECT_EQ(result.delivery, Delivery::kAnswered);
  ASSERT_EQ(result.trailing.entries().size(), 2u);
  EXPECT_EQ(result.trailing.entries()[0].value, "a");
  EXPECT_EQ(result.trailing.entries()[1].value, "b");
}

TEST_F(ChannelProtocol, ReadsDetailsPaddedAndUnpadded) {
  ErrorDetail detail;
  detail.code = ErrorCode::kWrongNode;
  detail.space = "s";
  std::string padded = internal::EncodeBinary(EncodeDetails(MakeError(detail, "elsewhere")));
  while (padded.size() % 4 != 0) padded += '=';
  PendingCall call = BeginCall();
  Answer({{"grpc-status", "9"}, {"grpc-status-details-bin", padded}});
  const CallResult result = call.Wait();
  EXPECT_EQ(CodeOf(result.status), ErrorCode::kWrongNode);
  EXPECT_EQ(DetailOf(result.status).space, "s");
}

TEST_F(ChannelProtocol, StatusThatIsNoNumberIsUnknown) {
  for (const char* status : {"", "x", "99", "-1", "4294967296"}) {
    UseChannel("127.0.0.1:" + std::to_string(listener_.port()));
    PendingCall call = BeginCall();
    Answer({{"grpc-status", status}});
    EXPECT_EQ(call.Wait().status.code(), absl::StatusCode::kUnknown) << status;
    testing::RunOn(loop(), [&] { channel_.reset(); });
  }
}

}  // namespace
}  // namespace engram::net
