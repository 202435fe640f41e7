// One HTTP/2 stream that carries gRPC messages, as both sides need it: messages in and out, flow
// control, half-close.
//
// Owned by its connection from begin to close (Attach/OnClosed), and besides by whoever handles the
// call. What headers mean and how a call ends is up to the two sides (ServerStreamState,
// ClientCall). Loop thread only.
//
// Flow control as back-pressure: the bytes of a unary body are acknowledged as they arrive, their
// number is bounded by the message's. In a streaming call bytes are acknowledged when their message
// is read, so a handler that does not read makes its sender wait; only the message that a Read
// waits for is acknowledged while it arrives, since it may be larger than the window.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <limits>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "engram/base/time.h"
#include "engram/net/event_loop.h"
#include "engram/net/message_reader.h"
#include "engram/net/send_queue.h"

namespace engram::net::internal {

class H2Connection;

using StreamHook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

struct StreamLimits {
  size_t message_bytes_max;
  size_t queue_bytes_max;  // unsent bytes before Send says "wait"
  // Beyond so many bytes held by all streams of the loop, messages are refused.
  size_t bytes_held_max = std::numeric_limits<size_t>::max();
};

class H2Stream : public StreamHook, public std::enable_shared_from_this<H2Stream> {
 public:
  enum class Kind : uint8_t { kUnary, kStreaming };  // of the direction that is received
  using ReadDone = absl::AnyInvocable<void(std::optional<std::string>)>;
  using Callback = absl::AnyInvocable<void()>;

  H2Stream(EventLoop& loop, StreamLimits limits);
  virtual ~H2Stream() = default;
  H2Stream(const H2Stream&) = delete;
  H2Stream& operator=(const H2Stream&) = delete;

  EventLoop& loop() const { return loop_; }
  TimePoint deadline() const { return deadline_; }
  int32_t id() const { return id_; }
  // Null before the stream is on a connection and after it is closed.
  H2Connection* connection() const { return connection_; }

  // The calls of a handler; see ServerCall and Channel::Stream.
  bool Send(std::string message);
  void OnWritable(Callback callback);
  void Read(ReadDone done);
  // While it holds no more than so many bytes its messages are not refused for what others hold.
  void SetBudgetFloor(size_t bytes) { budget_floor_ = bytes; }

  // The calls of the connection.
  void Attach(H2Connection& connection, int32_t id);
  void Detach();
  // As Detach(), for a connection that is being destroyed.
  void Abandon();
  virtual void OnHeader(std::string_view name, std::string_view value) = 0;
  virtual void OnHeadersEnd() = 0;
  void OnData(std::span<const uint8_t> bytes);
  void OnInputEnd();
  // `http2_error` is NO_ERROR for a regular end. The stream is detached already.
  virtual void OnClosed(uint32_t http2_error) = 0;
  // The connection is gone. The stream is detached already; `sent`: the peer may know of it.
  virtual void OnConnectionLost(bool sent, std::string_view reason) = 0;
  // The deadline has passed.
  virtual void OnDeadline() = 0;

  // Between nghttp2 and the queue: how many bytes may go into the next DATA frame, and copying
  // them.
  struct Source {
    size_t bytes;
    bool deferred;  // nothing at present
    bool end;       // nothing more after these
  };
  Source NextData(size_t bytes_max);
  void CopyData(std::string& out, size_t bytes);
  // Everything has been sent: the server submits its trailers here. True: the stream stays open for
  // them.
  virtual bool OnSendEnd() { return false; }

 protected:
  void set_kind(Kind kind) { kind_ = kind; }
  void set_deadline(TimePoint deadline) { deadline_ = deadline; }
  bool input_ended() const { return input_ended_; }
  MessageReader& reader() { return reader_; }
  // A unary call's message, inflated if need be; nullopt when that failed, which OnBadMessage has
  // been told. REQUIRES: reader() is kComplete.
  std::optional<std::string> TakeUnary();
  bool has_unread() const { return !unread_.empty(); }

  // Everything has left the queue, and nothing more will come.
  bool sent_all() const { return sent_all_; }
  // The last message sent is kept for TakeSent().
  void KeepSent() { queue_.set_after_sending(SendQueue::AfterSending::kKeep); }
  std::string TakeSent();
  const std::string& sent() const { return queue_.last(); }

  void Enqueue(std::string message);
  void EndSend();
  // Wakes the sending side after EndSend or Enqueue.
  void Resume();
  // From now on whatever arrives is acknowledged and dropped, and what waits to be read or sent is
  // forgotten.
  void Discard();
  bool has_unsent() const { return queue_.unsent() > 0; }
  void DiscardUnsent();
  // Drops the handler's call-backs; they may own what calls this.
  void DropCallbacks();
  // A Read that waits gets nullopt.
  void EndRead();
  // The same for a Read that comes when all is over.
  void EndReadSoon(ReadDone done);

  // The received side has ended, where a stream may end unless it is being discarded.
  virtual void OnMessagesEnd() = 0;
  // It broke gRPC's framing, its compression or a bound; `status` says how. Discard() has been
  // called.
  virtual void OnBadMessage(absl::Status status) = 0;
  // Received streaming messages have been handed over.
  virtual void OnDelivered() {}

 private:
  // As it came: inflated only when somebody reads it, so that what waits is bounded by the window.
  struct Unread {
    std::string message;
    bool compressed;
  };

  void TakeMessage();
  // In place. False: FailMessage() has been called.
  bool Inflate(std::string& message);
  // True: it had to be inflated. REQUIRES: a Read that waits, and what it waits for.
  bool DeliverOne();
  void FailMessage(absl::Status status);
  void RefuseForBudget();
  absl::Status DescribeBadMessage() const;
  void TellWritableSoon();
  void DeliverSoon();
  void Deliver();
  void Acknowledge();
  // Keeps the loop's gauge true to what this stream holds.
  void Account();
  void AccountFor(size_t held);
  bool OverBudget() const;

  EventLoop& loop_;
  const size_t queue_bytes_max_;
  const size_t bytes_held_max_;
  size_t budget_floor_ = 0;
  H2Connection* connection_ = nullptr;
  std::shared_ptr<H2Stream> self_;  // while attached
  TimePoint deadline_ = kNever;
  int32_t id_ = 0;
  Kind kind_ = Kind::kUnary;
  bool input_ended_ = false;
  bool discarding_ = false;
  bool delivering_ = false;
  bool writable_posted_ = false;
  bool send_ended_ = false;
  bool sent_all_ = false;
  bool deferred_ = false;  // nghttp2 waits for Resume()
  MessageReader reader_;
  SendQueue queue_;
  std::list<Unread> unread_;
  size_t unread_bytes_ = 0;  // of unread_, as they were on the wire
  size_t unacknowledged_bytes_ = 0;
  size_t accounted_bytes_ = 0;
  ReadDone read_done_;
  Callback on_writable_;
};

using StreamList = boost::intrusive::list<H2Stream, boost::intrusive::constant_time_size<false>>;

}  // namespace engram::net::internal
