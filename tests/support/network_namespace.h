// A network namespace of a test's own: devices, addresses, connections and packet filter of nobody
// else. It lives as long as this object, or a process, thread or socket that was begun inside, and
// vanishes with the last of them, however the test ends. It has no name, so nobody finds it
// outside.
//
// Used on one thread.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace engram::testing {

class NetworkNamespace {
 public:
  // A new one, whose only device is loopback; the calling thread stays where it is. It takes root;
  // the error says what is missing.
  static absl::StatusOr<NetworkNamespace> Create();
  // That in which the calling thread is.
  static absl::StatusOr<NetworkNamespace> Current();

  ~NetworkNamespace();
  NetworkNamespace(NetworkNamespace&& other) noexcept;
  NetworkNamespace& operator=(NetworkNamespace&&) = delete;

  // The calling thread is in it from now on. What is begun meanwhile (processes, threads, sockets)
  // stays in it.
  void Enter() const;
  // Under which other processes can open it, as long as this object lives.
  std::string Path() const;

 private:
  explicit NetworkNamespace(int fd) : fd_(fd) {}

  int fd_;
};

// The calling thread is inside for as long as this lives.
class InsideNamespace {
 public:
  explicit InsideNamespace(const NetworkNamespace& inside);
  ~InsideNamespace();
  InsideNamespace(const InsideNamespace&) = delete;
  InsideNamespace& operator=(const InsideNamespace&) = delete;

 private:
  const NetworkNamespace outside_;
};

}  // namespace engram::testing
