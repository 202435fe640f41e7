// A network of one's own for a test that breaks it: a network namespace whose only device is
// loopback. What the calling thread starts meanwhile (processes, threads, sockets) lives in it, and
// so do the rules; it vanishes with the last of them, however the test ends.
//
// Used on one thread; made before and destroyed after everything that shall live in it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "support/network_namespace.h"

namespace engram::testing {

class PrivateNetwork {
 public:
  // An error, which says what is missing, where namespaces or nft are not to be had (it takes
  // root).
  static absl::StatusOr<std::unique_ptr<PrivateNetwork>> Create();
  // From now on packets to and from the TCP port vanish, connections that are open included.
  void BlackHole(int port);
  // From now on each TCP packet to and from the address vanishes with this probability, apart from
  // all others. Replaces what was set before; 0: none.
  void Lose(int percent, const std::string& address);
  // Packets that vanished so, since the last call of Lose().
  uint64_t Dropped() const;

 private:
  explicit PrivateNetwork(NetworkNamespace own) : own_(std::move(own)), inside_(own_) {}

  const NetworkNamespace own_;
  const InsideNamespace inside_;  // until this object goes
};

}  // namespace engram::testing
