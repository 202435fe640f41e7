// grpc.testing.TestService on gRPC's own C++ library, with reflection, until its standard input
// ends: what our server is held against, and what our channel calls.
//
// Usage: interop_grpc_server; prints its port.
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "grpc/testing/test.grpc.pb.h"
#include "interop/until_input_ends.h"

namespace {

using grpc::ServerContext;
using grpc::Status;
using namespace grpc::testing;  // NOLINT(google-build-using-namespace): the service's messages

constexpr char kEchoInitial[] = "x-grpc-test-echo-initial";
constexpr char kEchoTrailing[] = "x-grpc-test-echo-trailing-bin";

std::string ToString(const grpc::string_ref& text) { return {text.data(), text.size()}; }

void EchoMetadata(ServerContext* context) {
  const auto& metadata = context->client_metadata();
  if (const auto it = metadata.find(kEchoInitial); it != metadata.end()) {
    context->AddInitialMetadata(kEchoInitial, ToString(it->second));
  }
  if (const auto it = metadata.find(kEchoTrailing); it != metadata.end()) {
    context->AddTrailingMetadata(kEchoTrailing, ToString(it->second));
  }
}

Status StatusOf(const EchoStatus& wanted) {
  return {static_cast<grpc::StatusCode>(wanted.code()), wanted.message()};
}

// In steps, so that a call which is over holds no thread.
void Sleep(const ServerContext& context, std::chrono::microseconds interval) {
  const auto end = std::chrono::steady_clock::now() + interval;
  while (std::chrono::steady_clock::now() < end && !context.IsCancelled()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

template <class Writer>
void Respond(const ServerContext& context, const StreamingOutputCallRequest& request,
             Writer* writer) {
  for (const ResponseParameters& parameters : request.response_parameters()) {
    Sleep(context, std::chrono::microseconds(parameters.interval_us()));
    StreamingOutputCallResponse response;
    response.mutable_payload()->set_body(std::string(parameters.size(), '\0'));
    if (!writer->Write(response)) return;
  }
}

using Duplex = grpc::ServerReaderWriter<StreamingOutputCallResponse, StreamingOutputCallRequest>;

class Service final : public TestService::Service {
  Status EmptyCall(ServerContext* context, const Empty*, Empty*) override {
    EchoMetadata(context);
    return Status::OK;
  }

  Status UnaryCall(ServerContext* context, const SimpleRequest* request,
                   SimpleResponse* response) override {
    EchoMetadata(context);
    if (request->response_status().code() != 0) return StatusOf(request->response_status());
    if (request->response_size() > 0) {
      response->mutable_payload()->set_body(std::string(request->response_size(), '\0'));
    }
    return Status::OK;
  }

  Status CacheableUnaryCall(ServerContext* context, const SimpleRequest* request,
                            SimpleResponse* response) override {
    return UnaryCall(context, request, response);
  }

  Status StreamingInputCall(ServerContext* context,
                            grpc::ServerReader<StreamingInputCallRequest>* reader,
                            StreamingInputCallResponse* response) override {
    EchoMetadata(context);
    StreamingInputCallRequest request;
    int sum = 0;
    while (reader->Read(&request)) sum += static_cast<int>(request.payload().body().size());
    response->set_aggregated_payload_size(sum);
    return Status::OK;
  }

  Status StreamingOutputCall(ServerContext* context, const StreamingOutputCallRequest* request,
                             grpc::ServerWriter<StreamingOutputCallResponse>* writer) override {
    EchoMetadata(context);
    if (request->response_status().code() != 0) return StatusOf(request->response_status());
    Respond(*context, *request, writer);
    return Status::OK;
  }

  Status FullDuplexCall(ServerContext* context, Duplex* stream) override {
    EchoMetadata(context);
    StreamingOutputCallRequest request;
    while (stream->Read(&request)) {
      if (request.response_status().code() != 0) return StatusOf(request.response_status());
      Respond(*context, request, stream);
    }
    return Status::OK;
  }

  Status HalfDuplexCall(ServerContext* context, Duplex* stream) override {
    EchoMetadata(context);
    std::vector<StreamingOutputCallRequest> requests;
    StreamingOutputCallRequest request;
    while (stream->Read(&request)) requests.push_back(request);
    for (const StreamingOutputCallRequest& each : requests) Respond(*context, each, stream);
    return Status::OK;
  }
};

}  // namespace

int main() {
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  Service service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  engram::interop::ServeUntilInputEnds(static_cast<uint16_t>(port));
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(5));
  return 0;
}
