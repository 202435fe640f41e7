#include "support/private_network.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string_view>
#include <utility>

#include "support/nft.h"

namespace engram::testing {
namespace {

constexpr char kChain[] =
    "add table inet engram; "
    "add chain inet engram in { type filter hook input priority 0; }; ";

}  // namespace

absl::StatusOr<std::unique_ptr<PrivateNetwork>> PrivateNetwork::Create() {
  absl::StatusOr<NetworkNamespace> own = NetworkNamespace::Create();
  if (!own.ok()) return own.status();
  auto network = std::unique_ptr<PrivateNetwork>(new PrivateNetwork(*std::move(own)));
  if (absl::Status status = RunNft(kChain); !status.ok()) return status;
  return network;
}

void PrivateNetwork::Lose(int percent, const std::string& address) {
  std::string rules = "flush chain inet engram in";
  for (const char* end : {"daddr", "saddr"}) {
    rules += fmt::format(
        "; add rule inet engram in meta l4proto tcp ip {} {} numgen random mod 100 < {} counter "
        "drop",
        end, address, percent);
  }
  const absl::Status status = RunNft(percent == 0 ? "flush chain inet engram in" : rules);
  ASSERT_TRUE(status.ok()) << status;
}

uint64_t PrivateNetwork::Dropped() const {
  constexpr std::string_view kCounter = R"("counter": {"packets": )";
  const std::string listed = ListNft("chain inet engram in").value_or("");
  uint64_t sum = 0;
  for (size_t at = 0; (at = listed.find(kCounter, at)) != std::string::npos;) {
    at += kCounter.size();
    sum += std::strtoull(listed.c_str() + at, nullptr, 10);
  }
  return sum;
}

void PrivateNetwork::BlackHole(int port) {
  const absl::Status status =
      RunNft(fmt::format("add rule inet engram in tcp dport {0} counter drop; "
                         "add rule inet engram in tcp sport {0} counter drop",
                         port));
  ASSERT_TRUE(status.ok()) << status;
}

}  // namespace engram::testing
