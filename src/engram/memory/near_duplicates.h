// Finds the groups of near-duplicates among the episodes of a space (SPEC C10).
//
// An episode that is like none before it, by id, leads a group; a later one joins the group
// to whose leader it is most like, if it is like enough (leader clustering: Hartigan, "Clustering
// algorithms", 1975, chapter 3). So each member is like the leader, and no chain of small
// differences joins what is far apart; and what is stored later, under a larger id, changes no
// group but by joining it.
//
// Like enough: by cosine where both have an embedding, of the same dimension, else by their texts
// (text_features.h). Whom an episode is compared with: at most kComparisonsMax leaders that share a
// key with it (similarity_keys.h), those that share most keys first; of many under one key the
// latest count. So the work is in proportion to the episodes; a pair that shares no key is missed,
// which grows likely only below the thresholds. Which embeddings share keys was chosen for a
// threshold of 0.9 or more, texts for 0.6 or more.
//
// Pure: the same episodes give the same groups. Not thread-safe. Memory: what is counted by
// bytes(), about 1.5 KiB, the embedding and the text's features for each episode that leads a
// group.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "engram/memory/limits.h"
#include "engram/memory/similarity_keys.h"
#include "engram/memory/text_features.h"
#include "engram/memory/types.h"

namespace engram::memory {

struct SimilarityOptions {
  double embedding_min = 0.95;  // cosine
  double text_min = 0.75;       // TextSimilarity
};

struct Episode {
  MemoryId id;
  std::string_view content;
  std::span<const float> embedding;  // empty: none
};

struct GroupMember {
  MemoryId id;
  double similarity = 1;  // to the leader
  friend bool operator==(const GroupMember&, const GroupMember&) = default;
};

// Two or more, by id; the first one leads.
using DuplicateGroup = std::vector<GroupMember>;

class NearDuplicates {
 public:
  // A memory has at most so many links, so a larger group would not name all its sources: what
  // finds its group full leads another one.
  static constexpr size_t kGroupMax = kLinksMax;
  static constexpr size_t kComparisonsMax = 32;  // of one episode
  static constexpr size_t kBucketMax = 32;       // leaders under one key that are looked at

  explicit NearDuplicates(SimilarityOptions options) : options_(options) {}

  // REQUIRES: ids come in ascending order, each once; content is valid UTF-8; an embedding is
  // finite and not all zero.
  void Add(const Episode& episode);

  // By their leaders' ids. Nothing may be added after.
  std::vector<DuplicateGroup> Take();

  uint64_t comparisons() const { return comparisons_; }
  size_t bytes() const { return bytes_; }

 private:
  using Leader = uint32_t;  // index in leaders_
  static constexpr Leader kNone = UINT32_MAX;

  struct Features {
    std::vector<float> unit;  // the embedding, of length one
    TextFeatures text;
    std::vector<uint64_t> keys;
  };
  struct LeaderRow {
    Features features;  // emptied when the group is full
    DuplicateGroup group;
    uint32_t seen = 0;    // the episode that last met it under a key
    uint32_t shared = 0;  // keys that they share
    bool full() const { return group.size() >= kGroupMax; }
  };
  // A list of the leaders under one key, in entries_, the latest first.
  static constexpr uint32_t kEnd = UINT32_MAX;
  struct Bucket {
    uint32_t first = kEnd;
  };
  struct Entry {
    Leader leader;
    uint32_t next;
  };
  struct Match {
    Leader leader = kNone;
    double similarity = 0;
  };

  Features FeaturesOf(const Episode& episode);
  Match FindLeader(const Features& features);
  void Collect(uint64_t key, std::vector<Leader>& candidates);
  // 0: not like enough.
  double SimilarityOf(const Features& a, const Features& b) const;
  void Lead(const MemoryId& id, Features features);
  void Insert(uint64_t key, Leader leader);
  void Join(const Match& match, const MemoryId& id);

  const SimilarityOptions options_;
  std::vector<LeaderRow> leaders_;
  absl::flat_hash_map<uint64_t, Bucket> buckets_;
  std::vector<Entry> entries_;
  std::vector<std::unique_ptr<VectorKeys>> vector_keys_;  // one for each dimension
  uint32_t episodes_ = 0;
  uint64_t comparisons_ = 0;
  size_t bytes_ = 0;
};

}  // namespace engram::memory
