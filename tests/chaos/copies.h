// What every copy of every space holds, read from the holders themselves once a cluster has healed
// and nobody writes.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "chaos/asker.h"
#include "chaos/recorder.h"
#include "support/cluster.h"
#include "support/history.h"

namespace engram::testing {

struct Copies {
  std::vector<Copy> copies;
  std::vector<Held> held;
};

// By the newest assignment that any node knows. An error if a holder does not answer, or not from
// its own copy, or flagged.
absl::StatusOr<Copies> ReadCopies(const TestCluster& cluster, Asker& asker, const MemoryIds& ids);

}  // namespace engram::testing
