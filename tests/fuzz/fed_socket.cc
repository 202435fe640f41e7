#include "fuzz/fed_socket.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace engram::fuzz {
namespace {

// So little that a connection whose peer never reads is blocked soon.
constexpr int kSendBufferBytes = 4096;

}  // namespace

FedSocket::FedSocket(net::EventLoop& loop, Reader reader) : loop_(loop), reader_(reader) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
  connection_end_ = ends[0];
  fuzzer_end_ = ends[1];
  if (reader_ == Reader::kNeverReads) {
    ::setsockopt(connection_end_, SOL_SOCKET, SO_SNDBUF, &kSendBufferBytes,
                 sizeof(kSendBufferBytes));
  }
}

FedSocket::~FedSocket() {
  if (connection_end_ >= 0) ::close(connection_end_);
  if (fuzzer_end_ >= 0) ::close(fuzzer_end_);
}

net::internal::SocketIo FedSocket::Take() {
  net::internal::Socket socket(loop_.context());
  socket.assign(boost::asio::ip::tcp::v4(), std::exchange(connection_end_, -1));
  return net::internal::SocketIo(std::move(socket), nullptr, "");
}

void FedSocket::Run() {
  while (loop_.RunReady() > 0) {
  }
}

bool FedSocket::FeedPiece(std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fuzzer_end_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(n));
    Run();
    char dropped[16384];
    while (reader_ == Reader::kReads &&
           ::recv(fuzzer_end_, dropped, sizeof(dropped), MSG_DONTWAIT) > 0) {
      Run();
    }
  }
  return true;
}

void FedSocket::Feed(std::span<const uint8_t> bytes, size_t piece) {
  Run();
  while (!bytes.empty()) {
    const size_t n = std::min(piece, bytes.size());
    if (!FeedPiece(bytes.first(n))) return;
    bytes = bytes.subspan(n);
  }
}

void FedSocket::Hangup() {
  ::close(std::exchange(fuzzer_end_, -1));
  Run();
}

}  // namespace engram::fuzz
