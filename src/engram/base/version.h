// Epochs and versions: the one order in which everything about a space happened (SPEC §1).
#pragma once

#include <compare>
#include <cstdint>

#include "engram/base/strong_id.h"

namespace engram {

// The reign of one primary over one space. Raised only with promises from a majority of the space's
// holders; the primary's id is part of it, so two primaries never share an epoch. The default is
// older than every real epoch.
struct Epoch {
  uint64_t counter = 0;
  NodeId primary;

  friend bool operator==(const Epoch&, const Epoch&) = default;
  friend std::strong_ordering operator<=>(const Epoch&, const Epoch&) = default;
};

// The place of a change in the log of a space: epoch first, then sequence within it.
struct Version {
  Epoch epoch;
  uint64_t sequence = 0;

  friend bool operator==(const Version&, const Version&) = default;
  friend std::strong_ordering operator<=>(const Version&, const Version&) = default;
};

}  // namespace engram
