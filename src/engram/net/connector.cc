#include "engram/net/connector.h"

#include <fmt/format.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "engram/base/error.h"

namespace engram::net::internal {

using Tcp = boost::asio::ip::tcp;

namespace {

// TCP lets a socket that dials a free port of its own host reach itself, when the kernel happens to
// give it that very port.
bool IsSelfConnected(const Socket& socket) {
  boost::system::error_code local_error;
  boost::system::error_code remote_error;
  return socket.local_endpoint(local_error) == socket.remote_endpoint(remote_error) &&
         !local_error && !remote_error;
}

}  // namespace

Connector::Connector(EventLoop& loop, TimePoint deadline, Done done)
    : loop_(loop),
      deadline_(deadline),
      done_(std::move(done)),
      resolver_(loop.context()),
      timer_(loop) {}

std::shared_ptr<Connector> Connector::Start(EventLoop& loop, const Endpoint& endpoint,
                                            TimePoint deadline, Done done) {
  std::shared_ptr<Connector> connector(new Connector(loop, deadline, std::move(done)));
  connector->name_ = fmt::format("{}:{}", endpoint.host, endpoint.port);
  connector->Resolve(endpoint);
  return connector;
}

void Connector::Resolve(const Endpoint& endpoint) {
  boost::system::error_code error;
  const auto numeric = boost::asio::ip::make_address(endpoint.host, error);
  if (!error) {
    addresses_.emplace_back(numeric, endpoint.port);
    return boost::asio::post(loop_.context(), [self = shared_from_this()] { self->TryNext(""); });
  }
  timer_.RunAt(deadline_,
               [this] { Finish(absl::DeadlineExceededError("resolving took too long")); });
  resolver_.async_resolve(endpoint.host, std::to_string(endpoint.port),
                          [self = shared_from_this()](const boost::system::error_code& failure,
                                                      const Tcp::resolver::results_type& found) {
                            for (const auto& entry : found)
                              self->addresses_.push_back(entry.endpoint());
                            self->TryNext(failure.message());
                          });
}

void Connector::TryNext(const std::string& last_error) {
  if (!done_) return;
  if (next_ == addresses_.size()) return Finish(absl::UnavailableError(last_error));
  const TimePoint now = EventLoop::Now();
  const Duration left = deadline_ - now;
  if (left <= Duration::zero())
    return Finish(absl::DeadlineExceededError("connecting took too long"));
  const size_t attempt = next_++;
  const auto untried = static_cast<int64_t>(addresses_.size() - attempt);
  timer_.RunAt(now + left / untried, [this] {
    boost::system::error_code ignored;
    socket_->close(ignored);  // ends the connect with operation_aborted
  });
  socket_.emplace(loop_.context());
  socket_->async_connect(addresses_[attempt],
                         [self = shared_from_this()](const boost::system::error_code& error) {
                           self->OnConnectEnd(error);
                         });
}

void Connector::OnConnectEnd(const boost::system::error_code& error) {
  if (!done_) return;
  const bool self_connected = !error && IsSelfConnected(*socket_);
  if (!error && !self_connected) return Finish(*std::move(socket_));
  if (self_connected || error == boost::asio::error::connection_refused) ++refused_;
  if (self_connected) return TryNext("Connection refused");
  const bool timed_out = error == boost::asio::error::operation_aborted;
  TryNext(timed_out ? "connecting took too long" : error.message());
}

void Connector::Finish(absl::StatusOr<Socket> result) {
  if (!done_) return;
  timer_.Cancel();
  if (!result.ok()) result = Describe(result.status());
  std::exchange(done_, nullptr)(std::move(result));
}

absl::Status Connector::Describe(const absl::Status& failure) const {
  const std::string reason(failure.message());
  absl::Status status = MakeError(ErrorCode::kConnectionFailed,
                                  fmt::format("cannot connect to {}: {}", name_, reason));
  if (refused_ > 0 && refused_ == addresses_.size()) {
    status.SetPayload(kRefusedPayload, absl::Cord());
  }
  return status;
}

void Connector::Cancel() {
  done_ = nullptr;
  timer_.Cancel();
  resolver_.cancel();
  boost::system::error_code ignored;
  if (socket_.has_value()) socket_->close(ignored);
}

}  // namespace engram::net::internal
