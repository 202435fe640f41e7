// What goes into one message of a comparison (record_gossip.h): as much as fits, gathered without
// ever holding more than that.
//
// Pure; not thread-safe.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "engram/base/codec.h"
#include "engram/membership/record_codec.h"
#include "engram/membership/record_store.h"

namespace engram::membership {

// Encoded things, as many as fit, behind their count.
class Parcel {
 public:
  explicit Parcel(size_t bytes_max) : bytes_max_(bytes_max) {}

  // False, and nothing is added, if it does not fit.
  bool Add(std::string_view item);
  void AppendTo(std::string& message) const;
  size_t count() const { return count_; }
  bool empty() const { return count_ == 0; }

 private:
  const size_t bytes_max_;
  std::string items_;
  size_t count_ = 0;
};

// The versions in buckets that differ, gathered in one visit of the store: of the buckets, the
// first that fit as a whole. The last one is given up whenever there is too much, so that what is
// gathered is at no time more than the message can hold.
class VersionsParcel {
 public:
  VersionsParcel(const RecordStore::Buckets& differing, size_t bytes_max);

  // For the visit, which follows as buckets are given up.
  const RecordStore::Buckets& buckets() const { return buckets_; }
  void Add(std::string_view key, const Version& version);
  // Not all of the buckets fitted.
  bool more() const { return more_; }
  void AppendTo(std::string& message) const;

 private:
  struct Bucket {
    Encoder versions;
    size_t count = 0;
  };

  void GiveUpLast();

  const size_t bytes_max_;
  RecordStore::Buckets buckets_;
  std::map<size_t, Bucket> gathered_;
  size_t bytes_ = 0;
  bool more_ = false;
};

// What two nodes' records are to give each other, by the versions that one has sent and those that
// a visit shows of the other's.
class Differences {
 public:
  // `theirs` must outlive it. Of the keys that are newer here at most `bytes_max` are kept.
  Differences(const std::vector<BucketVersions>& theirs, size_t bytes_max);

  // For the visit.
  const RecordStore::Buckets& buckets() const { return buckets_; }
  void AddMine(std::string_view key, const Version& version);

  // When all of mine were added: what they lack; what they have and I lack, in their order.
  const std::vector<std::string>& newer_here() const { return newer_here_; }
  std::vector<std::string_view> NewerThere() const;
  // Not all that they lack is in newer_here().
  bool more() const { return more_; }

 private:
  struct Their {
    const Version* version;
    bool newer = true;  // until mine is seen
  };

  const std::vector<BucketVersions>& theirs_;
  const size_t bytes_max_;
  RecordStore::Buckets buckets_;
  absl::flat_hash_map<std::string_view, Their> their_;
  std::vector<std::string> newer_here_;
  size_t bytes_ = 0;
  bool more_ = false;
};

}  // namespace engram::membership
