// Private to the apply_*.cc: the steps that writes of clients share.
#pragma once

#include "engram/memory/apply.h"

namespace engram::memory::parts {

// The entry of a write, but for what the kind of write adds.
LogEntry MakeEntry(const WriteContext& context, LogOperation operation, MemoryId id,
                   const WriteIdentity& identity);

// Applies and logs the entry, and answers the write.
absl::StatusOr<WriteResult> Log(const WriteContext& context, MemoryDraft& memory, LogEntry& entry,
                                AnalyzedText* text);

}  // namespace engram::memory::parts
