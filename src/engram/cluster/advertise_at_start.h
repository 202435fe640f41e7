// The check of an advertised address that a node makes once, when it starts.
#pragma once

#include <span>
#include <string>

#include "absl/status/status.h"
#include "engram/cluster/advertise.h"

namespace engram::cluster {

// CheckAdvertised(), and for an address with a host name CheckAdvertisedName() with what the
// system's resolver makes of it: the one that other nodes ask when they dial. Blocks while it does,
// so not on an event loop. Thread-safe.
[[nodiscard]] absl::Status CheckAdvertisedAtStart(const Advertised& advertised,
                                                  std::span<const std::string> seeds);

}  // namespace engram::cluster
