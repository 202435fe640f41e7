// Private to the apply_*.cc: the steps they share.
#pragma once

#include <optional>

#include "engram/memory/apply.h"

namespace engram::memory::parts {

// The memory's record, tombstones included; nullopt if there never was one.
absl::StatusOr<std::optional<MemoryRecord>> ReadRecord(const ApplyContext& context,
                                                       const MemoryId& id);

// NotFound unless the memory is alive.
absl::StatusOr<MemoryRecord> ReadAlive(const ApplyContext& context, const MemoryId& id);

// Deletes all outgoing links.
absl::Status RemoveLinks(const ApplyContext& context, const MemoryId& from);

// Takes a living memory out of the space's totals.
void Uncount(SpaceRecord& space, const MemoryRecord& memory);

void AppendLog(const ApplyContext& context, const LogEntry& entry);

}  // namespace engram::memory::parts
