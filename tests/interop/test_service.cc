#include "interop/test_service.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "grpc/testing/messages.pb.h"
#include "interop/payload.h"
#include "interop/streaming_output.h"

namespace engram::interop {
namespace {

using grpc::testing::SimpleRequest;
using grpc::testing::SimpleResponse;
using net::ServerCall;

constexpr std::string_view kEchoInitial = "x-grpc-test-echo-initial";
constexpr std::string_view kEchoTrailing = "x-grpc-test-echo-trailing-bin";

void EchoMetadata(ServerCall& call) {
  if (const auto value = call.metadata().Find(kEchoInitial)) call.AddHeader(kEchoInitial, *value);
  if (const auto value = call.metadata().Find(kEchoTrailing)) {
    call.AddTrailer(kEchoTrailing, *value);
  }
}

absl::StatusOr<std::string> AnswerUnary(const std::string& bytes) {
  SimpleRequest request;
  if (!request.ParseFromString(bytes)) return absl::InternalError("the request does not parse");
  if (request.response_status().code() != 0) return StatusOf(request.response_status());
  if (absl::Status status = CheckSize(request.response_size()); !status.ok()) return status;
  SimpleResponse response;
  if (request.response_size() > 0) *response.mutable_payload() = Zeros(request.response_size());
  return response.SerializeAsString();
}

void EmptyCall(ServerCall call, const std::string& /*request*/) {
  EchoMetadata(call);
  call.Reply("");
}

void UnaryCall(ServerCall call, const std::string& request) {
  EchoMetadata(call);
  call.Reply(AnswerUnary(request));
}

// StreamingInputCall: adds up the sizes of what comes.
class InputSum : public std::enable_shared_from_this<InputSum> {
 public:
  explicit InputSum(ServerCall call) : call_(std::move(call)) {}

  void ReadNext() {
    call_.Read([self = shared_from_this()](const std::optional<std::string>& bytes) {
      self->Take(bytes);
    });
  }

 private:
  void Take(const std::optional<std::string>& bytes) {
    if (!bytes.has_value()) return call_.Reply(response_.SerializeAsString());
    grpc::testing::StreamingInputCallRequest request;
    if (!request.ParseFromString(*bytes)) {
      return call_.Finish(absl::InternalError("the request does not parse"));
    }
    response_.set_aggregated_payload_size(response_.aggregated_payload_size() +
                                          static_cast<int>(request.payload().body().size()));
    ReadNext();
  }

  ServerCall call_;
  grpc::testing::StreamingInputCallResponse response_;
};

void InputCall(ServerCall call) {
  EchoMetadata(call);
  std::make_shared<InputSum>(std::move(call))->ReadNext();
}

net::Server::StreamHandler OutputCall(OutputMode mode) {
  return [mode](ServerCall call) {
    EchoMetadata(call);
    std::make_shared<StreamingOutput>(std::move(call), mode)->Begin();
  };
}

}  // namespace

void AddTestService(net::Server& server) {
  const std::string service = "/grpc.testing.TestService/";
  server.AddUnary(service + "EmptyCall", EmptyCall);
  server.AddUnary(service + "UnaryCall", UnaryCall);
  server.AddUnary(service + "CacheableUnaryCall", UnaryCall);
  server.AddStream(service + "StreamingInputCall", InputCall);
  server.AddStream(service + "StreamingOutputCall", OutputCall(OutputMode::kOneRequest));
  server.AddStream(service + "FullDuplexCall", OutputCall(OutputMode::kFullDuplex));
  server.AddStream(service + "HalfDuplexCall", OutputCall(OutputMode::kHalfDuplex));
}

}  // namespace engram::interop
