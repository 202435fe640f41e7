// Reads one memory as it is in the database. Thread-safe.
#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "engram/memory/types.h"
#include "engram/storage/database.h"

namespace engram::memory {

enum class WithEmbedding : uint8_t { kNo, kYes };

// nullopt if it does not exist or was forgotten. All parts are of one moment.
absl::StatusOr<std::optional<Memory>> ReadMemory(const storage::Database& database,
                                                 const SpaceId& space, const MemoryId& id,
                                                 WithEmbedding with_embedding);

}  // namespace engram::memory
