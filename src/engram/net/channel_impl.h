// The one implementation of Channel: opens connections when they are needed, lets calls wait
// meanwhile, backs off.
//
// At most one connection takes new calls; those that the peer is closing (GOAWAY) finish theirs
// beside it.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engram/net/channel.h"
#include "engram/net/client_connection.h"
#include "engram/net/connector.h"
#include "engram/net/deadline_timer.h"
#include "engram/net/endpoint.h"

namespace engram::net::internal {

// Marks the statuses of which WasNotUnderstood() is true; empty, and of no meaning to a peer.
inline constexpr char kNotUnderstoodPayload[] = "engram/not-understood";

class ChannelImpl final : public Channel, public ClientConnection::Owner {
 public:
  ChannelImpl(EventLoop& loop, std::string address, ChannelOptions options);
  ~ChannelImpl() override;

  CallHandle Unary(std::string_view method, CallOptions options, std::string request,
                   Done done) override;
  std::unique_ptr<Stream> Open(std::string_view method, CallOptions options, Done ended) override;
  State state() const override;
  bool busy() const override;
  void Drain() override;
  void Close() override;

 private:
  using CallPtr = std::shared_ptr<ClientCall>;
  using ConnectionPtr = std::shared_ptr<ClientConnection>;

  CallPtr MakeCall(CallOptions options, Done done);
  // Submits the call, lets it wait for a connection, or fails it.
  void Begin(const CallPtr& call, std::string_view method);
  void Wait(const CallPtr& call, std::string_view method);
  void ExpireWaiting(TimePoint now);

  void Connect();
  void OnConnected(absl::StatusOr<Socket> socket);
  void OnConnectFailed(absl::Status status);
  void FailWaiting(const absl::Status& status);
  // What is not connected yet will not be.
  void StopConnecting(std::string_view reason);

  // ClientConnection::Owner
  void OnReady(ClientConnection& connection) override;
  void OnRetired(ClientConnection& connection) override;
  void OnLost(ClientConnection& connection, std::string_view reason) override;

  EventLoop& loop_;
  const std::string address_;
  const ChannelOptions options_;
  const absl::StatusOr<Endpoint> endpoint_;

  std::shared_ptr<Connector> connector_;  // while TCP connects
  ConnectionPtr connection_;              // from then on, ready or not
  std::vector<ConnectionPtr> retired_;
  std::deque<CallPtr> waiting_;
  DeadlineTimer waiting_deadlines_;
  EventLoop::Timer connect_timer_;  // until the peer has spoken
  TimePoint connect_deadline_;

  Duration reconnect_delay_{};  // zero: the last connect succeeded
  TimePoint reconnect_at_;
  absl::Status last_failure_;
};

}  // namespace engram::net::internal
