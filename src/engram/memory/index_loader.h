// Reads one space's index out of the database.
#pragma once

#include "absl/status/status.h"
#include "engram/memory/space_index.h"
#include "engram/storage/database.h"

namespace engram::memory {

// One sequential scan of the space's terms, vectors and links, as of now. `index` must be empty.
// Takes about a second per 200,000 memories of 200 bytes.
[[nodiscard]] absl::Status LoadIndex(const storage::Database& database, const SpaceId& space,
                                     SpaceIndex& index);

}  // namespace engram::memory
