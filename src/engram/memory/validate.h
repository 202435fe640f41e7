// Whether a command is one that the engine takes, as far as the command alone tells: limits.h and
// base/names.h applied. Errors are InvalidArgument and name the field and the limit. Pure and
// thread-safe.
#pragma once

#include "absl/status/status.h"
#include "engram/base/time.h"
#include "engram/memory/consolidation_plan.h"
#include "engram/memory/types.h"

namespace engram::memory {

// When a request id is too old to be recognised if it were a repetition, or from the future. `now`
// is wall-clock time.
struct RequestWindow {
  WallMillis now;
  Duration ttl;
};

[[nodiscard]] absl::Status ValidateStore(const StoreCommand& command, const RequestWindow& window);
[[nodiscard]] absl::Status ValidateForget(const ForgetCommand& command,
                                          const RequestWindow& window);
[[nodiscard]] absl::Status ValidateLink(const LinkCommand& command, const RequestWindow& window);
[[nodiscard]] absl::Status ValidateRecall(const RecallQuery& query);
// The same but for the space, which is not one: for recalls over several.
[[nodiscard]] absl::Status ValidateQuestion(const RecallQuery& query);

[[nodiscard]] absl::Status ValidateConsolidation(const ConsolidationQuery& query);

// For embeddings that must fit a space of a fixed dimension (0: not fixed yet).
[[nodiscard]] absl::Status CheckDimension(size_t numbers, uint32_t dimension, const SpaceId& space);

}  // namespace engram::memory
