// gRPC's asynchronous API: operations on bytes, whose ends come out of a completion queue.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include "interop/grpc_client.h"

namespace engram::interop {
namespace {

grpc::ByteBuffer ToBytes(const Message& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return {&slice, 1};
}

bool Parse(grpc::ByteBuffer& bytes, Message& message) {
  std::vector<grpc::Slice> slices;
  if (!bytes.Dump(&slices).ok()) return false;
  std::string text;
  for (const grpc::Slice& slice : slices) {
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return message.ParseFromString(text);
}

// A queue of which one operation at a time is asked.
class Queue {
 public:
  ~Queue() {
    queue_.Shutdown();
    void* tag = nullptr;
    for (bool ok = false; queue_.Next(&tag, &ok);) {
    }
  }
  grpc::CompletionQueue* get() { return &queue_; }
  // The end of the operation that was begun last; false: it failed.
  bool Await() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

 private:
  grpc::CompletionQueue queue_;
};

class QueueStream final : public ClientStream {
 public:
  QueueStream(grpc::GenericStub& stub, Method method, const CallSettings& settings) {
    Prepare(settings, context_);
    call_ = stub.PrepareCall(&context_, PathOf(method), queue_.get());
    call_->StartCall(this);
    queue_.Await();
  }

  bool Write(const Message& message) override {
    call_->Write(ToBytes(message), this);
    return queue_.Await();
  }
  void WritesDone() override {
    call_->WritesDone(this);
    queue_.Await();
  }
  bool Read(Message& message) override {
    grpc::ByteBuffer bytes;
    call_->Read(&bytes, this);
    return queue_.Await() && Parse(bytes, message);
  }
  void Cancel() override { context_.TryCancel(); }
  Outcome Finish() override {
    grpc::Status status;
    call_->Finish(&status, this);
    queue_.Await();
    return OutcomeOf(context_, status);
  }

 private:
  Queue queue_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
};

class QueueClient final : public Client {
 public:
  explicit QueueClient(const std::shared_ptr<grpc::Channel>& channel) : stub_(channel) {}

  Outcome Call(Method method, const CallSettings& settings, const Message& request,
               Message& response) override {
    Queue queue;
    grpc::ClientContext context;
    Prepare(settings, context);
    const auto call =
        stub_.PrepareUnaryCall(&context, PathOf(method), ToBytes(request), queue.get());
    call->StartCall();
    grpc::ByteBuffer bytes;
    grpc::Status status;
    call->Finish(&bytes, &status, this);
    queue.Await();
    if (status.ok() && !Parse(bytes, response)) {
      status = {grpc::StatusCode::INTERNAL, "the response does not parse"};
    }
    return OutcomeOf(context, status);
  }

  std::unique_ptr<ClientStream> Open(Method method, const CallSettings& settings) override {
    return std::make_unique<QueueStream>(stub_, method, settings);
  }

 private:
  grpc::GenericStub stub_;
};

}  // namespace

std::unique_ptr<Client> MakeQueueClient(const std::shared_ptr<grpc::Channel>& channel) {
  return std::make_unique<QueueClient>(channel);
}

}  // namespace engram::interop
