// Whether two copies of a space are equal, as one number: for tests and for operators.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "engram/memory/types.h"
#include "engram/storage/database.h"

namespace engram::memory {

// XXH3 of 128 bits over every key and value of memories, terms, links, vectors and remembered
// requests of the space, as of one moment. Requests before `requests_from` are left out, since each
// holder forgets them in its own time. Log and outbox are not in it: they say how a copy came to
// be. Reads all of the space: about a second for each 500 MB. Thread-safe.
absl::StatusOr<SpaceDigest> DigestOf(const storage::Database& database, const SpaceId& space,
                                     WallMillis requests_from);

}  // namespace engram::memory
