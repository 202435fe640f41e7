#include "support/tcp_sockets.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

namespace engram::testing {
namespace {

// The kernel's numbers of states.
constexpr unsigned kEstablished = 1;

constexpr unsigned kSynReceived = 3;
constexpr unsigned kListen = 10;

// The address as the kernel keeps it, in the network's byte order.
std::string AddressOf(unsigned address, unsigned port) {
  const in_addr in{address};
  char text[INET_ADDRSTRLEN];
  inet_ntop(AF_INET, &in, text, sizeof(text));
  return fmt::format("{}:{}", text, port);
}

}  // namespace

std::vector<TcpSocket> OpenTcpSockets() {
  std::ifstream listed("/proc/thread-self/net/tcp");
  EXPECT_TRUE(listed.is_open());
  std::vector<TcpSocket> sockets;
  std::string line;
  std::getline(listed, line);  // the heading
  while (std::getline(listed, line)) {
    unsigned local = 0, local_port = 0, remote = 0, remote_port = 0, state = 0, unacknowledged = 0;
    const int read = std::sscanf(line.c_str(), " %*d: %8x:%4x %8x:%4x %2x %8x:", &local,
                                 &local_port, &remote, &remote_port, &state, &unacknowledged);
    EXPECT_EQ(read, 6) << line;
    if (state != kListen && (state < kEstablished || state > kSynReceived)) continue;
    sockets.push_back({AddressOf(local, local_port), AddressOf(remote, remote_port),
                       state == kListen, state == kEstablished ? unacknowledged : 0});
  }
  return sockets;
}

}  // namespace engram::testing
