// What the memory engine stores and finds, as plain values. No behaviour, no locks; copy and move
// freely.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engram/base/strong_id.h"
#include "engram/base/time.h"
#include "engram/base/ulid.h"
#include "engram/base/version.h"

namespace engram::memory {

// Numbers are those of engram.v1.Kind.
enum class Kind : uint8_t { kUnspecified = 0, kEpisodic = 1, kSemantic = 2 };

struct Link {
  MemoryId to;
  double weight = 1.0;  // (0, 1]
  friend bool operator==(const Link&, const Link&) = default;
};

// One content of a memory at one time. `clock` is the hybrid logical clock (wall milliseconds,
// counter) that orders concurrent revisions; `version` is the place where it was logged first, its
// origin, which it keeps wherever it is merged.
struct Revision {
  WallMillis clock{};
  uint32_t clock_counter = 0;
  Version version;
  RequestId request_id;
  friend bool operator==(const Revision&, const Revision&) = default;
};

struct Memory {
  SpaceId space;
  MemoryId id;
  std::string content;
  std::vector<float> embedding;  // empty: none
  std::vector<std::string> tags;
  std::map<std::string, std::string> metadata;
  std::vector<Link> links;  // outgoing, by target id
  double confidence = 1.0;
  Kind kind = Kind::kEpisodic;
  WallMillis occurred_at{};
  WallMillis updated_at{};
  Revision revision;
  // Living revisions that a merge kept beside this one because neither had seen the other (SPEC
  // C9), the latest first, until a write has seen them. With their embeddings, without links.
  std::vector<Memory> siblings;
};

// --- commands
// ------------------------------------------------------------------------------------------------------

// Identifies the one effect of a write. The same (request_id, line) is applied once; its result is
// remembered and given to a repetition. Anything else under the same identity is refused.
struct WriteIdentity {
  RequestId request_id;
  uint64_t line = 0;  // number of the message within a stream, 0 for a unary request
};

enum class CreateSpace : uint8_t { kNo, kYes };

// Where a write may go that comes to a holder that is not the primary: nowhere, or to its branch,
// which is merged when the primary is reached again (SPEC C7).
enum class Branch : uint8_t { kNo, kYes };

struct StoreCommand {
  SpaceId space;
  std::optional<MemoryId> id;  // absent: derived from the identity
  std::string content;
  std::vector<float> embedding;
  std::vector<std::string> tags;
  std::map<std::string, std::string> metadata;
  std::vector<Link>
      links;  // replace the memory's links if the memory exists; targets need not exist
  std::optional<double> confidence;
  Kind kind = Kind::kUnspecified;  // unspecified: episodic
  std::optional<WallMillis> occurred_at;
  WriteIdentity identity;
  CreateSpace create_space =
      CreateSpace::kNo;  // kNo: NoAssignment if the space does not exist here
  Branch branch = Branch::kNo;
  // Refused unless the memory is in this state (state_tag.h), where it is logged.
  std::optional<uint64_t> if_state = std::nullopt;
};

struct ForgetCommand {
  SpaceId space;
  MemoryId id;
  WriteIdentity identity;
  Branch branch = Branch::kNo;
  std::optional<uint64_t> if_state = std::nullopt;  // as StoreCommand's
};

struct LinkCommand {
  SpaceId space;
  MemoryId from;  // both must exist, else NotFound, and differ
  MemoryId to;
  double weight = 1.0;
  WriteIdentity identity;
  Branch branch = Branch::kNo;
};

// What every write answers.
struct WriteResult {
  MemoryId id;
  Version version;             // the origin of the change
  bool created = false;        // Store: the memory did not exist before
  bool space_created = false;  // this write made the space; Engine::FindSpace then knows it
  bool repeated = false;  // the request id had been applied before; this is the remembered result
  bool branch = false;    // the change stands in this node's outbox, not in its main log
};

// --- recall
// --------------------------------------------------------------------------------------------------------

struct RecallQuery {
  SpaceId space;
  std::string text;                             // may be empty if `embedding` is not
  std::vector<float> embedding;                 // may be empty if `text` is not
  uint32_t limit = 10;                          // 1..1000
  std::vector<std::string> tags;                // all of them
  std::map<std::string, std::string> metadata;  // all of them
  Kind kind = Kind::kUnspecified;               // unspecified: any
  std::optional<WallMillis> after;              // occurred_at >= after
  std::optional<WallMillis> before;             // occurred_at < before
  double min_confidence = 0.0;                  // of RecallHit::confidence
};

// What BM25 must know of the documents that are searched (text_index.h): living ones only.
struct TextStatistics {
  uint64_t documents = 0;
  uint64_t words = 0;               // of all documents together
  std::vector<uint64_t> with_term;  // documents that have it, for each term of the analysed query
  friend bool operator==(const TextStatistics&, const TextStatistics&) = default;
};

// Ranks count from 1; 0: not found that way.
struct Why {
  double text_score = 0;  // BM25
  uint32_t text_rank = 0;
  std::vector<std::string> terms;  // the stems looked for that the memory has
  double vector_score = 0;         // cosine
  uint32_t vector_rank = 0;
  double activation = 0;  // that arrived over links
  MemoryId via;           // where the strongest of it came from
};

struct RecallHit {
  Memory memory;  // without its embedding
  double score = 0;
  double confidence = 0;  // the memory's own times how well it matched: ranking.h
  Why why;
};

struct RecallResult {
  std::vector<RecallHit> hits;  // best first; ties by id
};

// --- spaces
// --------------------------------------------------------------------------------------------------------

struct SpaceSummary {
  SpaceId space;
  Version version;                   // of the last change
  Version assignment_version;        // of the change that created the space here
  uint64_t memories = 0;             // without tombstones
  uint64_t siblings = 0;             // beside them
  uint32_t embedding_dimension = 0;  // 0: not fixed yet
};

// Of everything that must be equal in all copies of a space.
struct SpaceDigest {
  uint64_t high = 0;
  uint64_t low = 0;
  friend bool operator==(const SpaceDigest&, const SpaceDigest&) = default;
};

}  // namespace engram::memory
