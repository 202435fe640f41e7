// One call on the server: what stands between the HTTP/2 stream and the handler's ServerCall.
//
// Shared by the connection (until the stream is closed) and the ServerCall (until the handler lets
// go). Everything is for the loop thread, except what is immutable after the request's headers and
// `cancelled`.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "engram/net/h2_stream.h"
#include "engram/net/metadata.h"
#include "engram/net/request_head.h"

namespace engram::net::internal {

class HeaderBlock;

// What the calls of one connection have in common; outlives the connection while a handler holds a
// call.
struct PeerInfo {
  std::shared_ptr<MethodTable> methods;
  std::string address;
  StreamLimits stream_limits;
  HeadLimits head_limits;
  Duration unary_limit;
};

// What a handler has added, as far as gRPC can carry it and up to a bound.
class BoundedMetadata {
 public:
  void Add(std::string_view name, std::string_view value, Recurrence recurrence);
  const Metadata& metadata() const { return metadata_; }

 private:
  Metadata metadata_;
  size_t bytes_ = 0;
};

class ServerStreamState final : public H2Stream {
 public:
  ServerStreamState(EventLoop& loop, std::shared_ptr<const PeerInfo> peer);

  // Any thread, once the handler has the call.
  std::string_view method() const { return head_.path(); }
  const Metadata& metadata() const { return head_.metadata(); }
  std::string_view peer() const { return peer_->address; }
  TimePoint request_deadline() const { return request_deadline_; }
  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }

  // Of the handler.
  bool ended() const { return ended_; }
  // Any thread: the end of the call is on its way to the loop.
  void HandOver() { handed_over_.store(true, std::memory_order_relaxed); }
  bool handed_over() const { return handed_over_.load(std::memory_order_relaxed); }
  void OnCancel(Callback callback);
  void AddHeader(std::string_view name, std::string_view value);
  void AddTrailer(std::string_view name, std::string_view value, Recurrence recurrence);
  void SendHeaders();
  bool SendMessage(std::string message);
  void Reply(absl::StatusOr<std::string> message);
  void Finish(absl::Status status);

  // H2Stream
  void OnHeader(std::string_view name, std::string_view value) override;
  void OnHeadersEnd() override;
  void OnClosed(uint32_t http2_error) override;
  void OnConnectionLost(bool sent, std::string_view reason) override;
  void OnDeadline() override;
  bool OnSendEnd() override;

 protected:
  void OnMessagesEnd() override;
  void OnBadMessage(absl::Status status) override;

 private:
  ServerCall Begin();
  void RefuseHead(absl::Status verdict);
  void AddAcceptedEncodings(HeaderBlock& block) const;
  void MarkEnded();
  // Ends the call against the handler's will: it is told by OnCancel.
  void CancelHandler();
  void SubmitEnd(absl::Status status);
  void SubmitHttpStatus(int http_status);
  void SubmitHeaders();
  void SubmitTrailersOnly();
  void AppendTrailers(HeaderBlock& block) const;
  void ExpectEarlyEnd();

  std::shared_ptr<const PeerInfo> peer_;
  RequestHead head_;
  BoundedMetadata headers_;
  BoundedMetadata trailers_;
  absl::Status status_;
  TimePoint request_deadline_ = kNever;  // deadline() is taken back once it has passed
  Callback on_cancel_;
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> handed_over_{false};
  bool head_done_ = false;
  bool begun_ = false;         // the handler has been called
  bool ended_ = false;         // by the handler, or against its will
  bool headers_sent_ = false;  // submitted at least
};

}  // namespace engram::net::internal
