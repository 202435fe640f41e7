// Datagrams on an event loop: what gossip travels on.
//
// UDP promises nothing, so neither does this: a datagram that cannot be sent is counted and
// forgotten, and one that cannot be read is counted and skipped. Nothing that comes from the
// network ends the socket.
//
// Owned by its driver. Loop thread only, but for counters(), which any thread may read; closing it,
// or destroying it, may also be done from within its handler, and after the loop has stopped. No
// handler runs after that. The loop must outlive it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "engram/net/counters.h"
#include "engram/net/event_loop.h"

namespace engram::net {

struct UdpOptions {
  // Larger datagrams are counted and dropped, sent or received. At most 65,507, what UDP can carry.
  size_t datagram_bytes_max = 1400;
};

// Written on the loop, read by any thread.
struct UdpCounters {
  Counter sent;
  Counter sent_bytes;
  Counter received;  // and handed over
  Counter received_bytes;

  Counter received_too_large;
  Counter receive_errors;

  // Datagrams that were not sent, and why.
  Counter dropped_bad_address;  // neither "ip:port" nor "name:port"
  Counter dropped_unresolved;   // the name is not known, or too many wait for it to be
  Counter dropped_too_large;    // for datagram_bytes_max, or for the network
  Counter dropped_full;         // the kernel has no room for it now
  Counter dropped_unreachable;  // no way there, or a packet filter has it dropped
  Counter dropped_other;        // any other error

  Counter names_resolved;
  Counter names_failed;
};

class UdpSocket {
 public:
  // `from` is "ip:port", "[ip]:port" for IPv6: an address to Send() to. Both arguments live until
  // the handler returns.
  using Handler = absl::AnyInvocable<void(std::string_view bytes, const std::string& from)>;

  // Binds `address` ("host:port", port 0 takes a free one) and begins to receive. "[::]:port" takes
  // IPv4 as well. A host name is resolved at once, which may block: do it at start. Errors are
  // InvalidEndpoint and name the address and the reason. Before the loop has started, or on it.
  static absl::StatusOr<std::unique_ptr<UdpSocket>> Open(EventLoop& loop, std::string_view address,
                                                         const UdpOptions& options,
                                                         Handler handler);
  ~UdpSocket();
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;

  // To "ip:port" at once. To "name:port" as soon as the name is known: it is resolved in the
  // background and kept for 30 s, then resolved again while the old answer still serves. Of the
  // datagrams that wait for a name the first 4 are kept.
  void Send(std::string_view address, std::string_view bytes);

  // Receives and hands over all that has arrived by now. For a driver whose timer is due: what has
  // arrived already must count before the time that has passed is held against anybody.
  void DrainNow();

  // What it is bound to, "ip:port".
  std::string address() const;
  uint16_t port() const;

  void Close();

  const UdpCounters& counters() const;

 private:
  class Impl;

  explicit UdpSocket(std::shared_ptr<Impl> impl);

  std::shared_ptr<Impl> impl_;  // shared with the wait for the next datagram
};

}  // namespace engram::net
