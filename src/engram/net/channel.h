// The calling side: a channel is one HTTP/2 connection to one address, opened when first used,
// reopened after a failure.
//
// A channel belongs to one loop; every method and call-back runs on that loop's thread. It never
// retries a call: it says whether the peer can have seen it (Delivery), the attempt machine in
// routing/ decides.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "engram/base/time.h"
#include "engram/net/event_loop.h"
#include "engram/net/metadata.h"
#include "engram/net/tls.h"

namespace engram::net {

namespace internal {
class ChannelImpl;
}

struct ChannelOptions {
  std::shared_ptr<TlsContext> tls;  // null: plain HTTP/2
  Duration connect_timeout = std::chrono::seconds(5);
  Duration reconnect_delay_min = std::chrono::milliseconds(50);  // doubles with each failed connect
  Duration reconnect_delay_max = std::chrono::seconds(1);
  Duration keepalive_interval =
      std::chrono::seconds(30);  // a ping after so long without a byte, also while idle
  Duration keepalive_timeout = std::chrono::seconds(10);
  size_t message_bytes_max = 4u << 20;
  size_t header_bytes_max = 16u << 10;
  size_t calls_waiting_max = 10'000;  // for a connection; more fail with OVERLOADED, not sent
};

// What is known about a call that ended without a reply of the peer's handler.
enum class Delivery : uint8_t {
  kNotSent,  // the peer has certainly not begun it: connect failed, REFUSED_STREAM, GOAWAY below
             // its stream
  kUndetermined,  // it may have been carried out
  kAnswered,      // the peer ended it with the status given
};

// The peer took the connection, but that ended before it had said anything in HTTP/2: the one may
// want TLS and the other not, or a certificate is refused. Only of statuses made on this side.
bool WasNotUnderstood(const absl::Status& status);

// The peer's port refused the connection, on each of its addresses: no process listens there. So it
// is told again while the channel backs off from that. Only of statuses made on this side.
bool WasRefused(const absl::Status& status);

struct CallResult {
  absl::Status status;  // OK, the peer's status (with its ErrorDetail), or a local one
  Delivery delivery = Delivery::kAnswered;
  std::string message;  // the reply, without gRPC's prefix
  // Of a unary call: the request's bytes, given back unmoved so that the caller can send them again
  // without having kept a copy. Filled in every case, also on success.
  std::string request;
  Metadata initial;
  Metadata trailing;
};

struct CallOptions {
  TimePoint deadline =
      kNever;  // sent as what remains of it; the call ends with DEADLINE_EXCEEDED when it passes
  Metadata metadata;
};

class Channel : public std::enable_shared_from_this<Channel> {
 public:
  using Done = absl::AnyInvocable<void(CallResult)>;

  // Cancels its call when asked to; dropping it does nothing. Loop thread only.
  class CallHandle {
   public:
    CallHandle() = default;
    void Cancel();
    // The request, until the call's `done` has it; for asking another node meanwhile.
    std::optional<std::string> CopyRequest() const;

   private:
    friend class internal::ChannelImpl;
    std::weak_ptr<void> call_;
  };

  // `address` is "host:port"; a bad one fails each call with InvalidEndpoint.
  static std::shared_ptr<Channel> Create(EventLoop& loop, std::string address,
                                         ChannelOptions options);
  virtual ~Channel() = default;

  // `done` is called exactly once, never from within Unary(). After Cancel() it gets CANCELLED.
  virtual CallHandle Unary(std::string_view method, CallOptions options, std::string request,
                           Done done) = 0;

  // Client-, server- and bidirectional streaming.
  class Stream {
   public:
    virtual ~Stream() = default;  // cancels, if not ended; the call-backs of the stream are then
                                  // dropped, `ended` is not
    // False: more than 1 MiB is unsent; wait for OnWritable.
    virtual bool Send(std::string message) = 0;
    // Not called when the call has ended, but `ended` is.
    virtual void OnWritable(absl::AnyInvocable<void()> callback) = 0;
    virtual void SendDone() = 0;
    // Called once, before the first message is handed over, when the peer's initial metadata has
    // come; not when it ends the call at once. REQUIRES: called before control returns to the loop
    // that Open() was called on.
    virtual void OnHeaders(absl::AnyInvocable<void(const Metadata&)> callback) = 0;
    // The next message, or nullopt when there will be none; `ended` has the status. One Read at a
    // time.
    virtual void Read(absl::AnyInvocable<void(std::optional<std::string>)> done) = 0;
    virtual void Cancel() = 0;
    // True when no connection carries it, or its connection takes no more calls: a stream that
    // could go on for ever is better opened anew.
    virtual bool leaving() const = 0;
  };
  // `ended` is called exactly once, with the status and trailers (message empty), as the last
  // call-back of the stream but that of a Read after it. If the peer ended the call, that is after
  // the messages which it sent before have been read; Cancel() if they are not wanted.
  virtual std::unique_ptr<Stream> Open(std::string_view method, CallOptions options,
                                       Done ended) = 0;

  enum class State : uint8_t { kIdle, kConnecting, kReady, kBackingOff };
  virtual State state() const = 0;

  // False: no call is under way or waits for a connection.
  virtual bool busy() const = 0;

  // Lets the calls in flight end, then closes the connection; calls that still wait for one fail,
  // not sent. For an address that its peer has left.
  virtual void Drain() = 0;

  // Ends all calls (UNAVAILABLE) and closes the connection; the channel stays usable. So does
  // dropping the channel, which must happen on its loop, or when that has stopped: call-backs are
  // then dropped.
  virtual void Close() = 0;
};

}  // namespace engram::net
