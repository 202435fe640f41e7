// What every copy of every space holds, read from the holders themselves once a cluster has healed
// and nobody writes.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "chaos/asker.h"
#include "chaos/recorder.h"
#include "support/cluster.h"
#include "support/history.h"
#include "support/test_hooks.h"

namespace engram::testing {

struct Copies {
  std::vector<Copy> copies;
  std::vector<Held> held;
};

// The holders of each space, by the newest assignment that any node knows, have the same content,
// byte by byte, and the same log, and nothing waits to be merged. If not, an error that says what
// each holder of such a space has.
absl::Status CheckCopiesEqual(const TestCluster& cluster, TestHooks& hooks,
                              const std::vector<SpaceId>& spaces);

// By the newest assignment that any node knows. An error if a holder does not answer from its own
// copy. Flags are no error: a replica says by them how far it may be behind.
absl::StatusOr<Copies> ReadCopies(const TestCluster& cluster, Asker& asker, const MemoryIds& ids);

}  // namespace engram::testing
