// Which memories a recall may return. Tags and metadata entries are compared as 64-bit hashes in
// the index (8 bytes each, no strings), and once more as text on the record before it is returned,
// so that a collision never shows.
//
// Pure and thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engram/memory/types.h"

namespace engram::memory {

// Sorted, each once.
std::vector<uint64_t> FeaturesOf(const std::vector<std::string>& tags,
                                 const std::map<std::string, std::string>& metadata);

// The filter part of a RecallQuery, ready to be asked for many documents. Of min_confidence it asks
// what a memory can tell by itself: its own confidence, which the one shown never exceeds
// (ranking.h). Value type.
class Filter {
 public:
  explicit Filter(const RecallQuery& query);

  // Everything passes.
  bool trivial() const { return trivial_; }

  // `features` as from FeaturesOf. False positives only when hashes collide.
  bool Passes(Kind kind, double confidence, WallMillis occurred_at,
              std::span<const uint64_t> features) const;

 private:
  Kind kind_;
  double min_confidence_;
  std::optional<WallMillis> after_;
  std::optional<WallMillis> before_;
  std::vector<uint64_t> features_;
  bool trivial_;
};

// The same question about a whole memory, without hashes.
bool Passes(const RecallQuery& query, const Memory& memory);

}  // namespace engram::memory
