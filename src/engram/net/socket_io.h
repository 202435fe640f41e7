// A connected TCP socket as the protocol above it sees it: bytes in and out, as they are or through
// TLS. Never blocks.
//
// Owned by a Transport. Loop thread only.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "engram/net/io_result.h"
#include "engram/net/tls_session.h"

namespace engram::net::internal {

using Socket = boost::asio::ip::tcp::socket;

class SocketIo {
 public:
  // Plain if `tls` is null. `host` is what a channel has dialled.
  SocketIo(Socket socket, TlsContext* tls, const std::string& host);

  IoResult Read(uint8_t* out, size_t size);
  IoResult Write(std::string_view bytes);
  // True: Read() may give something without the socket becoming readable.
  bool HasBuffered() const { return tls_ != nullptr && tls_->HasBuffered(); }
  bool Handshaking() const { return tls_ != nullptr && !tls_->established(); }
  void Close();

  // Why the last Read() or Write() failed.
  std::string Failure() const;

  Socket& socket() { return socket_; }

 private:
  IoResult Judge(ssize_t n, IoResult::State when_blocked);

  Socket socket_;
  std::unique_ptr<TlsSession> tls_;
  int error_ = 0;
};

}  // namespace engram::net::internal
