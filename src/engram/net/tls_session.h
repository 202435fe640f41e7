// TLS on one connected socket: OpenSSL's session, which encrypts what is written to the socket and
// decrypts what is read from it. The handshake happens within the first reads and writes.
//
// Owned by the SocketIo of a connection; the socket outlives it. Loop thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "engram/net/io_result.h"
#include "engram/net/tls.h"

namespace engram::net::internal {

class TlsSession {
 public:
  // `host` is what a channel has dialled. `socket` is a non-blocking descriptor.
  TlsSession(TlsContext& context, int socket, const std::string& host, TimePoint now);

  IoResult Read(uint8_t* out, size_t size);
  IoResult Write(std::string_view bytes);
  // Received bytes that the next Read() may give without the socket becoming readable.
  bool HasBuffered() const;
  // The handshake is over.
  bool established() const { return established_; }
  // Tells the peer that nothing more will follow, if that can be done at once.
  void Shutdown();

  // Why the last Read() or Write() failed.
  const std::string& failure() const { return failure_; }

 private:
  using SessionPtr = std::unique_ptr<ssl_st, void (*)(ssl_st*)>;

  // Sets the name that the server's certificate must be for.
  void Expect(const std::string& name);
  // `done`: what SSL_read() or SSL_write() returned.
  IoResult Judge(int done, size_t bytes);
  IoResult Fail(std::string reason);
  std::string DescribeFailure() const;

  const TlsContext::Side side_;
  SessionPtr session_;
  bool established_ = false;
  bool failed_ = false;
  std::string failure_;
};

// The oldest of OpenSSL's errors on this thread, in words; forgets them all.
std::string TakeTlsError();

// Offers (channel) or demands (server) "h2".
void UseAlpn(ssl_ctx_st* context, TlsContext::Side side);

}  // namespace engram::net::internal
