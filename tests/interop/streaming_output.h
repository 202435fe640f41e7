// The three methods of grpc.testing.TestService that answer with a stream.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "engram/net/server.h"
#include "grpc/testing/messages.pb.h"

namespace engram::interop {

enum class OutputMode : uint8_t {
  kOneRequest,  // StreamingOutputCall
  kFullDuplex,  // each request is answered before the next is read
  kHalfDuplex,  // all requests are read before the first is answered
};

// One call. Owned by its own call-backs until it ends; on the call's loop.
class StreamingOutput : public std::enable_shared_from_this<StreamingOutput> {
 public:
  StreamingOutput(net::ServerCall call, OutputMode mode);
  void Begin();

 private:
  void ReadRequest();
  void TakeRequest(const std::optional<std::string>& bytes);
  // Not OK: what the call ends with, since the request is bad or asks for it.
  [[nodiscard]] absl::Status Enqueue(const std::string& bytes);
  // Sends what is owed, each response after its interval, then goes on to what follows the last.
  void Respond();
  void SendAfter(Duration interval, int32_t size);
  // False: Respond() is called again when the peer has read.
  bool SendNow(int32_t size);

  net::ServerCall call_;
  const OutputMode mode_;
  net::EventLoop::Timer timer_;
  std::deque<grpc::testing::ResponseParameters> responses_;
  bool requests_ended_ = false;
};

}  // namespace engram::interop
