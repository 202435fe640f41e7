// Histories of a trivially correct cluster, for testing the checker: one thread, one state on each
// side of a split, effects one after the other. Replies are lost and asked for again, on whichever
// side; primaries change with and without a tail that had not been shipped, sides go apart and are
// merged.
#pragma once

#include <cstddef>
#include <random>

#include "support/history.h"

namespace engram::testing {

struct RandomHistoryOptions {
  size_t operations = 200;
  size_t memories = 8;
  int lost_replies_percent = 10;
  int trouble_percent = 6;  // failover, split, heal
};

// With the lines that HistoryWriter would give them. The same random numbers, the same history.
History RandomHistory(const RandomHistoryOptions& options, std::mt19937_64& random);

}  // namespace engram::testing
