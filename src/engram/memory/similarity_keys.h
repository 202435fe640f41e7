// Keys by which near-duplicates are found without comparing all with all (locality-sensitive
// hashing): the more alike two things are, the likelier they share a key.
//
// Texts: 64 minima of hash functions over the features, in 16 keys of 4 (MinHash: Broder, "On the
// resemblance and containment of documents", 1997). Two texts of Jaccard coefficient s share a key
// with probability 1 - (1 - s^4)^16: 0.998 at 0.75, 0.13 at 0.3.
//
// Embeddings: 128 bits, on which side of 128 fixed planes the vector lies (Charikar, "Similarity
// estimation techniques from rounding algorithms", 2002), in 24 keys of 16 of those bits. Two
// vectors at the angle t agree in a bit with probability 1 - t/pi; they share a key with
// probability about 0.99 at cosine 0.95, 0.002 at 0.
//
// All numbers are drawn once from fixed seeds: the same input has the same keys everywhere. Keys of
// texts and of embeddings are told apart, those of different tables too.
//
// Thread-safe once made.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "engram/memory/text_features.h"

namespace engram::memory {

inline constexpr size_t kTextKeys = 16;
inline constexpr size_t kVectorKeys = 24;

std::array<uint64_t, kTextKeys> TextKeysOf(const TextFeatures& features);

// For embeddings of one dimension.
class VectorKeys {
 public:
  explicit VectorKeys(size_t dimension);

  // REQUIRES: the dimension.
  std::array<uint64_t, kVectorKeys> Of(std::span<const float> embedding) const;
  size_t dimension() const { return dimension_; }

 private:
  static constexpr size_t kBits = 128;
  static constexpr size_t kBitsOfKey = 16;

  size_t dimension_;
  std::vector<float> planes_;  // a normal vector after the other
  std::array<std::array<uint8_t, kBitsOfKey>, kVectorKeys> picked_{};
};

}  // namespace engram::memory
