#include "engram/membership/record_parcels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace engram::membership {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Version At(uint64_t counter) { return {{counter, NodeId("n")}, 1}; }

RecordStore::Buckets All() { return RecordStore::Buckets().set(); }

std::vector<BucketVersions> Read(const VersionsParcel& parcel) {
  std::string message;
  parcel.AppendTo(message);
  Decoder in(message);
  std::optional<std::vector<BucketVersions>> read = TakeVersions(in);
  EXPECT_TRUE(read.has_value() && in.Finished());
  return read.value_or(std::vector<BucketVersions>());
}

TEST(Parcel, TakesWhatFits) {
  Parcel parcel(5);
  EXPECT_TRUE(parcel.Add("abc"));
  EXPECT_FALSE(parcel.Add("def"));
  EXPECT_TRUE(parcel.Add("de"));
  EXPECT_EQ(parcel.count(), 2u);
  std::string message = "head ";
  parcel.AppendTo(message);
  EXPECT_EQ(message,
            "head \x02"
            "abcde");
}

TEST(VersionsParcel, HasEveryBucketThatDiffersEvenIfItIsEmpty) {
  RecordStore::Buckets differing;
  differing.set(3).set(VersionDigest::BucketOf("key"));
  VersionsParcel parcel(differing, 1'000);
  parcel.Add("key", At(7));
  const std::vector<BucketVersions> read = Read(parcel);
  ASSERT_EQ(read.size(), 2u);
  EXPECT_FALSE(parcel.more());
  for (const BucketVersions& bucket : read) {
    EXPECT_TRUE(differing[bucket.bucket]);
    EXPECT_EQ(bucket.keys.size(), bucket.bucket == 3 ? 0u : 1u);
  }
}

TEST(VersionsParcel, GivesUpTheLastBucketsAndNeverHoldsMoreThanFits) {
  constexpr size_t kBytesMax = 20'000;
  VersionsParcel parcel(All(), kBytesMax);
  EXPECT_FALSE(parcel.more());
  std::map<size_t, std::set<std::string>> of_bucket;
  size_t left = VersionDigest::kBuckets;
  for (int i = 0; i < 5'000; ++i) {
    const std::string key = "key-" + std::to_string(i);
    of_bucket[VersionDigest::BucketOf(key)].insert(key);
    parcel.Add(key, At(1));
    ASSERT_LE(parcel.buckets().count(), left) << "a bucket that was given up comes back";
    left = parcel.buckets().count();
  }
  EXPECT_TRUE(parcel.more());
  std::string message;
  parcel.AppendTo(message);
  EXPECT_LE(message.size(), kBytesMax);
  EXPECT_GT(message.size(), kBytesMax * 3 / 4) << "not much less than fits";
  size_t expected = 0;
  for (const BucketVersions& bucket : Read(parcel)) {
    EXPECT_EQ(bucket.bucket, expected++) << "the first ones";
    std::set<std::string> keys;
    for (const KeyVersion& head : bucket.keys) keys.insert(head.key);
    EXPECT_EQ(keys, of_bucket[bucket.bucket]) << "each whole";
  }
  EXPECT_EQ(expected, left);
}

TEST(VersionsParcel, WithNoRoomThereIsNothingButMore) {
  VersionsParcel parcel(All(), 4);
  EXPECT_TRUE(parcel.buckets().none());
  EXPECT_TRUE(parcel.more());
  parcel.Add("key", At(1));
  EXPECT_THAT(Read(parcel), IsEmpty());
}

TEST(Differences, SaysWhatEachSideLacks) {
  std::vector<BucketVersions> theirs;
  for (const auto& [key, counter] :
       {std::pair{"newer here", 1}, {"equal", 5}, {"newer there", 9}, {"only there", 1}}) {
    theirs.push_back({VersionDigest::BucketOf(key), {{key, At(counter)}}});
  }
  Differences differences(theirs, 1'000);
  EXPECT_EQ(differences.buckets().count(), 4u);
  differences.AddMine("newer here", At(2));
  differences.AddMine("only here", At(1));
  differences.AddMine("equal", At(5));
  differences.AddMine("newer there", At(8));
  EXPECT_THAT(differences.newer_here(), ElementsAre("newer here", "only here"));
  EXPECT_THAT(differences.NewerThere(), ElementsAre("newer there", "only there"));
  EXPECT_FALSE(differences.more());
}

TEST(Differences, KeepsNoMoreKeysThanFit) {
  const std::vector<BucketVersions> theirs = {{7, {}}};
  Differences differences(theirs, 1'000);
  size_t bytes = 0;
  for (int i = 0; i < 1'000; ++i) differences.AddMine("key-" + std::to_string(i), At(1));
  for (const std::string& key : differences.newer_here()) bytes += key.size();
  EXPECT_TRUE(differences.more());
  EXPECT_LE(bytes, 1'000u);
  EXPECT_GT(bytes, 400u);
}

}  // namespace
}  // namespace engram::membership
