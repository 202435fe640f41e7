// Stands in for a node that is dead in the worst way: it takes connections and requests of other
// nodes and answers none. It counts them.
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engram/net/server.h"

namespace engram::testing {

class SilentNode {
 public:
  // REQUIRES: nobody listens on the port of loopback.
  explicit SilentNode(int port);
  ~SilentNode();
  SilentNode(const SilentNode&) = delete;
  SilentNode& operator=(const SilentNode&) = delete;

  // Requests that came so far, but for questions who holds a space.
  uint64_t requests() const;
  // Those questions.
  uint64_t questions() const;

 private:
  void Take(uint64_t SilentNode::*count, net::ServerCall call);
  void ReadOn(const std::shared_ptr<net::ServerCall>& stream);

  mutable std::mutex mutex_;  // guards the next three
  uint64_t requests_ = 0;
  uint64_t questions_ = 0;
  std::vector<net::ServerCall> kept_;  // a call that is dropped is answered

  net::EventLoopGroup loops_{1};
  net::Server server_;
};

}  // namespace engram::testing
