// Many connections that have exchanged settings and do nothing more, in a process of their own: a
// process may open only so many files, and what the peers cost is not to count as the server's.
//
// For tests. Not thread-safe.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace engram::net::testing {

class IdlePeers {
 public:
  // Starts the program, which is asked to connect `count` times to 127.0.0.1.
  IdlePeers(const std::string& program, uint16_t port, size_t count);
  // Ends it, and with it all connections.
  ~IdlePeers();
  IdlePeers(const IdlePeers&) = delete;
  IdlePeers& operator=(const IdlePeers&) = delete;

  // Blocks until all connections have exchanged settings; false if they could not.
  bool AwaitSettled();

 private:
  pid_t pid_ = -1;
  int told_ = -1;  // read end: a byte when all have settled
  int end_ = -1;   // write end: closed to end the program
};

}  // namespace engram::net::testing
