// What a memory was when somebody read it, as 64 bits: a write that was planned on what was read
// carries them, and is refused if anything has been changed since (StoreCommand::if_state).
//
// Pure but for reading the database; thread-safe.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engram/memory/memory_state.h"
#include "engram/storage/database.h"

namespace engram::memory {

// Of all its elements: revisions, tombstones too, and links. Equal copies have equal ones.
uint64_t TagOf(const MemoryState& state);

// Of the memory in the database, which may be none.
absl::StatusOr<uint64_t> ReadStateTag(const storage::Database& database, const SpaceId& space,
                                      const MemoryId& id);

// The refusal, and whether a status is one.
absl::Status ChangedMeanwhile(const SpaceId& space, const MemoryId& id);
bool IsChangedMeanwhile(const absl::Status& status);

}  // namespace engram::memory
