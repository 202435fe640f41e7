// gRPC's generated stubs, blocking: what most C++ programs call.
#include <utility>

#include "grpc/testing/test.grpc.pb.h"
#include "interop/grpc_client.h"

namespace engram::interop {
namespace {

using namespace grpc::testing;  // NOLINT(google-build-using-namespace): the service's messages

template <class To>
const To& As(const Message& message) {
  return *google::protobuf::DynamicCastToGenerated<To>(&message);
}
template <class To>
To& As(Message& message) {
  return *google::protobuf::DynamicCastToGenerated<To>(&message);
}

// What the three kinds of stream have in common.
class StubStream : public ClientStream {
 public:
  explicit StubStream(const CallSettings& settings) { Prepare(settings, context_); }
  void Cancel() override { context_.TryCancel(); }

 protected:
  Outcome End(const grpc::Status& status) { return OutcomeOf(context_, status); }

  grpc::ClientContext context_;
};

class InputStream final : public StubStream {
 public:
  InputStream(TestService::Stub& stub, const CallSettings& settings)
      : StubStream(settings), writer_(stub.StreamingInputCall(&context_, &response_)) {}

  bool Write(const Message& message) override {
    return writer_->Write(As<StreamingInputCallRequest>(message));
  }
  void WritesDone() override { writer_->WritesDone(); }
  // The one response comes with the end of the call.
  bool Read(Message& message) override {
    if (finished_) return false;
    Finish();
    message.CopyFrom(response_);
    return status_.ok();
  }
  Outcome Finish() override {
    if (!std::exchange(finished_, true)) status_ = writer_->Finish();
    return End(status_);
  }

 private:
  StreamingInputCallResponse response_;
  std::unique_ptr<grpc::ClientWriter<StreamingInputCallRequest>> writer_;
  grpc::Status status_;
  bool finished_ = false;
};

class OutputStream final : public StubStream {
 public:
  OutputStream(TestService::Stub& stub, const CallSettings& settings)
      : StubStream(settings), stub_(stub) {}

  // The call begins with its one request.
  bool Write(const Message& message) override {
    reader_ = stub_.StreamingOutputCall(&context_, As<StreamingOutputCallRequest>(message));
    return true;
  }
  void WritesDone() override {}
  bool Read(Message& message) override {
    return reader_->Read(&As<StreamingOutputCallResponse>(message));
  }
  Outcome Finish() override { return End(reader_->Finish()); }

 private:
  TestService::Stub& stub_;
  std::unique_ptr<grpc::ClientReader<StreamingOutputCallResponse>> reader_;
};

class DuplexStream final : public StubStream {
 public:
  DuplexStream(TestService::Stub& stub, Method method, const CallSettings& settings)
      : StubStream(settings),
        stream_(method == Method::kFullDuplexCall ? stub.FullDuplexCall(&context_)
                                                  : stub.HalfDuplexCall(&context_)) {}

  bool Write(const Message& message) override {
    return stream_->Write(As<StreamingOutputCallRequest>(message));
  }
  void WritesDone() override { stream_->WritesDone(); }
  bool Read(Message& message) override {
    return stream_->Read(&As<StreamingOutputCallResponse>(message));
  }
  Outcome Finish() override { return End(stream_->Finish()); }

 private:
  std::unique_ptr<grpc::ClientReaderWriter<StreamingOutputCallRequest, StreamingOutputCallResponse>>
      stream_;
};

class StubClient final : public Client {
 public:
  explicit StubClient(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(TestService::NewStub(channel)),
        unimplemented_(grpc::testing::UnimplementedService::NewStub(channel)) {}

  Outcome Call(Method method, const CallSettings& settings, const Message& request,
               Message& response) override {
    grpc::ClientContext context;
    Prepare(settings, context);
    const grpc::Status status = Invoke(method, context, request, response);
    return OutcomeOf(context, status);
  }

  std::unique_ptr<ClientStream> Open(Method method, const CallSettings& settings) override {
    switch (method) {
      case Method::kStreamingInputCall:
        return std::make_unique<InputStream>(*stub_, settings);
      case Method::kStreamingOutputCall:
        return std::make_unique<OutputStream>(*stub_, settings);
      default:
        return std::make_unique<DuplexStream>(*stub_, method, settings);
    }
  }

 private:
  grpc::Status Invoke(Method method, grpc::ClientContext& context, const Message& request,
                      Message& response) {
    switch (method) {
      case Method::kEmptyCall:
        return stub_->EmptyCall(&context, As<Empty>(request), &As<Empty>(response));
      case Method::kUnaryCall:
        return stub_->UnaryCall(&context, As<SimpleRequest>(request),
                                &As<SimpleResponse>(response));
      case Method::kUnimplementedCall:
        return stub_->UnimplementedCall(&context, As<Empty>(request), &As<Empty>(response));
      default:
        return unimplemented_->UnimplementedCall(&context, As<Empty>(request),
                                                 &As<Empty>(response));
    }
  }

  std::unique_ptr<TestService::Stub> stub_;
  std::unique_ptr<grpc::testing::UnimplementedService::Stub> unimplemented_;
};

}  // namespace

std::unique_ptr<Client> MakeStubClient(const std::shared_ptr<grpc::Channel>& channel) {
  return std::make_unique<StubClient>(channel);
}

}  // namespace engram::interop
