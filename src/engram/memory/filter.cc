#include "engram/memory/filter.h"

#include <xxhash.h>

#include <algorithm>

namespace engram::memory {
namespace {

// The seeds keep a tag apart from a metadata entry of the same text.
constexpr XXH64_hash_t kTagSeed = 1;
constexpr XXH64_hash_t kMetadataSeed = 2;

uint64_t HashEntry(const std::string& key, const std::string& value) {
  // The key's own hash as the seed keeps ("a", "bc") apart from ("ab", "c").
  return XXH3_64bits_withSeed(value.data(), value.size(),
                              XXH3_64bits_withSeed(key.data(), key.size(), kMetadataSeed));
}

bool InWindow(WallMillis time, std::optional<WallMillis> after, std::optional<WallMillis> before) {
  return (!after || time >= *after) && (!before || time < *before);
}

}  // namespace

std::vector<uint64_t> FeaturesOf(const std::vector<std::string>& tags,
                                 const std::map<std::string, std::string>& metadata) {
  std::vector<uint64_t> features;
  features.reserve(tags.size() + metadata.size());
  for (const std::string& tag : tags) {
    features.push_back(XXH3_64bits_withSeed(tag.data(), tag.size(), kTagSeed));
  }
  for (const auto& [key, value] : metadata) features.push_back(HashEntry(key, value));
  std::sort(features.begin(), features.end());
  features.erase(std::unique(features.begin(), features.end()), features.end());
  return features;
}

Filter::Filter(const RecallQuery& query)
    : kind_(query.kind),
      min_confidence_(query.min_confidence),
      after_(query.after),
      before_(query.before),
      features_(FeaturesOf(query.tags, query.metadata)),
      trivial_(kind_ == Kind::kUnspecified && min_confidence_ <= 0 && !after_ && !before_ &&
               features_.empty()) {}

bool Filter::Passes(Kind kind, double confidence, WallMillis occurred_at,
                    std::span<const uint64_t> features) const {
  return (kind_ == Kind::kUnspecified || kind == kind_) && confidence >= min_confidence_ &&
         InWindow(occurred_at, after_, before_) &&
         std::includes(features.begin(), features.end(), features_.begin(), features_.end());
}

bool Passes(const RecallQuery& query, const Memory& memory) {
  auto has_tag = [&](const std::string& tag) {
    return std::find(memory.tags.begin(), memory.tags.end(), tag) != memory.tags.end();
  };
  auto has_entry = [&](const auto& entry) {
    auto found = memory.metadata.find(entry.first);
    return found != memory.metadata.end() && found->second == entry.second;
  };
  return (query.kind == Kind::kUnspecified || memory.kind == query.kind) &&
         memory.confidence >= query.min_confidence &&
         InWindow(memory.occurred_at, query.after, query.before) &&
         std::all_of(query.tags.begin(), query.tags.end(), has_tag) &&
         std::all_of(query.metadata.begin(), query.metadata.end(), has_entry);
}

}  // namespace engram::memory
