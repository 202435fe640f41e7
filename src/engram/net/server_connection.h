// The server's end of one client's connection: makes a ServerStreamState per request, cuts off
// peers that flood, drains.
//
// Owned by the server's list of its loop, and kept alive by the waits on its socket. Loop thread
// only.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "engram/net/flood_guard.h"
#include "engram/net/h2_connection.h"
#include "engram/net/server_stream.h"

namespace engram::net::internal {

struct ConnectionLimits {
  uint32_t concurrent_streams_max;
  size_t header_bytes_max;
  LifecycleLimits lifecycle;
  FloodLimits flood;
};

class ServerConnection final : public H2Connection {
 public:
  using Closed = absl::AnyInvocable<void(ServerConnection&)>;

  ServerConnection(EventLoop& loop, SocketIo io, std::shared_ptr<const PeerInfo> peer,
                   ConnectionLimits limits, Closed closed);

  // Begins to serve.
  void Serve();
  // Tells the peer to go elsewhere with new calls; closes when those in flight have ended.
  void Drain();

  // A call is answered before its request has come to an end: the rest is to be stopped once the
  // answer is out.
  void ExpectEarlyEnd() { ++early_ends_; }

 protected:
  void OnRequestBegin(int32_t stream_id) override;
  void OnFrame(const nghttp2_frame& frame) override;
  void BeforeSend() override;
  void OnFrameSent(const nghttp2_frame& frame) override;
  void OnStreamClosed(uint32_t http2_error) override;
  void OnDue(ConnectionLifecycle::Due due) override;
  void OnClosed(std::string_view reason) override;

 private:
  void EndDrain();
  void CutOff();

  std::shared_ptr<const PeerInfo> peer_;
  const ConnectionLimits limits_;
  Closed closed_callback_;
  FloodGuard flood_;
  uint32_t early_ends_ = 0;
  std::optional<EventLoop::Timer> drain_timer_;  // until the peer has seen the notice
  bool draining_ = false;
  bool drain_ends_ = false;  // the last GOAWAY is to be sent
};

}  // namespace engram::net::internal
