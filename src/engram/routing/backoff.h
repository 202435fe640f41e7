// How long to wait before the next try at the same node (SPEC R6): min(base * 2^n, max) * (0.5 +
// random(0, 0.5)).
//
// The jitter keeps clients that failed together from coming back together. Pure; the caller's
// random source decides.
#pragma once

#include <random>

#include "engram/base/time.h"

namespace engram::routing {

struct BackoffOptions {
  Duration base = std::chrono::milliseconds(100);
  Duration max = std::chrono::seconds(5);
};

// `failures` >= 0: how many waits have gone before.
Duration BackoffDelay(const BackoffOptions& options, int failures, std::mt19937_64& random);

}  // namespace engram::routing
