#include "engram/net/socket_io.h"

#include <sys/socket.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "engram/net/event_loop.h"

namespace engram::net::internal {

SocketIo::SocketIo(Socket socket, TlsContext* tls, const std::string& host)
    : socket_(std::move(socket)) {
  boost::system::error_code ignored;  // a socket that died meanwhile says so when it is first read
  socket_.non_blocking(true, ignored);
  socket_.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
  if (tls != nullptr) {
    tls_ = std::make_unique<TlsSession>(*tls, socket_.native_handle(), host, EventLoop::Now());
  }
}

IoResult SocketIo::Read(uint8_t* out, size_t size) {
  if (tls_ != nullptr) return tls_->Read(out, size);
  const ssize_t n = ::recv(socket_.native_handle(), out, size, MSG_DONTWAIT);
  if (n == 0) return {IoResult::State::kEnd};
  return Judge(n, IoResult::State::kWantsReadable);
}

IoResult SocketIo::Write(std::string_view bytes) {
  if (tls_ != nullptr) return tls_->Write(bytes);
  const ssize_t n =
      ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  return Judge(n, IoResult::State::kWantsWritable);
}

IoResult SocketIo::Judge(ssize_t n, IoResult::State when_blocked) {
  if (n > 0) return {IoResult::State::kDone, static_cast<size_t>(n)};
  // Interrupted: the wait that follows ends at once.
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {when_blocked};
  error_ = errno;
  return {IoResult::State::kFailed};
}

std::string SocketIo::Failure() const {
  return tls_ != nullptr ? tls_->failure() : std::generic_category().message(error_);
}

void SocketIo::Close() {
  if (tls_ != nullptr && socket_.is_open()) tls_->Shutdown();
  boost::system::error_code ignored;
  socket_.close(ignored);
}

}  // namespace engram::net::internal
