// What a case needs of a gRPC client, so that each case is written once for all the C++ APIs:
// gRPC's blocking stubs, its completion queue, and our Channel.
//
// Everything blocks; every call has a deadline. Used from one thread.
#pragma once

#include <google/protobuf/message.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace engram::interop {

using google::protobuf::Message;

// Of grpc.testing.TestService, but the last: of UnimplementedService.
enum class Method : uint8_t {
  kEmptyCall,
  kUnaryCall,
  kUnimplementedCall,
  kStreamingInputCall,
  kStreamingOutputCall,
  kFullDuplexCall,
  kHalfDuplexCall,
  kUnimplementedService,
};

// "/grpc.testing.TestService/EmptyCall"
std::string PathOf(Method method);

using Headers = std::multimap<std::string, std::string>;

struct CallSettings {
  std::chrono::milliseconds timeout = std::chrono::seconds(30);  // only a hang reaches it
  Headers metadata;
};

// How a call ended.
struct Outcome {
  int code = -1;  // grpc-status
  std::string message;
  Headers initial;
  Headers trailing;
};

class ClientStream {
 public:
  virtual ~ClientStream() = default;
  // Both false when the call has ended; Read() also when there are no more messages.
  virtual bool Write(const Message& message) = 0;
  virtual void WritesDone() = 0;
  virtual bool Read(Message& message) = 0;
  virtual void Cancel() = 0;
  // Once; REQUIRES: Read() said false, or the call was cancelled.
  virtual Outcome Finish() = 0;
};

class Client {
 public:
  virtual ~Client() = default;
  // REQUIRES: a unary method and its messages.
  virtual Outcome Call(Method method, const CallSettings& settings, const Message& request,
                       Message& response) = 0;
  // REQUIRES: a streaming method; its messages are written and read.
  virtual std::unique_ptr<ClientStream> Open(Method method, const CallSettings& settings) = 0;
};

}  // namespace engram::interop
