// Where everything is in the database (DESIGN §4). Names hold no NUL, so a name ended by NUL is a
// prefix that no other name shares.
//
//   memories  space NUL id                              -> MemoryRecord, tombstones included
//   terms     space NUL id                              -> IndexEntry
//   links     space NUL from NUL to                     -> LinkRecords
//   vectors   space NUL id                              -> embedding
//   log       space NUL epoch primary NUL sequence      -> LogEntry
//   requests  space NUL request-id line                 -> RequestRecord
//   outbox    space NUL clock clock-counter epoch primary NUL sequence -> LogEntry
//   tombstones  space NUL id                            -> nothing: the memory has a tombstone
//   cluster   "format"                                  -> FormatVersion
//   cluster   "identity"                                -> Identity
//   cluster   "space" NUL space                         -> SpaceRecord
//   cluster   "log" NUL space                           -> SpaceLog
//
// An outbox is in the order of the hybrid logical clock, so what a change has seen comes before it.
//
// Numbers are 8 bytes, big-endian; a request id is 16, the oldest first.
//
// Pure and thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engram/base/strong_id.h"
#include "engram/base/ulid.h"
#include "engram/base/version.h"
#include "engram/memory/types.h"

namespace engram::memory {

inline constexpr std::string_view kFormatKey = "format";
inline constexpr std::string_view kIdentityKey = "identity";
inline constexpr std::string_view kSpaceRecordPrefix{"space\0", 6};
inline constexpr std::string_view kSpaceLogPrefix{"log\0", 4};

std::string SpacePrefix(std::string_view space);
// Also of terms, vectors and tombstones.
std::string MemoryKey(const SpaceId& space, const MemoryId& id);
std::string LinksPrefix(const SpaceId& space, const MemoryId& from);
std::string LinkKey(const SpaceId& space, const MemoryId& from, const MemoryId& to);
std::string LogKey(const SpaceId& space, const Version& version);
// Of a LogKey of that space; nullopt if it is none.
std::optional<Version> PositionOf(const SpaceId& space, std::string_view log_key);
std::string OutboxKey(const SpaceId& space, const Revision& revision);
std::string RequestKey(const SpaceId& space, const WriteIdentity& identity);
// Before every request id of that time and later, after all earlier ones.
std::string RequestTimeKey(const SpaceId& space, WallMillis time);
std::string SpaceRecordKey(const SpaceId& space);
std::string SpaceLogKey(const SpaceId& space);

}  // namespace engram::memory
