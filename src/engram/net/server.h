// The gRPC server: accepts connections, speaks HTTP/2 on libnghttp2, hands each call to the handler
// of its method.
//
// Connections are dealt out to the loops of an EventLoopGroup when accepted and stay there; a
// handler runs on its connection's loop and must not block. A call may be finished from any thread
// (it is posted to its loop), the hot path is to finish it on the loop. All bounds are in
// ServerOptions.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engram/base/time.h"
#include "engram/net/event_loop.h"
#include "engram/net/metadata.h"
#include "engram/net/tls.h"

namespace engram::net {

struct ServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 0;                // 0: one that is free, see Server::port()
  std::shared_ptr<TlsContext> tls;  // null: plain HTTP/2 with prior knowledge
  size_t message_bytes_max = 4u << 20;
  // A unary call ends so long after it began, also if the client set no deadline or a later one.
  Duration unary_limit = Duration::max();
  size_t header_bytes_max = 16u << 10;     // names and values of one header list
  size_t metadata_bytes_max = 8u << 10;    // names and values of a request's metadata
  uint32_t concurrent_streams_max = 1000;  // per connection
  size_t connections_max = 20'000;
  size_t connections_per_address_max = 5'000;  // an IPv4 address, or a /64 of IPv6
  size_t stream_queue_bytes_max =
      1u << 20;  // unsent bytes of one streaming call before Send says "wait"
  // Of all calls, received in part or not yet read by their handler, and waiting to be sent; shared
  // out evenly over the loops. Beyond it messages are refused as OVERLOADED.
  size_t bytes_held_max = 1u << 30;
  // From the connection's beginning to the peer's first frame, TLS handshake included.
  Duration preface_timeout = std::chrono::seconds(10);
  // To the first call: who makes none is told to go (GOAWAY), and may come again.
  Duration first_request_timeout = std::chrono::minutes(5);
  // Without a call after the last one, and altogether; Duration::max() is no limit. Then GOAWAY,
  // and the calls in flight end, after a maximum of connection_age_grace by force. Ages are spread
  // by a tenth, so that not all connections of a cluster that was started at once end at once.
  Duration connection_idle_max = Duration::max();
  Duration connection_age_max = Duration::max();
  Duration connection_age_grace = Duration::max();
  // A ping after so long without a byte from the peer, and the end if none follows for so long.
  Duration keepalive_interval = std::chrono::seconds(60);
  Duration keepalive_timeout = std::chrono::seconds(20);
  // Per connection and 10 s: calls that the peer resets, unless they are less than half of those it
  // began; and pings, settings and the like. Beyond them the connection ends with
  // ENHANCE_YOUR_CALM.
  uint32_t resets_max = 1000;
  uint32_t control_frames_max = 10'000;
};

namespace internal {
class ServerStreamState;
}

// One call as its handler sees it. A move-only handle: whoever holds it must end the call with
// Finish() or Reply(); if it is dropped, the call ends with INTERNAL. Methods other than loop() are
// for the call's loop thread, except the ones that say "any thread". When the peer has cancelled,
// or the deadline has passed (the peer is then told so by net/), everything sent is dropped
// silently.
class ServerCall {
 public:
  explicit ServerCall(std::shared_ptr<internal::ServerStreamState> state);
  ServerCall(ServerCall&&) noexcept;
  ServerCall& operator=(ServerCall&&) noexcept;
  ~ServerCall();

  EventLoop& loop() const;           // any thread
  std::string_view method() const;   // "/engram.v1.MemoryService/Get"
  const Metadata& metadata() const;  // of the request; any thread (immutable)
  // The client's, or unary_limit's if that is earlier; kNever if there is neither. Any thread
  // (immutable).
  TimePoint deadline() const;
  std::string_view peer() const;  // "host:port"
  bool cancelled() const;         // by the peer, its connection's end or the deadline; any thread

  // Called once, on the loop, when cancelled() becomes true before the call is finished.
  void OnCancel(absl::AnyInvocable<void()> callback);

  // Initial and trailing metadata. One that gRPC cannot carry (reserved name, value not printable
  // ASCII and name not "-bin") and what goes beyond 8 KiB in all of either is left out, and so is a
  // header once they are sent: with the first message, the end of the call, or SendHeaders().
  void AddHeader(std::string_view name, std::string_view value);
  void AddTrailer(std::string_view name, std::string_view value,
                  Recurrence recurrence = Recurrence::kOnce);
  // For a client that waits for them before there is a message. Once is enough.
  void SendHeaders();

  // Unary and client-streaming: the one reply and OK, or an error. Any thread. Ends the call.
  void Reply(absl::StatusOr<std::string> message);

  // Server- and bidirectional streaming. False: the peer reads slowly, more than
  // stream_queue_bytes_max are unsent; wait for OnWritable.
  bool Send(std::string message);
  void OnWritable(absl::AnyInvocable<void()> callback);
  // Ends the call. Any thread.
  void Finish(absl::Status status);

  // For a stream that carries the requests of many: while it holds fewer bytes than this, received
  // or unsent, its messages are not refused for what other calls hold (bytes_held_max).
  void SetBudgetFloor(size_t bytes);

  // Client- and bidirectional streaming: asks for the next message. `done` gets it, or nullopt when
  // the client has sent its last. At most one Read at a time; bytes that are not asked for are not
  // acknowledged to the peer (flow control), so a handler that does not read makes the sender wait.
  // Never called after OnCancel's callback.
  void Read(absl::AnyInvocable<void(std::optional<std::string>)> done);

 private:
  std::shared_ptr<internal::ServerStreamState> state_;
};

class Server {
 public:
  // `request` is the one message, without gRPC's prefix.
  using UnaryHandler = absl::AnyInvocable<void(ServerCall call, std::string request)>;
  using StreamHandler = absl::AnyInvocable<void(ServerCall call)>;

  // `loops` must outlive the server and be running from Start() to Stop().
  Server(EventLoopGroup& loops, ServerOptions options);
  ~Server();

  // REQUIRES: before Start(). Handlers are called from all loops at once.
  void AddUnary(std::string_view method, UnaryHandler handler);
  void AddStream(std::string_view method, StreamHandler handler);
  // For every method that has no handler of its own, unary ones too: on the wire they are streams
  // of one message each way. Without it such calls are UNIMPLEMENTED.
  void AddFallback(StreamHandler handler);

  // Binds and begins to accept. The error names the address and says when the port is in use.
  [[nodiscard]] absl::Status Start();
  uint16_t port() const;

  // Stops accepting, sends GOAWAY, lets the calls in flight end until `deadline`, then closes what
  // is left. Blocks; any thread but a loop's. Idempotent.
  void Drain(TimePoint deadline);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace engram::net
