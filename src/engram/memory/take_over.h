// A directory of an older format becomes one of this format, where reading the old values is not
// enough: tombstones were not counted, and not found without reading all memories.
#pragma once

#include "absl/status/status.h"
#include "engram/storage/database.h"

namespace engram::memory {

// Once, before anything else reads the spaces. Reads all memories; repeated after a crash, it comes
// to the same.
[[nodiscard]] absl::Status FindTombstones(storage::Database& database);

}  // namespace engram::memory
