#include "support/private_network.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "support/process.h"

namespace engram::testing {
namespace {

constexpr char kNft[] = "/usr/sbin/nft";
constexpr std::string_view kChain =
    "add table inet engram; "
    "add chain inet engram in { type filter hook input priority 0; }; ";

absl::Status Missing(std::string_view what) {
  return absl::FailedPreconditionError(fmt::format("{}: {}", what, std::strerror(errno)));
}

absl::Status Nft(const std::string& rules) {
  const CommandResult result = RunCommand({kNft, rules});
  if (result.exit_code == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("nft exits {}: {}", result.exit_code, result.err));
}

// A new namespace's loopback is down.
bool RaiseLoopback() {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strncpy(request.ifr_name, "lo", sizeof(request.ifr_name) - 1);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  const bool raised = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
  close(fd);
  return raised;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PrivateNetwork>> PrivateNetwork::Create() {
  if (access(kNft, X_OK) != 0) return Missing(kNft);
  const int outside = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (outside < 0) return Missing("/proc/thread-self/ns/net");
  if (unshare(CLONE_NEWNET) != 0) {
    absl::Status status = Missing("a network namespace");
    close(outside);
    return status;
  }
  auto network = std::unique_ptr<PrivateNetwork>(new PrivateNetwork(outside));
  if (!RaiseLoopback()) return Missing("loopback");
  if (absl::Status status = Nft(std::string(kChain)); !status.ok()) return status;
  return network;
}

PrivateNetwork::~PrivateNetwork() {
  EXPECT_EQ(setns(outside_, CLONE_NEWNET), 0) << std::strerror(errno);
  close(outside_);
}

void PrivateNetwork::Lose(int percent, const std::string& address) {
  std::string rules = "flush chain inet engram in";
  for (const char* end : {"daddr", "saddr"}) {
    rules += fmt::format(
        "; add rule inet engram in meta l4proto tcp ip {} {} numgen random mod 100 < {} counter "
        "drop",
        end, address, percent);
  }
  const absl::Status status = Nft(percent == 0 ? "flush chain inet engram in" : rules);
  ASSERT_TRUE(status.ok()) << status;
}

uint64_t PrivateNetwork::Dropped() const {
  constexpr std::string_view kCounter = "counter packets ";
  const std::string listed = RunCommand({kNft, "list chain inet engram in"}).out;
  uint64_t sum = 0;
  for (size_t at = 0; (at = listed.find(kCounter, at)) != std::string::npos;) {
    at += kCounter.size();
    sum += std::strtoull(listed.c_str() + at, nullptr, 10);
  }
  return sum;
}

void PrivateNetwork::BlackHole(int port) {
  const absl::Status status =
      Nft(fmt::format("add rule inet engram in tcp dport {0} counter drop; "
                      "add rule inet engram in tcp sport {0} counter drop",
                      port));
  ASSERT_TRUE(status.ok()) << status;
}

}  // namespace engram::testing
