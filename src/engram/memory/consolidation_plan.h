// What consolidating a space would write, from what a node's copy of it holds (consolidation.h says
// by which rules). Reads only; who carries it out stores and forgets like any client, so that all
// rules for writes hold, and tries again by planning again: what is done already is left out.
//
// Pure but for reading the database; thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "engram/memory/consolidation.h"
#include "engram/storage/database.h"

namespace engram::memory {

struct ConsolidationQuery {
  SpaceId space;
  SimilarityOptions similarity;
  ChangeTime time;  // of the request ids
  // Of NearDuplicates: episodes that come when it is full are not looked at, only counted.
  size_t memory_bytes_max = 512u << 20;
  // Of what a plan would write; groups that come after are left to the next one.
  size_t write_bytes_max = 32u << 20;
  // Asked now and then: true ends the plan early. While the episodes are still being read, with
  // kDeadlineExceeded, then with what has been planned so far. May be null.
  absl::AnyInvocable<bool() const> stop;
};

struct ConsolidationStep {
  enum class Outcome : uint8_t {
    kCreated,
    kUpdated,
    kUnchanged,  // it says what it should already
    kTakenOver,  // somebody has changed it since: it is left alone
  };
  Outcome outcome = Outcome::kUnchanged;
  MemoryId id;
  std::vector<GroupMember> sources;
  // If it is created or updated. Each write is refused where its memory has been changed since.
  std::optional<StoreCommand> store;
  std::vector<ForgetCommand> forgets;  // of the superseded, once `store` is done
};

struct ConsolidationPlan {
  uint64_t episodes = 0;   // that were looked at
  uint64_t skipped = 0;    // for want of memory
  uint64_t remaining = 0;  // groups that were found and are not among the steps
  std::vector<ConsolidationStep> steps;
};

// `dimension`: the space's; embeddings of another one are not looked at.
absl::StatusOr<ConsolidationPlan> PlanConsolidation(const storage::Database& database,
                                                    const ConsolidationQuery& query,
                                                    uint32_t dimension);

}  // namespace engram::memory
