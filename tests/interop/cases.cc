#include "interop/cases.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <sstream>
#include <utility>
#include <vector>

#include "grpc/testing/empty.pb.h"
#include "grpc/testing/messages.pb.h"

namespace engram::interop {
namespace {

using grpc::testing::Empty;
using grpc::testing::SimpleRequest;
using grpc::testing::SimpleResponse;
using grpc::testing::StreamingInputCallRequest;
using grpc::testing::StreamingInputCallResponse;
using grpc::testing::StreamingOutputCallRequest;
using grpc::testing::StreamingOutputCallResponse;
using namespace std::chrono_literals;

// Numbers of grpc-status.
constexpr int kOk = 0;
constexpr int kCancelled = 1;
constexpr int kUnknown = 2;
constexpr int kDeadlineExceeded = 4;
constexpr int kUnimplemented = 12;

// Sizes that the list prescribes, in bytes.
constexpr int kLargeRequest = 271828;
constexpr int kLargeResponse = 314159;
constexpr std::array<int, 4> kRequestSizes = {27182, 8, 1828, 45904};
constexpr std::array<int, 4> kResponseSizes = {31415, 9, 2653, 58979};

constexpr char kEchoInitial[] = "x-grpc-test-echo-initial";
constexpr char kEchoTrailing[] = "x-grpc-test-echo-trailing-bin";

// Collects what went wrong in one case.
class Check {
 public:
  template <class Got, class Expected>
  void Equal(const char* what, const Got& got, const Expected& expected) {
    if (got == expected) return;
    std::ostringstream text;
    text << what << ": got '" << got << "', expected '" << expected << "'; ";
    failures_ += text.str();
  }
  void Ends(const Outcome& outcome, int code) {
    Equal(("status (" + outcome.message + ")").c_str(), outcome.code, code);
  }
  void Has(const char* what, const Headers& headers, const std::string& name,
           const std::string& value) {
    const auto [first, last] = headers.equal_range(name);
    Equal(what, std::distance(first, last), 1);
    if (first != last) Equal(what, first->second, value);
  }
  void Zeros(const std::string& body, int size) {
    Equal("bytes of the payload", body.size(), static_cast<size_t>(size));
    Equal("bytes that are not zero", body.find_first_not_of('\0'), std::string::npos);
  }
  const std::string& failures() const { return failures_; }

 private:
  std::string failures_;
};

template <class Request>
Request WithPayload(int size) {
  Request request;
  request.mutable_payload()->set_body(std::string(static_cast<size_t>(size), '\0'));
  return request;
}

StreamingOutputCallRequest Ping(int request_size, int response_size) {
  auto request = WithPayload<StreamingOutputCallRequest>(request_size);
  request.add_response_parameters()->set_size(response_size);
  return request;
}

SimpleRequest LargeRequest() {
  auto request = WithPayload<SimpleRequest>(kLargeRequest);
  request.set_response_size(kLargeResponse);
  return request;
}

template <class Request>
Request AskingFor(int code, const std::string& message) {
  Request request;
  request.mutable_response_status()->set_code(code);
  request.mutable_response_status()->set_message(message);
  return request;
}

void ReadResponse(ClientStream& stream, int size, Check& check) {
  StreamingOutputCallResponse response;
  check.Equal("a response", stream.Read(response), true);
  check.Zeros(response.payload().body(), size);
}

void ReadEnd(ClientStream& stream, Check& check) {
  StreamingOutputCallResponse response;
  check.Equal("a response after the last", stream.Read(response), false);
}

void EmptyUnary(Client& client, Check& check) {
  Empty response;
  check.Ends(client.Call(Method::kEmptyCall, {}, Empty(), response), kOk);
  check.Equal("bytes of the response", response.ByteSizeLong(), 0u);
}

void LargeUnary(Client& client, Check& check) {
  SimpleResponse response;
  check.Ends(client.Call(Method::kUnaryCall, {}, LargeRequest(), response), kOk);
  check.Zeros(response.payload().body(), kLargeResponse);
}

void ClientStreaming(Client& client, Check& check) {
  const auto stream = client.Open(Method::kStreamingInputCall, {});
  for (const int size : kRequestSizes) {
    const bool written = stream->Write(WithPayload<StreamingInputCallRequest>(size));
    check.Equal("written", written, true);
  }
  stream->WritesDone();
  StreamingInputCallResponse response;
  check.Equal("a response", stream->Read(response), true);
  check.Equal("a second response", stream->Read(response), false);
  check.Ends(stream->Finish(), kOk);
  check.Equal("sum", response.aggregated_payload_size(), 74922);
}

void ServerStreaming(Client& client, Check& check) {
  StreamingOutputCallRequest request;
  for (const int size : kResponseSizes) request.add_response_parameters()->set_size(size);
  const auto stream = client.Open(Method::kStreamingOutputCall, {});
  stream->Write(request);
  stream->WritesDone();
  for (const int size : kResponseSizes) ReadResponse(*stream, size, check);
  ReadEnd(*stream, check);
  check.Ends(stream->Finish(), kOk);
}

void PingPong(Client& client, Check& check) {
  const auto stream = client.Open(Method::kFullDuplexCall, {});
  for (size_t i = 0; i < kRequestSizes.size(); ++i) {
    check.Equal("written", stream->Write(Ping(kRequestSizes[i], kResponseSizes[i])), true);
    ReadResponse(*stream, kResponseSizes[i], check);
  }
  stream->WritesDone();
  ReadEnd(*stream, check);
  check.Ends(stream->Finish(), kOk);
}

void EmptyStream(Client& client, Check& check) {
  const auto stream = client.Open(Method::kFullDuplexCall, {});
  stream->WritesDone();
  ReadEnd(*stream, check);
  check.Ends(stream->Finish(), kOk);
}

// Not of the list, but of its service: all requests before the first response.
void HalfDuplex(Client& client, Check& check) {
  const auto stream = client.Open(Method::kHalfDuplexCall, {});
  for (size_t i = 0; i < kRequestSizes.size(); ++i) {
    check.Equal("written", stream->Write(Ping(kRequestSizes[i], kResponseSizes[i])), true);
  }
  stream->WritesDone();
  for (const int size : kResponseSizes) ReadResponse(*stream, size, check);
  ReadEnd(*stream, check);
  check.Ends(stream->Finish(), kOk);
}

void TimeoutOnSleepingServer(Client& client, Check& check) {
  // Over a connection that stands, so that the deadline passes within the call.
  Empty response;
  check.Ends(client.Call(Method::kEmptyCall, {}, Empty(), response), kOk);
  for (const auto timeout : {1ms, 20ms}) {
    const auto stream = client.Open(Method::kFullDuplexCall, {timeout, {}});
    stream->Write(WithPayload<StreamingOutputCallRequest>(27182));
    ReadEnd(*stream, check);
    check.Ends(stream->Finish(), kDeadlineExceeded);
  }
}

void CancelAfterBegin(Client& client, Check& check) {
  const auto stream = client.Open(Method::kStreamingInputCall, {});
  stream->Cancel();
  check.Ends(stream->Finish(), kCancelled);
}

void CancelAfterFirstResponse(Client& client, Check& check) {
  const auto stream = client.Open(Method::kFullDuplexCall, {});
  check.Equal("written", stream->Write(Ping(kRequestSizes[0], kResponseSizes[0])), true);
  ReadResponse(*stream, kResponseSizes[0], check);
  stream->Cancel();
  check.Ends(stream->Finish(), kCancelled);
}

void ExpectUnaryStatus(Client& client, const std::string& message, Check& check) {
  SimpleResponse response;
  const auto request = AskingFor<SimpleRequest>(kUnknown, message);
  const Outcome outcome = client.Call(Method::kUnaryCall, {}, request, response);
  check.Ends(outcome, kUnknown);
  check.Equal("message", outcome.message, message);
}

void StatusCodeAndMessage(Client& client, Check& check) {
  const std::string message = "test status message";
  ExpectUnaryStatus(client, message, check);
  const auto stream = client.Open(Method::kFullDuplexCall, {});
  stream->Write(AskingFor<StreamingOutputCallRequest>(kUnknown, message));
  stream->WritesDone();
  ReadEnd(*stream, check);
  const Outcome outcome = stream->Finish();
  check.Ends(outcome, kUnknown);
  check.Equal("message of the stream", outcome.message, message);
}

void SpecialStatusMessage(Client& client, Check& check) {
  ExpectUnaryStatus(client,
                    "\t\ntest with whitespace\r\nand Unicode BMP \u263A and non-BMP \U0001F608\t\n",
                    check);
}

void UnimplementedMethod(Client& client, Check& check) {
  Empty response;
  check.Ends(client.Call(Method::kUnimplementedCall, {}, Empty(), response), kUnimplemented);
}

void UnimplementedService(Client& client, Check& check) {
  Empty response;
  check.Ends(client.Call(Method::kUnimplementedService, {}, Empty(), response), kUnimplemented);
}

void ExpectEchoed(const Outcome& outcome, const CallSettings& settings, Check& check) {
  check.Ends(outcome, kOk);
  for (const auto& [name, value] : settings.metadata) {
    const bool initial = name == kEchoInitial;
    check.Has(name.c_str(), initial ? outcome.initial : outcome.trailing, name, value);
    check.Equal("in the other place", (initial ? outcome.trailing : outcome.initial).count(name),
                0u);
  }
}

void CustomMetadata(Client& client, Check& check) {
  CallSettings settings;
  settings.metadata = {{kEchoInitial, "test_initial_metadata_value"},
                       {kEchoTrailing, "\xab\xab\xab"}};
  SimpleResponse response;
  ExpectEchoed(client.Call(Method::kUnaryCall, settings, LargeRequest(), response), settings,
               check);
  const auto stream = client.Open(Method::kFullDuplexCall, settings);
  stream->Write(Ping(kLargeRequest, kLargeResponse));
  ReadResponse(*stream, kLargeResponse, check);
  stream->WritesDone();
  ReadEnd(*stream, check);
  ExpectEchoed(stream->Finish(), settings, check);
}

using Case = std::pair<const char*, void (*)(Client&, Check&)>;
constexpr std::array<Case, 15> kCases = {{
    {"empty_unary", EmptyUnary},
    {"large_unary", LargeUnary},
    {"client_streaming", ClientStreaming},
    {"server_streaming", ServerStreaming},
    {"ping_pong", PingPong},
    {"empty_stream", EmptyStream},
    {"half_duplex", HalfDuplex},
    {"timeout_on_sleeping_server", TimeoutOnSleepingServer},
    {"cancel_after_begin", CancelAfterBegin},
    {"cancel_after_first_response", CancelAfterFirstResponse},
    {"status_code_and_message", StatusCodeAndMessage},
    {"special_status_message", SpecialStatusMessage},
    {"unimplemented_method", UnimplementedMethod},
    {"unimplemented_service", UnimplementedService},
    {"custom_metadata", CustomMetadata},
}};

bool RunCase(const Case& which, Client& client) {
  Check check;
  const auto start = std::chrono::steady_clock::now();
  which.second(client, check);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  if (check.failures().empty()) {
    std::printf("ok    %s (%.0f ms)\n", which.first, took.count());
  } else {
    std::printf("FAIL  %s: %s\n", which.first, check.failures().c_str());
  }
  std::fflush(stdout);
  return check.failures().empty();
}

}  // namespace

int RunCases(Client& client, const std::string& client_name, const std::string& only) {
  int ran = 0;
  int passed = 0;
  for (const Case& which : kCases) {
    if (std::string(which.first).find(only) == std::string::npos) continue;
    ++ran;
    if (RunCase(which, client)) ++passed;
  }
  std::printf("%s: %d of %d cases passed\n", client_name.c_str(), passed, ran);
  return ran > 0 && passed == ran ? 0 : 1;
}

}  // namespace engram::interop
