// One c-ares channel, its sockets and its timer driven by an event loop.
//
// On the loop rather than on a thread of its own: a question of DNS waits for the network and
// computes nothing, so a thread would only add a lock and a way back. What blocks is reading
// /etc/resolv.conf and /etc/hosts, once for each channel; a channel lives for one look-up, so
// that changes of both are heeded.
//
// Held by its look-up and by its waits. Loop thread only.
#pragma once

#include <ares.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "engram/net/event_loop.h"

namespace engram::cluster::internal {

class AresChannel : public std::enable_shared_from_this<AresChannel> {
 public:
  // `servers`: "ip:port,ip:port", empty for the system's. InvalidArgument (field `dns-servers`) if
  // they are not that.
  static absl::StatusOr<std::shared_ptr<AresChannel>> Open(net::EventLoop& loop,
                                                           const std::string& servers);
  ~AresChannel();
  AresChannel(const AresChannel&) = delete;
  AresChannel& operator=(const AresChannel&) = delete;

  // To ask with. Afterwards call Watch().
  ares_channel get() { return channel_; }
  // After questions were asked: wakes up when they need more time than is left to them.
  void Watch();
  // Ends what was asked: its call-backs are called with ARES_EDESTRUCTION before this returns.
  // REQUIRES: not within a call-back of c-ares.
  void Close();

 private:
  struct Watched;
  enum class Direction : uint8_t { kRead, kWrite };

  explicit AresChannel(net::EventLoop& loop);

  void OnSocketState(ares_socket_t socket, bool read, bool write);
  void Await(const std::shared_ptr<Watched>& watched, Direction direction);
  void OnReady(const std::shared_ptr<Watched>& watched, Direction direction);

  net::EventLoop& loop_;
  ares_channel channel_ = nullptr;
  absl::flat_hash_map<ares_socket_t, std::shared_ptr<Watched>> watched_;
  net::EventLoop::Timer timer_;
};

}  // namespace engram::cluster::internal
