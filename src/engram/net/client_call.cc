#include "engram/net/client_call.h"

#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <utility>

#include "engram/base/error.h"
#include "engram/net/grpc_status.h"
#include "engram/net/grpc_timeout.h"
#include "engram/net/h2_connection.h"
#include "engram/net/header_block.h"
#include "engram/net/metadata_wire.h"

namespace engram::net::internal {
namespace {

constexpr char kUserAgent[] = "grpc-engram/" ENGRAM_VERSION;
// More than any server takes, and less than what nghttp2 refuses to send (64 KiB).
constexpr size_t kMetadataBytesMax = 32u << 10;

absl::Status LateStatus() {
  return MakeError(ErrorCode::kDeadlineExceeded, "the call's deadline has passed");
}

}  // namespace

ClientCall::ClientCall(EventLoop& loop, Limits limits, CallOptions options, Channel::Done done)
    : H2Stream(loop, limits.stream),
      head_(limits.header_bytes_max),
      options_(std::move(options)),
      done_(std::move(done)) {
  set_deadline(options_.deadline);
}

void ClientCall::SetRequest(std::string request) {
  unary_ = true;
  KeepSent();
  Enqueue(std::move(request));
  EndSend();
}

void ClientCall::FinishSending() {
  EndSend();
  Resume();
}

bool ClientCall::SendMessage(std::string message) {
  if (ended_ || answered_) return true;
  return Send(std::move(message));
}

void ClientCall::ReadMessage(ReadDone done) {
  if (ended_) {
    EndReadSoon(std::move(done));
  } else {
    Read(std::move(done));
  }
}

void ClientCall::ForgetReader() {
  // It may own what calls this.
  const HeadersCallback on_headers = std::exchange(on_headers_, nullptr);
  DropCallbacks();
}

absl::Status ClientCall::CheckSendable() const {
  size_t bytes = 0;
  for (const MetadataEntry& entry : options_.metadata.entries()) {
    bytes += entry.name.size() + entry.value.size();
  }
  if (bytes > kMetadataBytesMax) {
    return InvalidArgument("metadata",
                           fmt::format("the metadata has more than {} bytes", kMetadataBytesMax));
  }
  return internal::CheckSendable(options_.metadata);
}

void ClientCall::AppendHeaders(HeaderBlock& block, const TimeoutText& timeout) const {
  block.AddStatic("content-type", "application/grpc");
  block.AddStatic("te", "trailers");
  block.AddStatic("user-agent", kUserAgent);
  if (options_.deadline != kNever) block.AddOnce("grpc-timeout", timeout.view());
  block.AddMetadata(options_.metadata);
}

// ---- the answer

void ClientCall::OnHeader(std::string_view name, std::string_view value) {
  if (!ended_) head_.Add(name, value);
}

void ClientCall::OnHeadersEnd() {
  if (ended_) return;
  head_.EndList();
  if (head_.too_large()) return EndLocally(head_.Status(), Delivery::kUndetermined);
  // The body of an answer that is not gRPC's, such as a proxy's page, is nothing to us.
  if (!head_.is_grpc()) return Discard();
  if (on_headers_ && head_.initial() != nullptr) {
    std::exchange(on_headers_, nullptr)(*head_.initial());
  }
}

void ClientCall::OnMessagesEnd() {
  if (ended_) return;
  answered_ = true;
  set_deadline(kNever);
  // Without a status of its own it was not the peer's handler that answered.
  result_.delivery = head_.has_grpc_status() ? Delivery::kAnswered : Delivery::kUndetermined;
  result_.status = head_.Status();
  result_.initial = head_.TakeInitial();
  result_.trailing = head_.TakeTrailing();
  if (unary_ && result_.status.ok()) {
    if (reader().state() == MessageReader::State::kComplete) {
      result_.message = reader().Take();
    } else {
      result_.status = MakeError(ErrorCode::kInternal, "the peer answered OK without a message");
    }
  }
  // The peer wants no more of ours.
  if (!sent_all() && connection() != nullptr) connection()->ResetStream(id(), NGHTTP2_NO_ERROR);
  if (unary_) TellEnd();
}

void ClientCall::OnDelivered() {
  if (answered_ && !ended_) TellEnd();
}

void ClientCall::OnBadMessage(absl::Status status) {
  // The words are the server's; here it is the peer that is at fault, after it has carried the call
  // out.
  const auto code = reader().state() == MessageReader::State::kTooLarge ? ErrorCode::kOverloaded
                                                                        : ErrorCode::kInternal;
  EndLocally(MakeError(code, fmt::format("bad reply: {}", std::string(status.message()))),
             Delivery::kUndetermined);
}

// ---- other ends

Delivery ClientCall::DeliveryNow() const {
  const bool sent = connection() != nullptr && connection()->HasOpened(id());
  return sent ? Delivery::kUndetermined : Delivery::kNotSent;
}

void ClientCall::Cancel() {
  EndLocally(MakeError(ErrorCode::kCancelled, "the call was cancelled"), DeliveryNow());
}

void ClientCall::OnDeadline() { EndLocally(LateStatus(), DeliveryNow()); }

void ClientCall::OnClosed(uint32_t http2_error) {
  if (answered_) return;
  const bool refused = http2_error == NGHTTP2_REFUSED_STREAM;
  // A server may end a call so whose time is over, and gRPC's own clients take it so.
  const bool late = http2_error == NGHTTP2_CANCEL && options_.deadline <= EventLoop::Now();
  if (late) return EndLocally(LateStatus(), Delivery::kUndetermined);
  EndLocally(StatusOfStreamError(http2_error),
             refused ? Delivery::kNotSent : Delivery::kUndetermined);
}

void ClientCall::OnConnectionLost(bool sent, std::string_view reason) {
  if (answered_) return;
  EndLocally(MakeError(sent ? ErrorCode::kUndetermined : ErrorCode::kConnectionFailed,
                       fmt::format("the connection was lost: {}", reason)),
             sent ? Delivery::kUndetermined : Delivery::kNotSent);
}

void ClientCall::EndLocally(absl::Status status, Delivery delivery) {
  if (ended_) return;
  ended_ = true;
  result_.status = std::move(status);
  result_.delivery = delivery;
  set_deadline(kNever);
  Discard();
  if (connection() != nullptr) connection()->ResetStream(id(), NGHTTP2_CANCEL);
  loop().Post(
      [self = std::static_pointer_cast<ClientCall>(shared_from_this())] { self->TellEnd(); });
}

void ClientCall::TellEnd() {
  ended_ = true;
  set_deadline(kNever);
  if (!done_) return;
  if (unary_) {
    result_.request = TakeSent();
  } else {
    EndRead();
    ForgetReader();
  }
  std::exchange(done_, nullptr)(std::move(result_));
}

}  // namespace engram::net::internal
