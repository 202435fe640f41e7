// The TCP connections of the network namespace in which the calling thread is, as the kernel lists
// them. IPv4 only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace engram::testing {

struct TcpSocket {
  std::string local;  // address:port
  std::string remote;
  bool listening = false;
  // What was written into it and has not been acknowledged by the other side. While nothing gets
  // there this grows with each message, whether or not TCP has tried to send it.
  uint64_t unacknowledged_bytes = 0;
};

// Those that are neither closed nor closing.
std::vector<TcpSocket> OpenTcpSockets();

}  // namespace engram::testing
