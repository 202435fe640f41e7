// The node's HTTP/1.1 side: answers GET and HEAD of a few fixed paths, such as /metrics.
//
// Owns one thread; pages are made on it, one at a time. It is apart from the requests' event loops,
// so that nobody who scrapes, or holds a connection open, takes time from requests. Bounded in
// connections, in the bytes of a request, and in the time from its first byte to the answer's last.
// Plain HTTP, nobody is authenticated: listen where only those reach it who may read it.
//
// Thread-safety: all methods on one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "engram/base/time.h"
#include "engram/net/acceptor.h"
#include "engram/net/event_loop.h"

namespace engram::server {

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 0;  // 0: any free one
  size_t connections_max = 64;
  // For one request and its answer; also how long a connection may stay without one.
  Duration request_limit = std::chrono::seconds(10);
};

class HttpServer {
 public:
  struct Page {
    std::string content_type;
    std::string body;
  };
  // Called on the server's thread; must not block for long.
  using MakePage = absl::AnyInvocable<Page()>;

  explicit HttpServer(HttpServerOptions options);
  // Stops.
  ~HttpServer();

  // REQUIRES: before Start().
  void AddPage(std::string path, MakePage make);

  // InvalidEndpoint if it cannot listen. REQUIRES: called at most once.
  [[nodiscard]] absl::Status Start();
  uint16_t port() const { return acceptor_->port(); }

  // Closes all connections, whatever they are at. A page that is being made is waited for.
  void Stop();

 private:
  class Session;
  friend class Session;

  std::string PagesText() const;

  const HttpServerOptions options_;
  std::map<std::string, MakePage, std::less<>> pages_;
  size_t connections_ = 0;  // on the loop
  net::EventLoopGroup loops_{1};
  std::shared_ptr<net::internal::Acceptor> acceptor_;
};

}  // namespace engram::server
