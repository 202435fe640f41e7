// One call of a channel, unary or streaming, from its beginning until its end has been told.
//
// Shared by whoever may cancel it, the channel while it waits for a connection, and the connection
// while its stream is open. Loop thread only. The end is told exactly once: by the peer's answer,
// in place; by anything local (cancelled, deadline, connection lost, never sent), posted, so that
// no caller is called back from within its own call.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engram/net/channel.h"
#include "engram/net/h2_stream.h"
#include "engram/net/response_head.h"

namespace engram::net::internal {

class HeaderBlock;
class TimeoutText;

class ClientCall final : public H2Stream {
 public:
  using HeadersCallback = absl::AnyInvocable<void(const Metadata&)>;

  struct Limits {
    StreamLimits stream;
    size_t header_bytes_max;
  };

  ClientCall(EventLoop& loop, Limits limits, CallOptions options, Channel::Done done);

  // Unary only, before it is submitted.
  void SetRequest(std::string request);
  // Unary only: a copy of the request, for another node.
  std::string CopyRequest() const { return sent(); }
  // Streaming only, at once.
  void SetStreaming() { set_kind(Kind::kStreaming); }
  // No messages of ours will follow.
  void FinishSending();

  // For a call that cannot be submitted at once.
  void KeepMethod(std::string_view method) { method_ = method; }
  const std::string& kept_method() const { return method_; }
  // Whether gRPC can carry the call's metadata.
  [[nodiscard]] absl::Status CheckSendable() const;
  // `timeout` is what remains of the deadline; it and the call must live until the block has been
  // submitted.
  void AppendHeaders(HeaderBlock& block, const TimeoutText& timeout) const;

  // Streaming only.
  bool SendMessage(std::string message);
  void ReadMessage(ReadDone done);
  void OnHeaders(HeadersCallback callback) { on_headers_ = std::move(callback); }
  void ForgetReader();

  bool ended() const { return ended_; }
  void Cancel();
  // Ends it with a status that is not the peer's. `delivery`: kNotSent or kUndetermined.
  void EndLocally(absl::Status status, Delivery delivery);

  // H2Stream
  void OnHeader(std::string_view name, std::string_view value) override;
  void OnHeadersEnd() override;
  void OnClosed(uint32_t http2_error) override;
  void OnConnectionLost(bool sent, std::string_view reason) override;
  void OnDeadline() override;

 protected:
  void OnMessagesEnd() override;
  void OnBadMessage(absl::Status status) override;
  void OnDelivered() override;

 private:
  Delivery DeliveryNow() const;
  void TellEnd();

  ResponseHead head_;
  CallOptions options_;
  std::string method_;
  Channel::Done done_;
  CallResult result_;
  HeadersCallback on_headers_;
  bool unary_ = false;
  bool ended_ = false;     // result_ is final
  bool answered_ = false;  // by the peer; what it sent may still be unread
};

}  // namespace engram::net::internal
