// Holds many connections to a server on 127.0.0.1 that do nothing, until its standard input ends.
//
// Usage: net_idle_peers PORT COUNT; prints a line when all have exchanged settings.
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "engram/net/testing/raw_peer.h"

namespace engram::net::testing {
namespace {

// Without it the process ends with an error at the first connection too many.
void AllowDescriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

bool Settle(RawPeer& peer) {
  constexpr uint8_t kAck = 1;
  peer.Begin();
  if (!peer.ReceiveType(kSettings).has_value()) return false;
  peer.Send(Frame{kSettings, kAck, 0, ""});
  return peer.ReceiveType(kSettings).has_value();
}

int Run(uint16_t port, size_t count) {
  AllowDescriptors();
  std::vector<RawPeer> peers;
  peers.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    if (!Settle(peers.emplace_back(port))) return 1;
  }
  std::puts("settled");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return 0;
}

}  // namespace
}  // namespace engram::net::testing

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  return engram::net::testing::Run(static_cast<uint16_t>(std::atoi(argv[1])),
                                   static_cast<size_t>(std::atol(argv[2])));
}
