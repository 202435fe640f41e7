// Listens on one address and deals the accepted sockets out to the loops of a group in turn.
//
// Held by the server, and by the accept under way: that may have succeeded already when Close() is
// called. Runs on loop 0, where everything but Listen() and port() is called.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "engram/net/event_loop.h"
#include "engram/net/transport.h"

namespace engram::net::internal {

class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  // Called on loop 0 with a socket that belongs to the context of loop `loop_index`.
  using Accepted = absl::AnyInvocable<void(size_t loop_index, Socket socket)>;

  Acceptor(EventLoopGroup& loops, Accepted accepted);

  // Binds and listens, without accepting yet. Before the loops know of it, hence on any thread.
  [[nodiscard]] absl::Status Listen(const std::string& host, uint16_t port);
  uint16_t port() const { return port_; }

  void Accept();
  // `accepted` is not called any more.
  void Close();

 private:
  void AcceptAgainLater();

  EventLoopGroup& loops_;
  Accepted accepted_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::optional<EventLoop::Timer> retry_;
  size_t next_loop_ = 0;
  uint16_t port_ = 0;
  bool closed_ = false;
};

}  // namespace engram::net::internal
