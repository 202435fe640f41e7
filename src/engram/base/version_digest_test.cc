#include "engram/base/version_digest.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace engram {
namespace {

VersionDigest::VersionView At(uint64_t counter, std::string_view primary, uint64_t sequence) {
  return {counter, primary, sequence};
}

TEST(VersionDigest, TheOrderOfChangesDoesNotShow) {
  VersionDigest one;
  VersionDigest other;
  for (int i = 0; i < 5'000; ++i) one.Toggle(std::to_string(i), At(1, "n", 1));
  for (int i = 4'999; i >= 0; --i) {
    const std::string key = std::to_string(i);
    other.Toggle(key, At(0, "m", 7));  // it has come here by another way
    other.Toggle(key, At(0, "m", 7));
    other.Toggle(key, At(1, "n", 1));
  }
  EXPECT_EQ(one, other);
  EXPECT_NE(one, VersionDigest());
}

TEST(VersionDigest, EveryPartOfAVersionCounts) {
  const std::vector<VersionDigest::VersionView> versions = {
      At(1, "n", 1), At(2, "n", 1), At(1, "m", 1), At(1, "n", 2), At(1, "", 1), At(0, "n", 0)};
  const size_t bucket = VersionDigest::BucketOf("key");
  std::set<uint64_t> seen;
  for (const auto& version : versions) {
    VersionDigest digest;
    digest.Toggle("key", version);
    seen.insert(digest.hashes()[bucket]);
    digest.Toggle("key", version);
    EXPECT_EQ(digest, VersionDigest()) << "taken out again";
  }
  EXPECT_EQ(seen.size(), versions.size());
}

TEST(VersionDigest, AChangeTouchesTheBucketOfItsKeyAlone) {
  VersionDigest digest;
  digest.Toggle("key", At(1, "n", 1));
  for (size_t b = 0; b < VersionDigest::kBuckets; ++b) {
    EXPECT_EQ(digest.hashes()[b] != 0, b == VersionDigest::BucketOf("key")) << b;
  }
}

TEST(VersionDigest, TheLowBitsOfTheHashGiveTheBucket) {
  const uint64_t hash = StringHash{}("notes");
  EXPECT_EQ(VersionDigest::BucketOfHash(static_cast<uint32_t>(hash)),
            VersionDigest::BucketOf("notes"));
}

}  // namespace
}  // namespace engram
