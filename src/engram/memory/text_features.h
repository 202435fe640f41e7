// How like each other two texts are, for telling near-duplicates.
//
// A text is the set of its stemmed words and of its pairs of neighbouring words; the likeness of
// two texts is the Jaccard coefficient of their sets (w-shingling: Broder, "On the resemblance and
// containment of documents", 1997). Of a long text the 4,096 features with the smallest hashes are
// kept, by which the coefficient is estimated as well as it needs to be (its bottom-k sketch, in
// the same paper).
//
// Texts that differ in a word with a digit or in a negation say different things, however like they
// are: "the meeting is at 3", "at 4"; "is allergic", "is not allergic". Their likeness is 0.
//
// Pure and thread-safe. Equal texts have equal features on every node with the same ICU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace engram::memory {

inline constexpr size_t kTextFeaturesMax = 4'096;

struct TextFeatures {
  std::vector<uint64_t> hashes;  // ascending, each once; never empty
  uint64_t facts = 0;            // hash of the words that must be the same
};

// REQUIRES: `text` is valid UTF-8.
TextFeatures FeaturesOf(std::string_view text);

// 0 to 1; 1 for the same features.
double TextSimilarity(const TextFeatures& a, const TextFeatures& b);

}  // namespace engram::memory
