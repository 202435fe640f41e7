#include "support/switched_network.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "support/nft.h"

namespace engram::testing {
namespace {

constexpr char kIp[] = "/usr/sbin/ip";
constexpr char kPrefix[] = "10.77.0";
constexpr int kOwnNumber = 254;

// No IPv6, whose neighbours would greet each other: an idle host is silent.
constexpr char kSwitch[] = R"(
link add switch type bridge forward_delay 0 mcast_snooping 0
link set switch addrgenmode none
address add {}.{}/24 dev switch
link set switch up
)";
constexpr char kHost[] = R"(
link add eth0 type veth peer name port{} netns {}
link set eth0 addrgenmode none
address add {}/24 dev eth0
link set eth0 up
)";
constexpr char kPort[] = R"(
link set port{0} addrgenmode none
link set port{0} master switch
link set port{0} up
)";

// In the network namespace of the calling thread, line by line.
absl::Status RunIp(const std::string& lines) {
  if (access(kIp, X_OK) != 0) {
    return absl::FailedPreconditionError(fmt::format("{}: {}", kIp, std::strerror(errno)));
  }
  const CommandResult result = RunCommand({kIp, "-batch", "-"}, lines);
  if (result.exit_code == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("ip exits {}: {}", result.exit_code, result.err));
}

}  // namespace

absl::StatusOr<std::unique_ptr<SwitchedNetwork>> SwitchedNetwork::Create(int hosts) {
  absl::StatusOr<NetworkNamespace> own = NetworkNamespace::Create();
  if (!own.ok()) return own.status();
  auto network = std::unique_ptr<SwitchedNetwork>(new SwitchedNetwork(*std::move(own)));
  absl::Status status = RunIp(fmt::format(kSwitch, kPrefix, kOwnNumber));
  if (status.ok()) status = RunNft(SwitchRules::Initial());
  for (int i = 0; i < hosts && status.ok(); ++i) status = network->AddHost();
  if (!status.ok()) return status;
  return network;
}

SwitchedNetwork::SwitchedNetwork(NetworkNamespace own)
    : rules_(kPrefix), switch_(std::move(own)), inside_(switch_) {}

absl::Status SwitchedNetwork::AddHost() {
  const int i = static_cast<int>(hosts_.size());
  absl::StatusOr<NetworkNamespace> host = NetworkNamespace::Create();
  if (!host.ok()) return host.status();
  hosts_.push_back(*std::move(host));
  {
    const InsideNamespace inside(hosts_.back());
    absl::Status status = RunIp(fmt::format(kHost, i, switch_.Path(), Address(i)));
    if (!status.ok()) return status;
  }
  return RunIp(fmt::format(kPort, i));
}

std::unique_ptr<Process> SwitchedNetwork::Start(int host, const std::vector<std::string>& argv,
                                                const std::filesystem::path& log) const {
  const InsideNamespace inside(this->host(host));
  return std::make_unique<Process>(argv, log);
}

void SwitchedNetwork::Change(const std::string& rules) {
  const absl::Status status = RunNft(rules);
  ASSERT_TRUE(status.ok()) << status;
}

void SwitchedNetwork::Cut(const Hosts& some, const Hosts& others) {
  Change(rules_.Cut(some, others) + "\n" + rules_.Cut(others, some));
}

void SwitchedNetwork::CutOneWay(const Hosts& from, const Hosts& to) {
  Change(rules_.Cut(from, to));
}

void SwitchedNetwork::Heal() { Change(SwitchRules::Heal()); }

SwitchTraffic SwitchedNetwork::Traffic() const {
  const absl::StatusOr<std::string> listed = ListNft(SwitchRules::kTable);
  EXPECT_TRUE(listed.ok()) << listed.status();
  return listed.ok() ? rules_.Parse(*listed) : SwitchTraffic();
}

// Its port's, seen from the other end: name, then 8 numbers of what was received and sent each,
// bytes first.
SwitchedNetwork::DeviceBytes SwitchedNetwork::DeviceBytesOf(int host) const {
  std::ifstream devices("/proc/thread-self/net/dev");
  for (std::string line; std::getline(devices, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (name != fmt::format("port{}:", host)) continue;
    DeviceBytes bytes;
    uint64_t unused = 0;
    words >> bytes.sent;
    for (int i = 1; i < 8; ++i) words >> unused;
    words >> bytes.received;
    return bytes;
  }
  ADD_FAILURE() << "there is no host " << host;
  return {};
}

}  // namespace engram::testing
