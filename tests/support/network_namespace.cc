#include "support/network_namespace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace engram::testing {
namespace {

constexpr char kCurrent[] = "/proc/thread-self/ns/net";

absl::Status Missing(std::string_view what) {
  return absl::FailedPreconditionError(fmt::format("{}: {}", what, std::strerror(errno)));
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

absl::StatusOr<NetworkNamespace> NetworkNamespace::Current() {
  const int fd = open(kCurrent, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Missing(kCurrent);
  return NetworkNamespace(fd);
}

absl::StatusOr<NetworkNamespace> NetworkNamespace::Create() {
  absl::StatusOr<NetworkNamespace> outside = Current();
  if (!outside.ok()) return outside;
  if (unshare(CLONE_NEWNET) != 0) return Missing("a network namespace");
  absl::StatusOr<NetworkNamespace> made = Current();
  if (made.ok() && !RaiseLoopback()) made = Missing("loopback");
  outside->Enter();
  return made;
}

NetworkNamespace::NetworkNamespace(NetworkNamespace&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)) {}

NetworkNamespace::~NetworkNamespace() {
  if (fd_ >= 0) close(fd_);
}

void NetworkNamespace::Enter() const {
  EXPECT_EQ(setns(fd_, CLONE_NEWNET), 0) << std::strerror(errno);
}

std::string NetworkNamespace::Path() const { return fmt::format("/proc/{}/fd/{}", getpid(), fd_); }

InsideNamespace::InsideNamespace(const NetworkNamespace& inside)
    : outside_(*NetworkNamespace::Current()) {
  inside.Enter();
}

InsideNamespace::~InsideNamespace() { outside_.Enter(); }

}  // namespace engram::testing
