// What metrics count of a request that went to other nodes, read off its attempts. Pure.
#pragma once

#include <span>

#include "absl/container/inlined_vector.h"
#include "engram/routing/call_plan.h"
#include "engram/server/metrics.h"

namespace engram::server {

using RetryReasons = absl::InlinedVector<ErrorCode, 4>;

// Fills the counts of `sample`, whose `retries` then point into `reasons`.
void CountAttempts(std::span<const routing::AttemptRecord> attempts, RetryReasons& reasons,
                   RoutedSample& sample);

}  // namespace engram::server
