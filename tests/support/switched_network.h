// Several hosts and a switch between them, for tests that break the network between real
// processes. Each host is a network namespace with loopback and one device, which has an address of
// its own; the switch is one too, and the calling thread is in it: the test reaches every host, and
// no cut is between them. Outside of these namespaces nothing is made, and all of it vanishes with
// the last process inside, however the test ends.
//
// A cut drops packets on their way, as a router does that fails: nobody is told. Connections that
// are open stay open and send again.
//
// Used on one thread; made before and destroyed after everything that shall live in it. Threads
// that are begun meanwhile reach all hosts, too.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "support/network_namespace.h"
#include "support/process.h"
#include "support/switch_traffic.h"

namespace engram::testing {

class SwitchedNetwork {
 public:
  static constexpr int kHostsMax = 100;

  // An error, which says what is missing, where namespaces, ip or nft are not to be had (it takes
  // root). REQUIRES: 1 <= hosts <= kHostsMax.
  static absl::StatusOr<std::unique_ptr<SwitchedNetwork>> Create(int hosts);
  SwitchedNetwork(const SwitchedNetwork&) = delete;
  SwitchedNetwork& operator=(const SwitchedNetwork&) = delete;

  // Of IPv4. Hosts are counted from 0.
  std::string Address(int host) const { return rules_.Address(host); }

  // What the calling thread begins while it is inside belongs to the host.
  const NetworkNamespace& host(int i) const { return hosts_[static_cast<size_t>(i)]; }
  // In which the test itself is.
  const NetworkNamespace& own() const { return switch_; }
  // A process on that host.
  std::unique_ptr<Process> Start(int host, const std::vector<std::string>& argv,
                                 const std::filesystem::path& log) const;

  // From now on nothing goes between the ones and the others, or from the ones to the others.
  // Adds to what is cut already.
  void Cut(const Hosts& some, const Hosts& others);
  void CutOneWay(const Hosts& from, const Hosts& to);
  // Nothing is cut any more.
  void Heal();

  SwitchTraffic Traffic() const;
  // What the host has sent and received through its device: whole Ethernet frames, those to and
  // from the test included.
  struct DeviceBytes {
    uint64_t sent = 0;
    uint64_t received = 0;
  };
  DeviceBytes DeviceBytesOf(int host) const;

 private:
  explicit SwitchedNetwork(NetworkNamespace own);
  absl::Status AddHost();
  void Change(const std::string& rules);

  const SwitchRules rules_;
  const NetworkNamespace switch_;
  const InsideNamespace inside_;  // until this object goes
  std::vector<NetworkNamespace> hosts_;
};

}  // namespace engram::testing
