#include "engram/net/transport.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "engram/net/loop_io.h"

namespace engram::net::internal {
namespace {

// A peer that keeps sending gets this many receives per wake-up before the others of the loop have
// their turn.
constexpr int kReceivesMax = 4;
// What is first taken of a batch: its answers leave before the rest is looked at, so that this side
// and the peer work at the same time instead of in turns. (64 calls of 256 B in flight on one
// connection: 390,000/s instead of 225,000/s.) A body that is under way has no answer yet, and is
// then taken in large pieces.
constexpr size_t kFirstReceiveBytes = 8u << 10;

bool WouldBlock(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

std::string Describe(int error) { return std::generic_category().message(error); }

}  // namespace

Transport::Transport(EventLoop& loop, Socket socket, WhenBlocked when_blocked)
    : loop_(loop), socket_(std::move(socket)), when_blocked_(when_blocked) {
  boost::system::error_code ignored;  // a socket that died meanwhile says so when it is first read
  socket_.non_blocking(true, ignored);
  socket_.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
}

void Transport::Open() { AwaitReadable(); }

void Transport::AwaitReadable() {
  if (closed_ || reading_) return;
  if (blocked_ && when_blocked_ == WhenBlocked::kStopReading) return;
  reading_ = true;
  socket_.async_wait(Socket::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       self->reading_ = false;
                       if (!error) self->Receive();
                     });
}

void Transport::Receive() {
  uint8_t* buffer = loop_.io().receive_buffer();
  size_t wanted = kFirstReceiveBytes;
  for (int i = 0; i < kReceivesMax && !closed_; ++i) {
    const ssize_t n = ::recv(socket_.native_handle(), buffer, wanted, MSG_DONTWAIT);
    if (n == 0) return Close("the peer closed the connection");
    if (n < 0) {
      if (errno == EINTR) continue;
      if (WouldBlock(errno)) break;
      return Close(Describe(errno));
    }
    OnBytes(buffer, static_cast<size_t>(n));
    if (static_cast<size_t>(n) < wanted || flush_requested_) break;
    wanted = LoopIo::kReceiveBytes;
  }
  AwaitReadable();
}

void Transport::FlushSoon() {
  if (closed_ || flush_requested_ || blocked_) return;
  flush_requested_ = true;
  loop_.io().FlushSoon(shared_from_this());
}

void Transport::Flush() {
  flush_requested_ = false;
  if (closed_ || blocked_) return;
  std::string& out = loop_.io().output();
  const bool more = FillOutput(out);
  const size_t written = closed_ ? out.size() : Write(out, 0);
  if (written < out.size() && !closed_) {
    unsent_.clear();
    std::swap(unsent_, out);
    unsent_offset_ = written;
    return AwaitWritable();
  }
  out.clear();
  if (closed_) return;
  if (more) return FlushSoon();
  OnFlushed();
}

void Transport::AwaitWritable() {
  blocked_ = true;
  socket_.async_wait(Socket::wait_write,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       if (error || self->closed_) return;
                       self->unsent_offset_ = self->Write(self->unsent_, self->unsent_offset_);
                       if (self->closed_) return;
                       if (self->unsent_offset_ < self->unsent_.size())
                         return self->AwaitWritable();
                       std::string().swap(self->unsent_);
                       self->blocked_ = false;
                       self->FlushSoon();
                       self->AwaitReadable();
                     });
}

size_t Transport::Write(const std::string& bytes, size_t offset) {
  while (offset < bytes.size()) {
    const ssize_t n = ::send(socket_.native_handle(), bytes.data() + offset, bytes.size() - offset,
                             MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) {
      offset += static_cast<size_t>(n);
    } else if (WouldBlock(errno)) {
      break;
    } else if (errno != EINTR) {
      Close(Describe(errno));
      break;
    }
  }
  return offset;
}

void Transport::Close(std::string_view reason) {
  if (closed_) return;
  closed_ = true;
  boost::system::error_code ignored;
  socket_.close(ignored);
  // Whoever hears of the end may drop the last outside reference.
  std::shared_ptr<Transport> self = shared_from_this();
  OnClosed(reason);
}

}  // namespace engram::net::internal
