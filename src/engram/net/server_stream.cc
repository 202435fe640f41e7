#include "engram/net/server_stream.h"

#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <utility>

#include "engram/base/error.h"
#include "engram/net/grpc_status.h"
#include "engram/net/grpc_timeout.h"
#include "engram/net/h2_callbacks.h"
#include "engram/net/header_block.h"
#include "engram/net/metadata_wire.h"
#include "engram/net/server_connection.h"
#include "engram/net/utf8_text.h"

namespace engram::net::internal {
namespace {

// nghttp2 sends no header list of more than 64 KiB, and clients take less: together these stay
// below.
constexpr size_t kMessageBytesMax = 2048;  // as many as three times that when encoded
constexpr size_t kDetailBytesMax = 4096;
constexpr size_t kMetadataBytesMax = 8192;

// Cut between two characters of UTF-8.
std::string Shortened(std::string text) {
  if (text.size() <= kMessageBytesMax) return text;
  size_t end = kMessageBytesMax;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

}  // namespace

void BoundedMetadata::Add(std::string_view name, std::string_view value, Recurrence recurrence) {
  if (!IsSendable(name, value)) return;
  bytes_ += name.size() + value.size();
  if (bytes_ <= kMetadataBytesMax) metadata_.Add(name, value, recurrence);
}

ServerStreamState::ServerStreamState(EventLoop& loop, std::shared_ptr<const PeerInfo> peer)
    : H2Stream(loop, peer->stream_limits),
      peer_(std::move(peer)),
      head_(*peer_->methods, peer_->head_limits) {}

// ---- the request

void ServerStreamState::OnHeader(std::string_view name, std::string_view value) {
  if (!head_done_) head_.Add(name, value);  // gRPC knows no trailers of a request
}

void ServerStreamState::OnHeadersEnd() {
  if (head_done_) return;
  head_done_ = true;
  const int http_status = head_.HttpStatus();
  if (http_status != 200) return SubmitHttpStatus(http_status);
  absl::Status verdict = head_.Verdict();
  if (!verdict.ok()) return RefuseHead(std::move(verdict));
  const Duration limit = head_.method()->stream ? Duration::max() : peer_->unary_limit;
  if (const Duration timeout = std::min(head_.timeout(), limit); timeout != Duration::max()) {
    request_deadline_ = DeadlineAfter(EventLoop::Now(), timeout);
    set_deadline(request_deadline_);
    connection()->WatchDeadline(deadline());
  }
  if (head_.encoding() == Encoding::kGzip) reader().AllowCompressed();
  if (head_.method()->stream) {
    set_kind(Kind::kStreaming);
    head_.method()->stream(Begin());
  }
}

void ServerStreamState::RefuseHead(absl::Status verdict) {
  Counters& counters = loop().counters();
  (head_.too_large() ? counters.header_lists_refused : counters.requests_refused).Add();
  Discard();
  SubmitEnd(std::move(verdict));
}

void ServerStreamState::OnMessagesEnd() {
  if (begun_ || ended_) return;
  if (reader().state() != MessageReader::State::kComplete) {
    return OnBadMessage(
        InvalidArgument("message", "a unary call carries one message, this has none"));
  }
  std::optional<std::string> message = TakeUnary();
  if (message.has_value()) head_.method()->unary(Begin(), *std::move(message));
}

ServerCall ServerStreamState::Begin() {
  begun_ = true;
  loop().counters().calls_begun.Add();
  return ServerCall(std::static_pointer_cast<ServerStreamState>(shared_from_this()));
}

void ServerStreamState::OnBadMessage(absl::Status status) {
  if (ended_) return;
  SubmitEnd(std::move(status));
  CancelHandler();
}

// ---- ends that the handler did not choose

void ServerStreamState::MarkEnded() {
  if (std::exchange(ended_, true) || !begun_) return;
  loop().counters().calls_ended.Add();
}

void ServerStreamState::CancelHandler() {
  MarkEnded();
  Discard();
  if (begun_ && !cancelled()) {
    cancelled_.store(true, std::memory_order_release);
    if (on_cancel_) std::exchange(on_cancel_, nullptr)();
  }
  DropCallbacks();
}

void ServerStreamState::OnClosed(uint32_t /*http2_error*/) {
  if (ended_) return;
  loop().counters().calls_cancelled.Add();
  CancelHandler();
}

void ServerStreamState::OnConnectionLost(bool /*sent*/, std::string_view /*reason*/) {
  OnClosed(NGHTTP2_CANCEL);
}

void ServerStreamState::OnDeadline() {
  set_deadline(kNever);
  if (ended_) {
    // The answer is there. Without messages it waits for nothing but its turn; with some, the peer
    // does not take them. If it takes nothing at all, not even the reset, the stream goes on for as
    // long as the connection; its answer need not.
    if (!has_unsent()) return;
    connection()->ResetStream(id(), NGHTTP2_CANCEL);
    return DiscardUnsent();
  }
  loop().counters().calls_deadline_exceeded.Add();
  DiscardUnsent();
  SubmitEnd(MakeError(ErrorCode::kDeadlineExceeded, "the call's deadline has passed"));
  CancelHandler();
}

// ---- of the handler

void ServerStreamState::OnCancel(Callback callback) {
  if (ended_ && !cancelled()) return;
  on_cancel_ = std::move(callback);
  if (!cancelled()) return;
  loop().Post([self = std::static_pointer_cast<ServerStreamState>(shared_from_this())] {
    if (self->on_cancel_) std::exchange(self->on_cancel_, nullptr)();
  });
}

void ServerStreamState::AddHeader(std::string_view name, std::string_view value) {
  if (!headers_sent_) headers_.Add(name, value, Recurrence::kOnce);
}

void ServerStreamState::AddTrailer(std::string_view name, std::string_view value,
                                   Recurrence recurrence) {
  if (!ended_) trailers_.Add(name, value, recurrence);
}

void ServerStreamState::SendHeaders() {
  if (!ended_ && !headers_sent_) SubmitHeaders();
}

bool ServerStreamState::SendMessage(std::string message) {
  if (ended_) return true;
  if (!headers_sent_) SubmitHeaders();
  return Send(std::move(message));
}

void ServerStreamState::Reply(absl::StatusOr<std::string> message) {
  if (ended_) return;
  if (!message.ok()) return Finish(std::move(message).status());
  Enqueue(*std::move(message));
  Finish(absl::OkStatus());
}

void ServerStreamState::Finish(absl::Status status) {
  if (ended_) return;
  SubmitEnd(std::move(status));
  // They may own the call; what they own is released last.
  Callback on_cancel = std::exchange(on_cancel_, nullptr);
  DropCallbacks();
}

void ServerStreamState::SubmitEnd(absl::Status status) {
  MarkEnded();
  if (connection() == nullptr) return;
  Discard();
  status_ = std::move(status);
  const bool has_headers = headers_sent_ || !headers_.metadata().empty();
  if (!has_headers && !status_.ok()) return SubmitTrailersOnly();
  EndSend();
  if (headers_sent_) return Resume();
  SubmitHeaders();
}

// ---- onto the wire

void ServerStreamState::SubmitHttpStatus(int http_status) {
  loop().counters().requests_refused.Add();
  ended_ = headers_sent_ = true;
  Discard();
  HeaderBlock block;
  block.AddStatic(":status", http_status == 405 ? "405" : "415");
  nghttp2_submit_response(connection()->session(), id(), block.data(), block.size(), nullptr);
  ExpectEarlyEnd();
}

void ServerStreamState::SubmitHeaders() {
  headers_sent_ = true;
  if (connection() == nullptr) return;
  HeaderBlock block;
  block.AddStatic(":status", "200");
  block.AddStatic("content-type", "application/grpc");
  AddAcceptedEncodings(block);
  block.AddMetadata(headers_.metadata());
  const nghttp2_data_provider provider = DataProviderOf(*this);
  nghttp2_submit_response(connection()->session(), id(), block.data(), block.size(), &provider);
  connection()->FlushSoon();
}

// For who asked by naming an encoding, of whom a refused one must be told: the others send plain
// messages and need not pay for it in each of their calls.
void ServerStreamState::AddAcceptedEncodings(HeaderBlock& block) const {
  if (head_.encoding() == Encoding::kUnnamed) return;
  block.AddStatic("grpc-accept-encoding", kAcceptedEncodings);
}

void ServerStreamState::SubmitTrailersOnly() {
  headers_sent_ = true;
  HeaderBlock block;
  block.AddStatic(":status", "200");
  block.AddStatic("content-type", "application/grpc");
  AddAcceptedEncodings(block);
  AppendTrailers(block);
  nghttp2_submit_response(connection()->session(), id(), block.data(), block.size(), nullptr);
  ExpectEarlyEnd();
}

bool ServerStreamState::OnSendEnd() {
  HeaderBlock block;
  AppendTrailers(block);
  nghttp2_submit_trailer(connection()->session(), id(), block.data(), block.size());
  ExpectEarlyEnd();
  return true;
}

void ServerStreamState::AppendTrailers(HeaderBlock& block) const {
  if (status_.ok()) {
    block.AddStatic("grpc-status", "0");
  } else {
    block.AddOwned("grpc-status", fmt::format("{}", static_cast<int>(status_.code())));
    const absl::string_view text = status_.message();
    const std::string message = Shortened(ToValidUtf8(std::string_view(text.data(), text.size())));
    if (!message.empty()) block.AddOwned("grpc-message", PercentEncode(message));
    const std::string details = EncodeDetails(status_);
    if (!details.empty() && details.size() <= kDetailBytesMax)
      block.AddOwned("grpc-status-details-bin", EncodeBinary(details));
  }
  block.AddMetadata(trailers_.metadata());
}

void ServerStreamState::ExpectEarlyEnd() {
  if (!input_ended()) static_cast<ServerConnection*>(connection())->ExpectEarlyEnd();
  connection()->FlushSoon();
}

}  // namespace engram::net::internal
