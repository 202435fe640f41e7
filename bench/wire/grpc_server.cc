// What ours is compared with: gRPC's own C++ library, as fast as it goes. An asynchronous server of
// one raw unary method (no protobuf), each thread with a completion queue of its own, the answer's
// bytes made once and shared.
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/support/async_unary_call.h>

#include <CLI/CLI.hpp>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "grpc_credentials.h"
#include "wire.h"

namespace engram::bench {
namespace {

using grpc::ByteBuffer;
using grpc::ServerCompletionQueue;

constexpr int kCallsWaiting = 256;  // per queue; more than are ever in flight here

// What protoc's WithRawMethod would generate.
class RawService : public grpc::Service {
 public:
  RawService() {
    AddMethod(
        new grpc::internal::RpcServiceMethod(kMethod, grpc::internal::RpcMethod::NORMAL_RPC,
                                             static_cast<grpc::internal::MethodHandler*>(nullptr)));
    MarkMethodRaw(0);
  }
  void Request(grpc::ServerContext* context, ByteBuffer* request,
               grpc::ServerAsyncResponseWriter<ByteBuffer>* writer, ServerCompletionQueue* queue,
               void* tag) {
    RequestAsyncUnary(0, context, request, writer, queue, queue, tag);
  }
};

struct Call {
  grpc::ServerContext context;
  ByteBuffer request;
  grpc::ServerAsyncResponseWriter<ByteBuffer> writer{&context};
};

// One call after another on one queue.
class CallSlot {
 public:
  CallSlot(RawService& service, ServerCompletionQueue& queue, const ByteBuffer& answer)
      : service_(service), queue_(queue), answer_(answer) {}

  void Wait() {
    call_.emplace();
    answering_ = false;
    service_.Request(&call_->context, &call_->request, &call_->writer, &queue_, this);
  }

  void OnEvent() {
    if (answering_) return Wait();
    answering_ = true;
    call_->writer.Finish(answer_, grpc::Status::OK, this);
  }

 private:
  RawService& service_;
  ServerCompletionQueue& queue_;
  const ByteBuffer& answer_;
  std::optional<Call> call_;
  bool answering_ = false;
};

void Poll(RawService& service, ServerCompletionQueue& queue, const ByteBuffer& answer) {
  std::list<CallSlot> slots;
  for (int i = 0; i < kCallsWaiting; ++i) slots.emplace_back(service, queue, answer).Wait();
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) {
    if (ok) static_cast<CallSlot*>(tag)->OnEvent();
  }
}

int Serve(const std::string& answer_file, const TlsFiles& tls, int threads) {
  const grpc::Slice slice(ReadFile(answer_file));
  const ByteBuffer answer(&slice, 1);
  RawService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", ServerCredentialsOf(tls), &port);
  builder.RegisterService(&service);
  std::vector<std::unique_ptr<ServerCompletionQueue>> queues;
  for (int i = 0; i < threads; ++i) queues.push_back(builder.AddCompletionQueue());
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  std::vector<std::thread> pollers;
  for (auto& queue : queues) pollers.emplace_back([&] { Poll(service, *queue, answer); });
  ServeUntilInputEnds(port);
  server->Shutdown(std::chrono::system_clock::now());
  for (auto& queue : queues) queue->Shutdown();
  for (std::thread& poller : pollers) poller.join();
  return 0;
}

}  // namespace
}  // namespace engram::bench

int main(int argc, char** argv) {
  std::string answer_file;
  engram::bench::TlsFiles tls;
  int threads = 1;
  CLI::App app("Answers every call with the bytes of a file, until its standard input ends");
  app.add_option("--answer", answer_file, "file with the reply's bytes")->required();
  app.add_option("--threads", threads, "completion queues, each with a thread");
  app.add_option("--certificate", tls.certificate, "PEM; TLS if given");
  app.add_option("--key", tls.key, "PEM");
  CLI11_PARSE(app, argc, argv);
  return engram::bench::Serve(answer_file, tls, threads);
}
