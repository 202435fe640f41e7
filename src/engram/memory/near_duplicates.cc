#include "engram/memory/near_duplicates.h"

#include <algorithm>
#include <utility>

#include "engram/memory/vector_math.h"

namespace engram::memory {
namespace {

// A cosine within the rounding of floats of 1 is 1.
constexpr double kRounding = 1e-6;

}  // namespace

void NearDuplicates::Add(const Episode& episode) {
  ++episodes_;
  Features features = FeaturesOf(episode);
  const Match match = FindLeader(features);
  if (match.leader == kNone) {
    Lead(episode.id, std::move(features));
  } else {
    Join(match, episode.id);
  }
}

std::vector<DuplicateGroup> NearDuplicates::Take() {
  std::vector<DuplicateGroup> groups;
  for (LeaderRow& row : leaders_) {
    if (row.group.size() > 1) groups.push_back(std::move(row.group));
  }
  return groups;
}

NearDuplicates::Features NearDuplicates::FeaturesOf(const Episode& episode) {
  Features features;
  features.text = memory::FeaturesOf(episode.content);
  const auto text_keys = TextKeysOf(features.text);
  features.keys.assign(text_keys.begin(), text_keys.end());
  if (episode.embedding.empty()) return features;

  AppendNormalized(episode.embedding, features.unit);
  auto of_dimension = [&](const auto& keys) { return keys->dimension() == features.unit.size(); };
  auto found = std::find_if(vector_keys_.begin(), vector_keys_.end(), of_dimension);
  if (found == vector_keys_.end()) {
    vector_keys_.push_back(std::make_unique<VectorKeys>(features.unit.size()));
    found = std::prev(vector_keys_.end());
  }
  const auto keys = (*found)->Of(features.unit);
  features.keys.insert(features.keys.end(), keys.begin(), keys.end());
  return features;
}

NearDuplicates::Match NearDuplicates::FindLeader(const Features& features) {
  std::vector<Leader> candidates;
  for (uint64_t key : features.keys) Collect(key, candidates);
  auto likelier = [&](Leader a, Leader b) {
    return std::pair(leaders_[b].shared, a) < std::pair(leaders_[a].shared, b);
  };
  const size_t compared = std::min(candidates.size(), kComparisonsMax);
  std::partial_sort(candidates.begin(), candidates.begin() + static_cast<ptrdiff_t>(compared),
                    candidates.end(), likelier);
  comparisons_ += compared;
  Match best;
  for (size_t i = 0; i < compared; ++i) {
    const double similarity = SimilarityOf(features, leaders_[candidates[i]].features);
    if (similarity == 0) continue;
    if (std::pair(best.similarity, candidates[i]) < std::pair(similarity, best.leader)) {
      best = {candidates[i], similarity};
    }
  }
  return best;
}

// Takes those out that are full, too: their likes need the room.
void NearDuplicates::Collect(uint64_t key, std::vector<Leader>& candidates) {
  auto found = buckets_.find(key);
  if (found == buckets_.end()) return;
  uint32_t* link = &found->second.first;
  for (size_t looked_at = 0; *link != kEnd && looked_at < kBucketMax;) {
    Entry& entry = entries_[*link];
    LeaderRow& row = leaders_[entry.leader];
    if (row.full()) {
      *link = entry.next;
      continue;
    }
    if (row.seen != episodes_) {
      row.seen = episodes_;
      row.shared = 0;
      candidates.push_back(entry.leader);
    }
    ++row.shared;
    ++looked_at;
    link = &entry.next;
  }
}

double NearDuplicates::SimilarityOf(const Features& a, const Features& b) const {
  const bool by_embedding = !a.unit.empty() && a.unit.size() == b.unit.size();
  if (by_embedding) {
    const double cosine =
        std::min(1.0, DotProduct(a.unit.data(), b.unit.data(), a.unit.size()) + kRounding);
    return cosine >= options_.embedding_min ? cosine : 0;
  }
  const double similarity = TextSimilarity(a.text, b.text);
  return similarity >= options_.text_min ? similarity : 0;
}

void NearDuplicates::Lead(const MemoryId& id, Features features) {
  const auto leader = static_cast<Leader>(leaders_.size());
  for (uint64_t key : features.keys) Insert(key, leader);
  features.keys = {};
  bytes_ += sizeof(LeaderRow) + id.view().size() + features.unit.size() * sizeof(float) +
            features.text.hashes.size() * sizeof(uint64_t);
  LeaderRow& row = leaders_.emplace_back();
  row.features = std::move(features);
  row.group.push_back({id, 1});
}

void NearDuplicates::Insert(uint64_t key, Leader leader) {
  Bucket& bucket = buckets_[key];
  entries_.push_back({leader, bucket.first});
  bucket.first = static_cast<uint32_t>(entries_.size() - 1);
  bytes_ += sizeof(Entry) + 2 * (sizeof(uint64_t) + sizeof(Bucket));
}

void NearDuplicates::Join(const Match& match, const MemoryId& id) {
  LeaderRow& row = leaders_[match.leader];
  row.group.push_back({id, match.similarity});
  bytes_ += sizeof(GroupMember) + id.view().size();
  if (row.full()) row.features = {};
}

}  // namespace engram::memory
