#include "engram/memory/text_features.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <string>

#include "engram/memory/analyzer.h"

namespace engram::memory {
namespace {

// As the stemmer leaves them.
constexpr std::array<std::string_view, 10> kNegations = {
    "no", "not", "nor", "none", "never", "neither", "cannot", "without", "nobodi", "noth"};

bool IsFact(std::string_view word) {
  if (std::any_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return true;
  }
  return word.ends_with("n't") || word.ends_with("n\u2019t") ||
         std::find(kNegations.begin(), kNegations.end(), word) != kNegations.end();
}

uint64_t Hash(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

// A space is in no word.
uint64_t HashOfAll(std::vector<std::string_view> words) {
  std::sort(words.begin(), words.end());
  std::string joined;
  for (std::string_view word : words) joined.append(word).push_back(' ');
  return Hash(joined);
}

void KeepSmallest(std::vector<uint64_t>& hashes) {
  std::sort(hashes.begin(), hashes.end());
  hashes.erase(std::unique(hashes.begin(), hashes.end()), hashes.end());
  hashes.resize(std::min(hashes.size(), kTextFeaturesMax));
}

}  // namespace

TextFeatures FeaturesOf(std::string_view text) {
  const std::vector<std::string> words = TermsOf(text);
  TextFeatures features;
  std::vector<std::string_view> facts;
  for (size_t i = 0; i < words.size(); ++i) {
    features.hashes.push_back(Hash(words[i]));
    if (i > 0) features.hashes.push_back(Hash(words[i - 1] + " " + words[i]));
    if (IsFact(words[i])) facts.push_back(words[i]);
  }
  if (words.empty()) features.hashes.push_back(Hash(text));  // signs only: the same or not
  KeepSmallest(features.hashes);
  features.hashes.shrink_to_fit();
  features.facts = HashOfAll(std::move(facts));
  return features;
}

double TextSimilarity(const TextFeatures& a, const TextFeatures& b) {
  if (a.facts != b.facts) return 0;
  size_t both = 0;
  size_t all = 0;
  size_t i = 0;
  size_t j = 0;
  while ((i < a.hashes.size() || j < b.hashes.size()) && all < kTextFeaturesMax) {
    const bool from_a = j == b.hashes.size() || (i < a.hashes.size() && a.hashes[i] <= b.hashes[j]);
    const bool from_b = i == a.hashes.size() || (j < b.hashes.size() && b.hashes[j] <= a.hashes[i]);
    both += from_a && from_b ? 1 : 0;
    i += from_a ? 1 : 0;
    j += from_b ? 1 : 0;
    ++all;
  }
  return static_cast<double>(both) / static_cast<double>(all);
}

}  // namespace engram::memory
