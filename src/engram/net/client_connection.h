// The client's end of one connection: submits calls, notices when the peer is ready, silent or
// going away.
//
// Held by its channel until it is lost, and by the waits on its socket. Loop thread only.
#pragma once

#include <string>
#include <string_view>

#include "engram/net/channel.h"
#include "engram/net/client_call.h"
#include "engram/net/h2_connection.h"

namespace engram::net::internal {

class ClientConnection final : public H2Connection {
 public:
  // The channel. May destroy the connection's last outside reference from within these.
  class Owner {
   public:
    // The peer speaks HTTP/2: calls may be submitted.
    virtual void OnReady(ClientConnection& connection) = 0;
    // No new calls, please; those in flight go on, and OnLost() follows.
    virtual void OnRetired(ClientConnection& connection) = 0;
    virtual void OnLost(ClientConnection& connection, std::string_view reason) = 0;

   protected:
    ~Owner() = default;
  };

  ClientConnection(EventLoop& loop, SocketIo io, std::string authority,
                   const ChannelOptions& options, Owner& owner);

  void Start();
  // REQUIRES: ready, not retired.
  void Submit(ClientCall& call, std::string_view method);
  // Tells the peer that no more calls will follow, and closes when those in flight have ended.
  // REQUIRES: ready.
  void Leave();
  // The owner is going: it is told nothing any more.
  void Disown() { owner_ = nullptr; }

  bool ready() const { return ready_; }
  // No new calls; those in flight go on.
  bool retired() const { return retired_; }

 protected:
  void OnFrame(const nghttp2_frame& frame) override;
  void OnDue(ConnectionLifecycle::Due due) override;
  void OnClosed(std::string_view reason) override;

 private:
  void OnGoaway(const nghttp2_frame& frame);
  void Retire();

  const std::string authority_;
  const ChannelOptions options_;  // a copy: the channel may be gone first
  Owner* owner_;
  bool ready_ = false;
  bool retired_ = false;
};

}  // namespace engram::net::internal
