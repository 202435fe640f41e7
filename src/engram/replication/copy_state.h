// What a holder has of a space, and so what its promises and answers are worth (docs/model,
// decision 3).
#pragma once

#include <cstdint>

namespace engram::replication {

// As stored: the values are never changed.
enum class CopyState : uint8_t {
  kComplete = 0,
  // It takes over another holder's copy, having lost its disk, and with it what it had promised and
  // confirmed.
  kForgetful = 1,
  // It takes over another holder's copy, having been too far behind; and knows how far it was.
  kBehind = 2,
};

}  // namespace engram::replication
