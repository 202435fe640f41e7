// What ours is compared with: a pass-through of gRPC's own C++ library, as fast as it goes. The
// generic service and the generic stub, raw bytes, one thread and completion queue for both sides
// (a second thread makes it slower on two cores).
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <atomic>
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

struct Call {
  grpc::GenericServerContext context;
  grpc::GenericServerAsyncReaderWriter stream{&context};
  grpc::ClientContext client;
  std::unique_ptr<grpc::ClientAsyncResponseReader<ByteBuffer>> reader;
  ByteBuffer bytes;
  grpc::Status status;
};

// One call after another on one queue: accepted, read, sent on, answered.
class CallSlot {
 public:
  CallSlot(grpc::AsyncGenericService& service, grpc::GenericStub& stub,
           ServerCompletionQueue& queue)
      : service_(service), stub_(stub), queue_(queue) {}

  void Wait() {
    call_.emplace();
    step_ = &CallSlot::Read;
    service_.RequestCall(&call_->context, &call_->stream, &queue_, &queue_, this);
  }

  void OnEvent(bool ok) { ok ? (this->*step_)() : Wait(); }

 private:
  void Read() {
    step_ = &CallSlot::Forward;
    call_->stream.Read(&call_->bytes, this);
  }

  void Forward() {
    step_ = &CallSlot::Answer;
    call_->client.set_deadline(call_->context.deadline());
    call_->reader =
        stub_.PrepareUnaryCall(&call_->client, call_->context.method(), call_->bytes, &queue_);
    call_->reader->StartCall();
    call_->reader->Finish(&call_->bytes, &call_->status, this);
  }

  void Answer() {
    step_ = &CallSlot::Wait;
    for (const auto& [name, value] : call_->client.GetServerTrailingMetadata()) {
      call_->context.AddTrailingMetadata({name.data(), name.size()}, {value.data(), value.size()});
    }
    if (!call_->status.ok()) return call_->stream.Finish(call_->status, this);
    call_->stream.WriteAndFinish(call_->bytes, grpc::WriteOptions(), grpc::Status::OK, this);
  }

  grpc::AsyncGenericService& service_;
  grpc::GenericStub& stub_;
  ServerCompletionQueue& queue_;
  std::optional<Call> call_;
  void (CallSlot::*step_)() = nullptr;
};

void Poll(grpc::AsyncGenericService& service, grpc::GenericStub& stub, ServerCompletionQueue& queue,
          const std::atomic<bool>& stopping) {
  std::list<CallSlot> slots;
  for (int i = 0; i < kCallsWaiting; ++i) slots.emplace_back(service, stub, queue).Wait();
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) {
    if (!stopping) static_cast<CallSlot*>(tag)->OnEvent(ok);
  }
}

int Serve(const std::string& to, const TlsFiles& tls, int threads) {
  grpc::AsyncGenericService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", ServerCredentialsOf(tls), &port);
  builder.RegisterAsyncGenericService(&service);
  std::vector<std::unique_ptr<ServerCompletionQueue>> queues;
  for (int i = 0; i < threads; ++i) queues.push_back(builder.AddCompletionQueue());
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;
  grpc::GenericStub stub(ConnectApart(to, tls));
  std::atomic<bool> stopping = false;
  std::vector<std::thread> pollers;
  for (auto& queue : queues) pollers.emplace_back([&] { Poll(service, stub, *queue, stopping); });
  ServeUntilInputEnds(port);
  stopping = true;
  server->Shutdown(std::chrono::system_clock::now());
  for (auto& queue : queues) queue->Shutdown();
  for (std::thread& poller : pollers) poller.join();
  return 0;
}

}  // namespace
}  // namespace engram::bench

int main(int argc, char** argv) {
  std::string to;
  engram::bench::TlsFiles tls;
  int threads = 1;
  CLI::App app("Passes every call on to another server, until its standard input ends");
  app.add_option("--to", to, "host:port of that server")->required();
  app.add_option("--threads", threads, "completion queues, each with a thread");
  app.add_option("--certificate", tls.certificate, "PEM; TLS on both sides if given");
  app.add_option("--key", tls.key, "PEM");
  CLI11_PARSE(app, argc, argv);
  return engram::bench::Serve(to, tls, threads);
}
