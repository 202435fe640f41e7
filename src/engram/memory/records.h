// What is stored under the keys of keys.h, and its encoding. Every value starts with a byte that
// tells its format; an older format stays readable, a newer one is refused by the database's own
// format version when opening.
//
// Format 2 had no entries that collect tombstones, and did not count those (take_over.h).
// Format 1, before there were copies, had one writer: a change had seen all before it in its
// stream. It is read as that.
//
// Pure and thread-safe. Decoding a damaged value gives kStorageFailed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engram/memory/analyzer.h"
#include "engram/memory/memory_state.h"
#include "engram/memory/types.h"
#include "engram/replication/log_port.h"
#include "engram/replication/space_log.h"

namespace engram::memory {

// Raised when a value's format changes in a way that an older program would misread.
inline constexpr uint64_t kFormatVersion = 3;

// All revisions of one memory, as MemoryState has them. The embedding of the first one, if it is
// shown, is in the family vectors.
struct MemoryRecord {
  bool has_links = false;  // there may be values in the family links
  std::vector<RevisionRecord> revisions;
};

// What filters ask, and what every ranked memory needs, kept in memory per document.
struct Attributes {
  Kind kind = Kind::kEpisodic;
  double confidence = 1.0;
  WallMillis occurred_at{};
  std::vector<uint64_t> features;  // hashes of tags and metadata entries: memory/filter.h
};

// Everything the text index has to know of a memory, so that it is rebuilt without reading
// contents.
struct IndexEntry {
  AnalyzedText text;
  Attributes attributes;
};

struct SpaceRecord {
  Version last;        // of the last change
  Version assignment;  // of the change that created the space
  WallMillis clock{};  // the latest revision's hybrid logical clock
  uint32_t clock_counter = 0;
  uint64_t memories = 0;  // alive
  uint64_t vectors = 0;   // alive ones with an embedding
  uint64_t words = 0;     // in all alive memories
  uint32_t dimension = 0;
  // The earliest revision with an embedding, which fixed the dimension. It decides where two sides
  // of a split have fixed different ones, so that all copies come to the same.
  Revision dimension_by;
  uint64_t siblings = 0;    // of all memories together
  uint64_t tombstones = 0;  // likewise
  // Of the SpaceLog, what changes with every write: with `last` for the main log, these for the
  // outbox (SpaceLogEnds).
  Version branch;  // the newest change of the stream of the outbox that was written last
  uint64_t outbox_entries = 0;
};

// A request that was applied, so that a repetition is answered and anything else refused.
struct RequestRecord {
  WriteResult result;
  uint64_t fingerprint = 0;  // of what was asked: fingerprint.h
};

// Who the data belongs to.
struct Identity {
  std::string cluster_id;
  NodeId node_id;
};

enum class LogOperation : uint8_t { kAssign = 1, kStore = 2, kForget = 3, kLink = 4, kCollect = 5 };

// One change of a space, complete: whoever applies it needs nothing else to have the state, and the
// remembered request, of whoever made it.
struct LogEntry {
  LogOperation operation = LogOperation::kAssign;
  MemoryId id;
  Revision revision;   // its version is the origin of the change
  VersionVector seen;  // MemoryChange::seen
  uint64_t line = 0;
  uint64_t fingerprint = 0;  // of the request; 0: not known, or not of a request
  bool created = false;      // WriteResult's
  bool space_created = false;
  // Another change with its request id stood in the log already when it was merged.
  bool duplicate = false;
  // Of a merged entry: the sequence of the stream of its origin that the log had before it.
  uint64_t previous = 0;
  std::string body;  // of a store or forget: EncodeContent
  std::vector<float> embedding;
  std::vector<Link> links;      // of a store: all; of a link: the one
  std::vector<NodeId> holders;  // of kAssign, in the ring's order
  // Of kCollect: the tombstones that all holders drop, those of one memory side by side.
  std::vector<replication::Tombstone> collected;

  // Whether a client has asked for it.
  bool IsOfRequest() const {
    return operation != LogOperation::kAssign && operation != LogOperation::kCollect;
  }
};

// What a revision says, without the revision itself, `seen` and embedding.
std::string EncodeContent(const RevisionRecord& record);
absl::StatusOr<RevisionRecord> DecodeContent(std::string_view bytes);

std::string EncodeMemory(const MemoryRecord& record);
absl::StatusOr<MemoryRecord> DecodeMemory(std::string_view bytes);

std::string EncodeIndexEntry(const IndexEntry& entry);
absl::StatusOr<IndexEntry> DecodeIndexEntry(std::string_view bytes);

// The links of one memory to one target, not empty, in the order of MemoryState; the target is in
// the key.
std::string EncodeLinks(std::span<const LinkRecord> links);
absl::StatusOr<std::vector<LinkRecord>> DecodeLinks(std::string_view bytes, const MemoryId& to);

std::string EncodeEmbedding(std::span<const float> embedding);
absl::StatusOr<std::vector<float>> DecodeEmbedding(std::string_view bytes);

std::string EncodeSpace(const SpaceRecord& record);
absl::StatusOr<SpaceRecord> DecodeSpace(std::string_view bytes);

// The SpaceLog without what the SpaceRecord has of it, so that it is written only when something
// else of it changes: with a failover, not with every write. Decoding needs both.
std::string EncodeSpaceLog(const replication::SpaceLog& log, const SpaceRecord& ends);
absl::StatusOr<replication::SpaceLog> DecodeSpaceLog(std::string_view bytes,
                                                     const SpaceRecord& ends);
// Of a space from before there was one: its log was `self`'s alone.
replication::SpaceLog SpaceLogOf(const SpaceRecord& record, const NodeId& self);

std::string EncodeIdentity(const Identity& identity);
absl::StatusOr<Identity> DecodeIdentity(std::string_view bytes);

std::string EncodeLogEntry(const LogEntry& entry);
absl::StatusOr<LogEntry> DecodeLogEntry(std::string_view bytes);

// Without `repeated`, which is not a property of the result.
std::string EncodeRequest(const RequestRecord& record);
absl::StatusOr<RequestRecord> DecodeRequest(std::string_view bytes);

std::string EncodeFormatVersion(uint64_t version);
absl::StatusOr<uint64_t> DecodeFormatVersion(std::string_view bytes);

}  // namespace engram::memory
