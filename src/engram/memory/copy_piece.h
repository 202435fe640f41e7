// Pieces of the copy of a space, as holders give them to each other (replication::CopyPiece). An
// item is all that a copy has of one memory: its record, the embedding, the links, as they are
// stored; or a remembered request. Keys are those of the family without the space, behind a letter:
// memories come first.
//
// What is not in a piece follows from it: terms, totals, the index.
//
// Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "engram/memory/memory_state.h"
#include "engram/replication/log_port.h"
#include "engram/storage/database.h"

namespace engram::memory {

// What is read from: the database as of one moment, or what a batch will make of it.
struct CopySource {
  std::function<absl::StatusOr<std::optional<std::string>>(storage::Family, std::string_view)> get;
  std::function<std::unique_ptr<storage::Cursor>(storage::Family, std::string_view)> scan;
};
CopySource SourceOf(const storage::Database& database, const storage::Snapshot& snapshot);
CopySource SourceOf(const storage::Batch& batch);

// Without `logged`. As LogPort::ReadPiece.
absl::StatusOr<replication::CopyPiece> ReadPiece(const CopySource& source, const SpaceId& space,
                                                 const std::string& after, const std::string& until,
                                                 replication::LogPort::Part part,
                                                 const replication::ReadLimits& limits);

// The item of one memory; "" if the copy has nothing of it.
absl::StatusOr<std::string> ReadMemoryItem(const CopySource& source, const SpaceId& space,
                                           const MemoryId& id);

// An item, decoded. Each revision has its embedding.
struct MemoryItem {
  MemoryId id;
  MemoryState state;
};
struct RequestItem {
  std::string key;  // behind the space's prefix
  std::string value;
};
using CopyItem = std::variant<MemoryItem, RequestItem>;
absl::StatusOr<CopyItem> DecodeItem(std::string_view bytes);

// What the copy has in the piece's range.
struct CopyRange {
  std::vector<MemoryId> memories;
  std::vector<RequestItem> requests;
};
absl::StatusOr<CopyRange> ListRange(const CopySource& source, const SpaceId& space,
                                    const replication::CopyPiece& piece);

}  // namespace engram::memory
