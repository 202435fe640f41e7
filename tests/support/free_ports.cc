#include "support/free_ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <random>
#include <string>

namespace engram::testing {
namespace {

constexpr int kLowest = 10'000;
constexpr int kHighest = 60'000;
// What `engram up` gives to one node; ports are handed out in such blocks.
constexpr int kBlock = 10;
constexpr int kBlocksOfACluster = 5;

// The first port of the kernel's range for outgoing connections, if there is room below it.
int End() {
  int first = 0;
  std::ifstream("/proc/sys/net/ipv4/ip_local_port_range") >> first;
  return first > kLowest + 1'000 ? std::min(first, kHighest) : kHighest;
}

// A name in the abstract socket namespace, held until this process ends; false if another process
// holds it. It leaves no file behind, however the process ends.
bool Reserve(int port) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string name = "engram-test-port-" + std::to_string(port);
  name.copy(address.sun_path + 1, name.size());
  auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0) return true;
  close(fd);
  return false;
}

bool Unused(int port, int type = SOCK_STREAM) {
  int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bool unused = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return unused;
}

// The first port of `blocks` blocks, all of them free and reserved.
int TakeBlocks(int blocks) {
  static std::mt19937 random{std::random_device{}()};
  std::uniform_int_distribution<int> first(kLowest / kBlock, End() / kBlock - blocks);
  for (;;) {
    int base = first(random) * kBlock;
    bool taken = true;
    for (int port = base; taken && port < base + blocks * kBlock; port += kBlock) {
      taken = Reserve(port) && Unused(port) && Unused(port + 1) && Unused(port + 2, SOCK_DGRAM);
    }
    if (taken) return base;
  }
}

}  // namespace

std::vector<int> FreePorts(int count) {
  std::vector<int> ports(static_cast<size_t>(count));
  std::generate(ports.begin(), ports.end(), [] { return TakeBlocks(1); });
  return ports;
}

int FreeBasePort() { return TakeBlocks(kBlocksOfACluster); }

}  // namespace engram::testing
