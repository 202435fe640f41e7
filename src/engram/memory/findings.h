// What a search of some spaces found on one node, as it travels to the node that merges: everything
// that the ranking (ranking.h) needs to know, so that the merged order is the one that a single
// node with all the spaces would give. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "engram/memory/types.h"

namespace engram::memory {

struct FoundLink {
  uint32_t to = 0;  // position in SpaceFindings::found
  double weight = 0;
};

// A memory that a way found, or that links lead to from one of those.
struct Found {
  MemoryId id;
  std::optional<float> text_score;    // among the node's best by text
  std::optional<float> vector_score;  // likewise by embedding
  bool eligible = false;              // it exists and the filter lets it through
  double confidence = 0;              // its own
  std::vector<uint32_t> terms;        // positions in the analysed query of those that it has
  // Those that activation may take (merge.h), the strongest; in any order.
  std::vector<FoundLink> links;
  // Read with the search, if it may be needed and there was room.
  std::optional<Memory> memory;
};

struct SpaceFindings {
  SpaceId space;
  absl::Status status;  // why this space could not be searched
  std::vector<Found> found;
};

struct Findings {
  TextStatistics statistics;  // by which the text was scored
  std::vector<SpaceFindings> spaces;
};

}  // namespace engram::memory
