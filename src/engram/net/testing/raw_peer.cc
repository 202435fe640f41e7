#include "engram/net/testing/raw_peer.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>

namespace engram::net::testing {
namespace {

constexpr size_t kFrameHeadBytes = 9;

void AppendNumber(std::string& out, uint32_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
}

uint32_t NumberAt(const std::string& bytes, size_t at, size_t size) {
  uint32_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

// HPACK's integer with a prefix of 7 bits.
void AppendLength(std::string& out, size_t length) {
  constexpr size_t kPrefixMax = 127;
  if (length < kPrefixMax) {
    out += static_cast<char>(length);
    return;
  }
  out += static_cast<char>(kPrefixMax);
  for (length -= kPrefixMax; length >= 128; length >>= 7) out += static_cast<char>(length | 128);
  out += static_cast<char>(length);
}

}  // namespace

std::string Encode(const Frame& frame) {
  std::string out;
  AppendNumber(out, static_cast<uint32_t>(frame.payload.size()), 3);
  out += static_cast<char>(frame.type);
  out += static_cast<char>(frame.flags);
  AppendNumber(out, frame.stream, 4);
  return out + frame.payload;
}

std::string EncodeHeader(std::string_view name, std::string_view value) {
  std::string out(1, '\0');
  AppendLength(out, name.size());
  out += name;
  AppendLength(out, value.size());
  out += value;
  return out;
}

Frame RequestHeaders(uint32_t stream, std::string_view method, std::string_view content_type) {
  return {kHeaders, kEndHeaders, stream,
          EncodeHeader(":method", "POST") + EncodeHeader(":scheme", "http") +
              EncodeHeader(":path", method) + EncodeHeader(":authority", "test") +
              EncodeHeader("content-type", content_type) + EncodeHeader("te", "trailers")};
}

RawPeer::RawPeer(uint16_t port) : RawPeer(Accepted{::socket(AF_INET, SOCK_STREAM, 0)}) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) std::abort();
}

RawPeer::RawPeer(Accepted accepted) : socket_(accepted.socket) {
  const timeval patience{20, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

RawPeer::~RawPeer() {
  if (socket_ >= 0) ::close(socket_);
}

bool RawPeer::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

size_t RawPeer::SendSome(std::string_view bytes) {
  const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return n > 0 ? static_cast<size_t>(n) : 0;
}

bool RawPeer::Writable() const {
  pollfd writable{socket_, POLLOUT, 0};
  return ::poll(&writable, 1, 0) == 1;
}

void RawPeer::Begin() {
  Send(kPreface);
  Send(Frame{kSettings, 0, 0, ""});
}

bool RawPeer::Fill(size_t bytes) {
  char buffer[4096];
  while (received_.size() < bytes) {
    const ssize_t n = ::recv(socket_, buffer, sizeof(buffer), 0);
    if (n <= 0) return false;
    received_.append(buffer, static_cast<size_t>(n));
  }
  return true;
}

std::optional<Frame> RawPeer::Receive() {
  if (!Fill(kFrameHeadBytes)) return std::nullopt;
  const size_t length = NumberAt(received_, 0, 3);
  if (!Fill(kFrameHeadBytes + length)) return std::nullopt;
  Frame frame{static_cast<uint8_t>(received_[3]), static_cast<uint8_t>(received_[4]),
              NumberAt(received_, 5, 4), received_.substr(kFrameHeadBytes, length)};
  received_.erase(0, kFrameHeadBytes + length);
  return frame;
}

std::optional<Frame> RawPeer::ReceiveType(uint8_t type) {
  for (;;) {
    std::optional<Frame> frame = Receive();
    if (!frame.has_value() || frame->type == type) return frame;
  }
}

bool RawPeer::SeesEnd() {
  char buffer[4096];
  for (;;) {
    const ssize_t n = ::recv(socket_, buffer, sizeof(buffer), 0);
    if (n > 0) continue;
    return n == 0 || errno == ECONNRESET;
  }
}

RawListener::RawListener() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) std::abort();
  if (::listen(socket_, SOMAXCONN) != 0) std::abort();
}

RawListener::~RawListener() { ::close(socket_); }

uint16_t RawListener::port() const {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

RawPeer RawListener::Accept() {
  RawPeer peer(RawPeer::Accepted{::accept(socket_, nullptr, nullptr)});
  char preface[kPreface.size()];
  ::recv(peer.socket_, preface, sizeof(preface), MSG_WAITALL);
  peer.Send(Frame{kSettings, 0, 0, ""});
  return peer;
}

}  // namespace engram::net::testing
