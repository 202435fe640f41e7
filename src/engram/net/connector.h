// Opens a TCP connection to one endpoint: each address that its name resolves to in turn, the time
// shared out among them, so that one black-holed address does not use it all up.
//
// Kept alive by its own waits until `done` was called or Cancel(). Loop thread only.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "engram/net/endpoint.h"
#include "engram/net/event_loop.h"
#include "engram/net/transport.h"

namespace engram::net::internal {

// Marks the statuses of which WasRefused() is true; empty, and of no meaning to a peer.
inline constexpr char kRefusedPayload[] = "engram/connection-refused";

class Connector : public std::enable_shared_from_this<Connector> {
 public:
  // Errors are ConnectionFailed, and say what the last address answered.
  using Done = absl::AnyInvocable<void(absl::StatusOr<Socket>)>;

  static std::shared_ptr<Connector> Start(EventLoop& loop, const Endpoint& endpoint,
                                          TimePoint deadline, Done done);
  // `done` is not called any more.
  void Cancel();

 private:
  Connector(EventLoop& loop, TimePoint deadline, Done done);

  void Resolve(const Endpoint& endpoint);
  void TryNext(const std::string& last_error);
  void OnConnectEnd(const boost::system::error_code& error);
  void Finish(absl::StatusOr<Socket> result);
  absl::Status Describe(const absl::Status& failure) const;

  EventLoop& loop_;
  const TimePoint deadline_;
  Done done_;
  std::string name_;
  boost::asio::ip::tcp::resolver resolver_;
  std::vector<boost::asio::ip::tcp::endpoint> addresses_;
  size_t next_ = 0;
  size_t refused_ = 0;  // addresses whose port did so
  std::optional<Socket> socket_;
  EventLoop::Timer timer_;
};

}  // namespace engram::net::internal
