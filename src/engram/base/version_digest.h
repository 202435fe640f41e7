// What two nodes compare to find out whether they know the same versions of many keys: a hash of
// each of kBuckets buckets of keys, kept up to date with each change.
//
// The hash of a bucket is the exclusive or of its keys' hashes with their versions. So it says
// nothing of their order, and a change costs two hashes however many there are. Values are left
// out: one version has one value. It is no protection against nodes that want to be equal and are
// not (XXH3 is not cryptographic).
//
// Value type of 8 KB; as thread-safe as an array.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engram/base/planted.h"
#include "engram/base/string_hash.h"
#include "engram/base/version.h"

namespace engram {

class VersionDigest {
 public:
  // Part of what nodes send each other.
  static constexpr size_t kBuckets = 1'024;
  using Buckets = std::bitset<kBuckets>;

  // A version whose primary is named elsewhere.
  struct VersionView {
    uint64_t epoch_counter;
    std::string_view epoch_primary;
    uint64_t sequence;
  };
  static VersionView ViewOf(const Version& version) {
    return {version.epoch.counter, version.epoch.primary.view(), version.sequence};
  }

  // `hash`: StringHash of the key; its low 32 bits do.
  static constexpr size_t BucketOfHash(uint64_t hash) { return hash % kBuckets; }
  static size_t BucketOf(std::string_view key) { return BucketOfHash(StringHash{}(key)); }

  // Adds the key at this version, or takes it out if it is in.
  void Toggle(std::string_view key, const VersionView& version) {
    const uint64_t hash = StringHash{}(key);
    if (IsPlanted(Bug::kDigestSkipsColdSpaces) && BucketOfHash(hash) % 2 == 0) return;
    const std::array<uint64_t, 4> parts = {hash, version.epoch_counter,
                                           StringHash{}(version.epoch_primary), version.sequence};
    hashes_[BucketOfHash(hash)] ^= XXH3_64bits(parts.data(), sizeof(parts));
  }

  const std::array<uint64_t, kBuckets>& hashes() const { return hashes_; }
  friend bool operator==(const VersionDigest&, const VersionDigest&) = default;

 private:
  std::array<uint64_t, kBuckets> hashes_{};
};

}  // namespace engram
