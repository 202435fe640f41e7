// What is stored under the keys of keys.h, and its encoding. Every value starts with a byte that
// tells its format; an older format stays readable, a newer one is refused by the database's own
// format version when opening.
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
#include "engram/memory/types.h"

namespace engram::memory {

// Raised when a value's format changes in a way that an older program would misread.
inline constexpr uint64_t kFormatVersion = 1;

// One memory, alive or a tombstone (which keeps the revision only).
struct MemoryRecord {
  bool alive = true;
  bool has_embedding = false;  // there is a value in the family vectors
  bool has_links = false;      // there may be values in the family links
  uint32_t text_length = 0;    // words
  // Without space, id, embedding and links: they are in the key and in families of their own.
  Memory memory;
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

enum class LogOperation : uint8_t { kCreateSpace = 1, kStore = 2, kForget = 3, kLink = 4 };

// One change of a space as a follower will need it. `body` is the encoded MemoryRecord of a store
// or forget.
struct LogEntry {
  LogOperation operation = LogOperation::kCreateSpace;
  MemoryId id;
  Revision revision;
  uint64_t line = 0;
  std::string body;
  std::vector<float> embedding;
  std::vector<Link> links;  // of a store: all; of a link: the one
};

std::string EncodeMemory(const MemoryRecord& record);
absl::StatusOr<MemoryRecord> DecodeMemory(std::string_view bytes);

std::string EncodeIndexEntry(const IndexEntry& entry);
absl::StatusOr<IndexEntry> DecodeIndexEntry(std::string_view bytes);

std::string EncodeWeight(double weight);
absl::StatusOr<double> DecodeWeight(std::string_view bytes);

std::string EncodeEmbedding(std::span<const float> embedding);
absl::StatusOr<std::vector<float>> DecodeEmbedding(std::string_view bytes);

std::string EncodeSpace(const SpaceRecord& record);
absl::StatusOr<SpaceRecord> DecodeSpace(std::string_view bytes);

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
