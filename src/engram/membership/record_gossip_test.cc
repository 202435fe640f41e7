#include "engram/membership/record_gossip.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "engram/base/error.h"
#include "engram/membership/testing/stored_gossip.h"

namespace engram::membership {
namespace {

Record Of(const std::string& key, uint64_t counter, uint64_t sequence = 1) {
  const std::string value = key + "@" + std::to_string(counter) + "." + std::to_string(sequence);
  return {key, {{counter, NodeId("n" + std::to_string(counter))}, sequence}, value};
}

std::string NewsOf(RecordGossip& gossip, size_t size_max = 1'400) {
  std::string news;
  gossip.Fill(news, size_max, 10);
  return news;
}

// One comparison; whether more is to be exchanged.
bool Compare(RecordGossip& asks, RecordGossip& answers) {
  const auto versions = answers.Compare(asks.Digest());
  EXPECT_TRUE(versions.ok());
  const auto settlement = asks.Settle(*versions);
  EXPECT_TRUE(settlement.ok());
  const auto records = answers.Complete(settlement->message);
  EXPECT_TRUE(records.ok());
  EXPECT_TRUE(asks.Take(*records).ok());
  return settlement->more;
}

TEST(RecordGossip, TheNewestVersionWinsWhateverTheOrder) {
  StoredGossip gossip;
  EXPECT_TRUE(gossip.Put(Of("s", 2, 5)));
  EXPECT_FALSE(gossip.Put(Of("s", 2, 5)));
  EXPECT_FALSE(gossip.Put(Of("s", 2, 4)));
  EXPECT_FALSE(gossip.Put(Of("s", 1, 9)));
  EXPECT_EQ(*gossip.Find("s"), Of("s", 2, 5));
  EXPECT_TRUE(gossip.Put(Of("s", 3, 1)));
  EXPECT_EQ(*gossip.Find("s"), Of("s", 3, 1));
  EXPECT_EQ(gossip.size(), 1u);
}

TEST(RecordGossip, NewsIsTakenOverAndPassedOnOnce) {
  StoredGossip one;
  StoredGossip other;
  one.Put(Of("a", 1));
  one.Put(Of("b", 2));
  const std::string news = NewsOf(one);
  ASSERT_TRUE(other.Hear(news).ok());
  EXPECT_EQ(other.TakeLearnt().size(), 2u);
  EXPECT_TRUE(other.HasNews());
  ASSERT_TRUE(other.Hear(news).ok());
  EXPECT_TRUE(other.TakeLearnt().empty());
  EXPECT_EQ(*other.Find("b"), Of("b", 2));
}

TEST(RecordGossip, OldNewsChangesNothing) {
  StoredGossip one;
  StoredGossip other;
  one.Put(Of("a", 1));
  other.Put(Of("a", 2));
  ASSERT_TRUE(other.Hear(NewsOf(one)).ok());
  EXPECT_EQ(*other.Find("a"), Of("a", 2));
  EXPECT_TRUE(other.TakeLearnt().empty());
}

TEST(RecordGossip, ItsOwnChangesAreNotLearnt) {
  StoredGossip gossip;
  gossip.Put(Of("a", 1));
  EXPECT_TRUE(gossip.TakeLearnt().empty());
}

TEST(RecordGossip, WhatIsInTheStoreAlreadyCanBeAnnounced) {
  StoredGossip one;
  StoredGossip other;
  const Record record = Of("a", 1);
  one.Apply(std::span(&record, 1));
  EXPECT_FALSE(one.HasNews());
  EXPECT_FALSE(one.Put(record)) << "nothing new";
  EXPECT_FALSE(one.Announce("b"));
  EXPECT_TRUE(one.Announce("a"));
  ASSERT_TRUE(other.Hear(NewsOf(one)).ok());
  EXPECT_EQ(other.Find("a"), record);
}

TEST(RecordGossip, WhatOthersPutIntoTheStoreIsFoundByComparisons) {
  StoredGossip one;
  StoredGossip other;
  const Record record = Of("a", 1);
  one.Apply(std::span(&record, 1));
  Compare(other, one);
  EXPECT_EQ(other.Find("a"), record);
  EXPECT_EQ(other.TakeLearnt(), std::vector{record});
}

TEST(RecordGossip, CountsWhatItHears) {
  StoredGossip one;
  StoredGossip other;
  one.Put(Of("a", 1));
  const std::string news = NewsOf(one);
  ASSERT_TRUE(other.Hear(news).ok());
  ASSERT_TRUE(other.Hear(news).ok());
  one.Put(Of("b", 1));
  Compare(other, one);
  EXPECT_EQ(other.counters().heard, 3u);
  EXPECT_EQ(other.counters().learnt, 2u);
  EXPECT_EQ(other.counters().compared, 1u);
  EXPECT_EQ(one.counters().heard, 0u);
}

TEST(RecordGossip, NewsFitsIntoTheRoom) {
  StoredGossip gossip;
  for (int i = 0; i < 200; ++i) gossip.Put(Of("space-" + std::to_string(i), 1));
  const std::string news = NewsOf(gossip, 1'000);
  EXPECT_LE(news.size(), 1'000u);
  EXPECT_GT(news.size(), 900u);
  StoredGossip other;
  EXPECT_TRUE(other.Hear(news).ok());
  EXPECT_GT(other.size(), 20u);
}

TEST(RecordGossip, EqualStatesHaveNothingToSay) {
  StoredGossip one;
  StoredGossip other;
  std::vector<Record> records;
  for (int i = 0; i < 500; ++i) records.push_back(Of("s" + std::to_string(i), 1 + i % 3));
  for (const Record& record : records) one.Put(record);
  std::reverse(records.begin(), records.end());
  for (const Record& record : records) {
    other.Put(Of(record.key, 0));  // they have come there by another way
    other.Put(record);
  }
  EXPECT_EQ(one.Digest(), other.Digest());
  const auto settlement = one.Settle(other.Compare(one.Digest()).value());
  ASSERT_TRUE(settlement.ok());
  EXPECT_TRUE(settlement->equal);
  EXPECT_FALSE(settlement->more);
}

TEST(RecordGossip, AComparisonGivesEachWhatTheOtherHas) {
  StoredGossip one;
  StoredGossip other;
  one.Put(Of("only here", 1));
  one.Put(Of("newer here", 2));
  other.Put(Of("newer here", 1));
  other.Put(Of("only there", 1));
  one.Put(Of("newer there", 1));
  other.Put(Of("newer there", 2));
  EXPECT_FALSE(Compare(one, other));
  for (const StoredGossip* gossip : {&one, &other}) {
    EXPECT_EQ(gossip->size(), 4u);
    EXPECT_EQ(*gossip->Find("newer here"), Of("newer here", 2));
    EXPECT_EQ(*gossip->Find("newer there"), Of("newer there", 2));
  }
  EXPECT_EQ(one.Digest(), other.Digest());
  EXPECT_EQ(one.TakeLearnt().size(), 2u);
  EXPECT_EQ(other.TakeLearnt().size(), 2u);
}

TEST(RecordGossip, LittleThatAComparisonBringsIsNewsAndMuchIsNot) {
  for (const auto& [records, news] : {std::pair{100, true}, {101, false}}) {
    StoredGossip one;
    StoredGossip other;
    for (int i = 0; i < records; ++i) one.Put(Of("s" + std::to_string(i), 1));
    Compare(other, one);
    EXPECT_EQ(other.size(), static_cast<size_t>(records));
    EXPECT_EQ(other.HasNews(), news) << records;
  }
}

TEST(RecordGossip, AJoiningNodeGetsEverythingInBoundedMessages) {
  constexpr size_t kBytesMax = 20'000;
  StoredGossip one({3, kBytesMax, 100});
  StoredGossip joining({3, kBytesMax, 100});
  for (int i = 0; i < 5'000; ++i) one.Put(Of("space-" + std::to_string(i), 1));
  joining.Put(Of("its own", 1));
  int rounds = 0;
  for (bool more = true; more; ++rounds) {
    const std::string versions = one.Compare(joining.Digest()).value();
    const auto settlement = joining.Settle(versions).value();
    const std::string records = one.Complete(settlement.message).value();
    ASSERT_TRUE(joining.Take(records).ok());
    for (const std::string* message : {&versions, &settlement.message, &records}) {
      ASSERT_LE(message->size(), kBytesMax);
    }
    more = settlement.more;
    ASSERT_LT(rounds, 100);
  }
  EXPECT_GT(rounds, 5);
  EXPECT_EQ(one.Digest(), joining.Digest());
  EXPECT_EQ(one.size(), 5'001u);
}

// The asking node does not know how long the records will be that it wants.
TEST(RecordGossip, BeginsAgainWhileTheRecordsMayNotFit) {
  constexpr size_t kBytesMax = 20'000;
  StoredGossip one({3, kBytesMax, 100});
  StoredGossip joining({3, kBytesMax, 100});
  for (int i = 0; i < 60; ++i) {
    Record record = Of("s" + std::to_string(i), 1);
    record.value.assign(900, 'v');
    one.Put(record);
  }
  int rounds = 1;
  for (; Compare(joining, one); ++rounds) ASSERT_LT(rounds, 10);
  EXPECT_EQ(joining.size(), 60u);
  EXPECT_GE(rounds, 3);
}

// What news misses, comparisons find: whatever is lost, all are equal in the end.
TEST(RecordGossip, NothingIsLostForGood) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    std::mt19937_64 random(seed);
    std::vector<StoredGossip> nodes(5);
    std::map<std::string, Record> newest;
    for (int i = 0; i < 200; ++i) {
      const Record record = Of("s" + std::to_string(random() % 30), random() % 10, random() % 5);
      auto [it, is_new] = newest.try_emplace(record.key, record);
      if (it->second.version < record.version) it->second = record;
      nodes[random() % 5].Put(record);
      const std::string news = NewsOf(nodes[random() % 5]);
      const bool lost = random() % 2 == 0;
      ASSERT_TRUE(nodes[random() % 5].Hear(lost ? "" : news).ok());
    }
    for (size_t i = 0; i < 5; ++i) Compare(nodes[i], nodes[(i + 1) % 5]);
    for (size_t i = 0; i < 4; ++i) Compare(nodes[i], nodes[4]);
    for (const StoredGossip& node : nodes) {
      ASSERT_EQ(node.Digest(), nodes[0].Digest()) << "seed " << seed;
      ASSERT_EQ(node.size(), newest.size()) << "seed " << seed;
      for (const auto& [key, record] : newest)
        ASSERT_EQ(*node.Find(key), record) << "seed " << seed;
    }
  }
}

TEST(RecordGossip, DamagedMessagesAreRefusedWhole) {
  StoredGossip one;
  StoredGossip other;
  for (int i = 0; i < 20; ++i) one.Put(Of("s" + std::to_string(i), 1));
  const std::string versions = one.Compare(other.Digest()).value();
  const std::string settlement = other.Settle(versions).value().message;
  const std::string records = one.Complete(settlement).value();
  for (size_t size = 0; size < records.size(); ++size) {
    ASSERT_FALSE(other.Take(std::string_view(records).substr(0, size)).ok()) << size;
  }
  for (size_t size = 0; size < versions.size(); ++size) {
    ASSERT_FALSE(other.Settle(std::string_view(versions).substr(0, size)).ok()) << size;
  }
  for (size_t size = 0; size < settlement.size(); ++size) {
    ASSERT_FALSE(one.Complete(std::string_view(settlement).substr(0, size)).ok()) << size;
  }
  EXPECT_FALSE(one.Compare("short").ok());
  EXPECT_FALSE(other.Hear("\x05noise").ok());
  EXPECT_EQ(DetailOf(other.Take("")).field, "gossip");
  EXPECT_EQ(other.size(), 0u);
}

TEST(RecordGossip, RecordsOutOfTheirBoundsAreRefused) {
  StoredGossip one;
  StoredGossip other;
  Record largest = Of(std::string(RecordGossip::kKeyBytesMax, 'k'), 1);
  largest.value = std::string(RecordGossip::kValueBytesMax, 'v');
  one.Put(largest);
  std::string news = NewsOf(one);
  EXPECT_LE(news.size(), 1'300u) << "fits into a datagram";
  EXPECT_TRUE(other.Hear(news).ok());
  EXPECT_EQ(other.size(), 1u);
  Record nameless = Of("s", 1);
  nameless.version.epoch.primary = NodeId("");
  one.Put(nameless);
  EXPECT_FALSE(other.Hear(NewsOf(one)).ok()) << "no primary";
}

}  // namespace
}  // namespace engram::membership
