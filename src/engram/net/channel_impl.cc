#include "engram/net/channel_impl.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "engram/base/error.h"
#include "engram/net/client_stream.h"

namespace engram::net::internal {
namespace {

constexpr size_t kQueueBytesMax = 1u << 20;  // what Channel::Stream promises

}  // namespace

ChannelImpl::ChannelImpl(EventLoop& loop, std::string address, ChannelOptions options)
    : loop_(loop),
      address_(std::move(address)),
      options_(std::move(options)),
      endpoint_(ParseEndpoint(address_)),
      waiting_deadlines_(loop, [this](TimePoint now) { ExpireWaiting(now); }),
      connect_timer_(loop) {}

ChannelImpl::~ChannelImpl() {
  if (connection_ != nullptr) connection_->Disown();
  for (const ConnectionPtr& connection : retired_) connection->Disown();
  Close();
}

// ---- calls

Channel::CallHandle ChannelImpl::Unary(std::string_view method, CallOptions options,
                                       std::string request, Done done) {
  const CallPtr call = MakeCall(std::move(options), std::move(done));
  call->SetRequest(std::move(request));
  Begin(call, method);
  CallHandle handle;
  handle.call_ = call;
  return handle;
}

std::unique_ptr<Channel::Stream> ChannelImpl::Open(std::string_view method, CallOptions options,
                                                   Done ended) {
  const CallPtr call = MakeCall(std::move(options), std::move(ended));
  call->SetStreaming();
  Begin(call, method);
  return std::make_unique<ClientStream>(call);
}

ChannelImpl::CallPtr ChannelImpl::MakeCall(CallOptions options, Done done) {
  const ClientCall::Limits limits = {{options_.message_bytes_max, kQueueBytesMax},
                                     options_.header_bytes_max};
  return std::make_shared<ClientCall>(loop_, limits, std::move(options), std::move(done));
}

void ChannelImpl::Begin(const CallPtr& call, std::string_view method) {
  absl::Status sendable = call->CheckSendable();
  if (!sendable.ok()) return call->EndLocally(std::move(sendable), Delivery::kNotSent);
  if (connection_ != nullptr && connection_->ready()) return connection_->Submit(*call, method);
  switch (state()) {
    case State::kReady:
    case State::kConnecting:
      return Wait(call, method);
    case State::kBackingOff:
      return call->EndLocally(last_failure_, Delivery::kNotSent);
    case State::kIdle:
      if (!endpoint_.ok()) return call->EndLocally(endpoint_.status(), Delivery::kNotSent);
      Wait(call, method);
      Connect();
  }
}

void ChannelImpl::Wait(const CallPtr& call, std::string_view method) {
  if (waiting_.size() >= options_.calls_waiting_max) {
    return call->EndLocally(
        MakeError(ErrorCode::kOverloaded, fmt::format("too many calls wait for {}", address_)),
        Delivery::kNotSent);
  }
  call->KeepMethod(method);
  waiting_.push_back(call);
  waiting_deadlines_.Watch(call->deadline());
}

void ChannelImpl::ExpireWaiting(TimePoint now) {
  TimePoint next = kNever;
  for (const CallPtr& call : waiting_) {
    if (call->deadline() <= now) {
      call->OnDeadline();
    } else {
      next = std::min(next, call->deadline());
    }
  }
  std::erase_if(waiting_, [](const CallPtr& call) { return call->ended(); });
  waiting_deadlines_.Watch(next);
}

void ChannelImpl::FailWaiting(const absl::Status& status) {
  waiting_deadlines_.Cancel();
  for (const CallPtr& call : std::exchange(waiting_, {}))
    call->EndLocally(status, Delivery::kNotSent);
}

// ---- connections

Channel::State ChannelImpl::state() const {
  if (connection_ != nullptr && connection_->ready()) return State::kReady;
  if (connection_ != nullptr || connector_ != nullptr) return State::kConnecting;
  return EventLoop::Now() < reconnect_at_ ? State::kBackingOff : State::kIdle;
}

void ChannelImpl::Connect() {
  connect_deadline_ = EventLoop::Now() + options_.connect_timeout;
  connector_ =
      Connector::Start(loop_, *endpoint_, connect_deadline_,
                       [this](absl::StatusOr<Socket> socket) { OnConnected(std::move(socket)); });
}

void ChannelImpl::OnConnected(absl::StatusOr<Socket> socket) {
  connector_.reset();
  if (!socket.ok()) return OnConnectFailed(socket.status());
  SocketIo io(*std::move(socket), options_.tls.get(), endpoint_->host);
  connection_ = std::make_shared<ClientConnection>(loop_, std::move(io), address_, options_, *this);
  // A process that hangs still has its connections accepted by its kernel. Calls are not sent
  // before the peer has spoken, so that those to such a peer are known not to have been carried
  // out.
  connect_timer_.RunAt(connect_deadline_,
                       [this] { connection_->Close("the peer does not answer"); });
  connection_->Start();
}

void ChannelImpl::OnConnectFailed(absl::Status status) {
  loop_.counters().connects_failed.Add();
  const Duration doubled = std::max(options_.reconnect_delay_min, 2 * reconnect_delay_);
  reconnect_delay_ = std::min(options_.reconnect_delay_max, doubled);
  reconnect_at_ = EventLoop::Now() + reconnect_delay_;
  last_failure_ = std::move(status);
  FailWaiting(last_failure_);
}

void ChannelImpl::OnReady(ClientConnection& connection) {
  loop_.counters().connects.Add();
  connect_timer_.Cancel();
  reconnect_delay_ = Duration::zero();
  waiting_deadlines_.Cancel();
  for (const CallPtr& call : std::exchange(waiting_, {})) {
    if (!call->ended()) connection.Submit(*call, call->kept_method());
  }
}

void ChannelImpl::OnRetired(ClientConnection& connection) {
  if (connection_.get() != &connection || !connection.ready()) return;
  retired_.push_back(std::exchange(connection_, nullptr));
}

void ChannelImpl::OnLost(ClientConnection& connection, std::string_view reason) {
  if (connection_.get() != &connection) {
    std::erase_if(retired_, [&](const ConnectionPtr& c) { return c.get() == &connection; });
    return;
  }
  const ConnectionPtr lost = std::exchange(connection_, nullptr);
  connect_timer_.Cancel();
  if (lost->ready()) return;  // the next call opens another one
  absl::Status failure = MakeError(ErrorCode::kConnectionFailed,
                                   fmt::format("cannot connect to {}: {}", address_, reason));
  if (EventLoop::Now() < connect_deadline_) {
    failure.SetPayload(kNotUnderstoodPayload, absl::Cord());
  }
  OnConnectFailed(std::move(failure));
}

bool ChannelImpl::busy() const {
  return !waiting_.empty() || !retired_.empty() ||
         (connection_ != nullptr && connection_->has_streams());
}

void ChannelImpl::StopConnecting(std::string_view reason) {
  connect_timer_.Cancel();
  if (connector_ != nullptr) std::exchange(connector_, nullptr)->Cancel();
  FailWaiting(MakeError(ErrorCode::kConnectionFailed,
                        fmt::format("the channel to {} {}", address_, reason)));
}

void ChannelImpl::Drain() {
  StopConnecting("is being closed");
  if (connection_ == nullptr) return;
  if (connection_->ready()) return connection_->Leave();
  const ConnectionPtr connection = std::exchange(connection_, nullptr);
  connection->Disown();
  connection->Close("the channel is being closed");
}

void ChannelImpl::Close() {
  StopConnecting("was closed");
  std::vector<ConnectionPtr> connections = std::exchange(retired_, {});
  if (connection_ != nullptr) connections.push_back(std::exchange(connection_, nullptr));
  for (const ConnectionPtr& connection : connections) {
    connection->Disown();
    connection->Close("the channel was closed");
  }
}

}  // namespace engram::net::internal
