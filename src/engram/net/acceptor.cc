#include "engram/net/acceptor.h"

#include <fmt/format.h>

#include <utility>

#include "engram/base/error.h"

namespace engram::net::internal {
namespace {

using Tcp = boost::asio::ip::tcp;

// Out of descriptors: others must close theirs first.
constexpr Duration kRetryDelay = std::chrono::milliseconds(100);

absl::Status CannotListen(const std::string& host, uint16_t port,
                          const boost::system::error_code& error) {
  if (error == boost::asio::error::address_in_use) {
    return MakeError(ErrorCode::kInvalidEndpoint,
                     fmt::format("address {}:{} is in use by another process", host, port));
  }
  return MakeError(ErrorCode::kInvalidEndpoint,
                   fmt::format("cannot listen on {}:{}: {}", host, port, error.message()));
}

}  // namespace

Acceptor::Acceptor(EventLoopGroup& loops, Accepted accepted)
    : loops_(loops), accepted_(std::move(accepted)), acceptor_(loops.at(0).context()) {}

absl::Status Acceptor::Listen(const std::string& host, uint16_t port) {
  boost::system::error_code error;
  Tcp::resolver resolver(loops_.at(0).context());
  const auto found = resolver.resolve(host, std::to_string(port), Tcp::resolver::passive, error);
  if (error) return CannotListen(host, port, error);
  const Tcp::endpoint endpoint = *found.begin();
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(Tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(Tcp::acceptor::max_listen_connections, error);
  if (error) {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    return CannotListen(host, port, error);
  }
  port_ = acceptor_.local_endpoint(error).port();
  return absl::OkStatus();
}

void Acceptor::Accept() {
  if (closed_) return;
  const size_t index = next_loop_++ % loops_.size();
  acceptor_.async_accept(
      loops_.at(index).context(),
      [self = shared_from_this(), index](const boost::system::error_code& error, Socket socket) {
        if (self->closed_) return;
        if (error) return self->AcceptAgainLater();
        self->accepted_(index, std::move(socket));
        self->Accept();
      });
}

void Acceptor::AcceptAgainLater() {
  retry_.emplace(loops_.at(0));
  retry_->RunAt(EventLoop::Now() + kRetryDelay, [this] { Accept(); });
}

void Acceptor::Close() {
  closed_ = true;
  retry_.reset();
  boost::system::error_code ignored;
  acceptor_.close(ignored);
}

}  // namespace engram::net::internal
