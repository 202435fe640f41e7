// What a crash or a bad disk leaves behind. That the database otherwise behaves as RocksDB's is in
// database_contract_test.cc.
#include "engram/storage/testing/memory_database.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "engram/base/error.h"

namespace engram::storage {
namespace {

absl::Status Put(Database& database, const std::string& key, Sync sync) {
  auto batch = database.MakeBatch();
  batch->Put(Family::kLog, key, "v");
  return database.Write(*batch, sync);
}

// How many of the keys 0, 1, ... are there; -1 if one is missing before one that is there.
int CountPrefix(const Database& database) {
  std::set<std::string> keys;
  for (auto cursor = database.Scan(Family::kLog, "k"); cursor->valid(); cursor->Next()) {
    keys.emplace(cursor->key());
  }
  int count = 0;
  while (keys.erase("k" + std::to_string(count)) > 0) ++count;
  return keys.empty() ? count : -1;
}

absl::Status FullDisk() { return MakeError(ErrorCode::kStorageFailed, "no space left"); }

TEST(MemoryDisk, ProcessThatEndsLosesNothing) {
  MemoryDisk disk(1);
  ASSERT_TRUE(Put(*disk.Open(), "k0", Sync::kNo).ok());
  EXPECT_EQ(CountPrefix(*disk.Open()), 1);
}

TEST(MemoryDisk, CrashLeavesAnyBeginningOfWhatWasNotSynced) {
  std::set<int> counts;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    MemoryDisk disk(seed);
    {
      auto database = disk.Open();
      ASSERT_TRUE(Put(*database, "k0", Sync::kNo).ok());
      ASSERT_TRUE(Put(*database, "k1", Sync::kYes).ok());
      ASSERT_TRUE(Put(*database, "k2", Sync::kNo).ok());
      ASSERT_TRUE(Put(*database, "k3", Sync::kNo).ok());
    }
    disk.Crash();
    counts.insert(CountPrefix(*disk.Open()));
  }
  EXPECT_EQ(counts, (std::set<int>{2, 3, 4}));
}

TEST(MemoryDisk, WhatWasFoundSurvivesTheNextCrash) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    MemoryDisk disk(seed);
    ASSERT_TRUE(Put(*disk.Open(), "k0", Sync::kNo).ok());
    disk.Crash();
    const int found = CountPrefix(*disk.Open());
    disk.Crash();
    EXPECT_EQ(CountPrefix(*disk.Open()), found);
  }
}

TEST(MemoryDisk, FailedWriteIsNotVisibleAndMayBeFoundLater) {
  std::set<int> counts;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    MemoryDisk disk(seed);
    {
      auto database = disk.Open();
      ASSERT_TRUE(Put(*database, "k0", Sync::kYes).ok());
      disk.FailWrites(FullDisk());
      EXPECT_EQ(CodeOf(Put(*database, "k1", Sync::kYes)), ErrorCode::kStorageFailed);
      EXPECT_EQ(CodeOf(Put(*database, "k2", Sync::kYes)), ErrorCode::kStorageFailed);
      EXPECT_EQ(CountPrefix(*database), 1);
    }
    if (seed % 2 == 0) disk.Crash();
    counts.insert(CountPrefix(*disk.Open()));
  }
  EXPECT_EQ(counts, (std::set<int>{1, 2}));
}

TEST(MemoryDisk, GoesOnWhenThereIsRoomAgain) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    MemoryDisk disk(seed);
    {
      auto database = disk.Open();
      ASSERT_TRUE(Put(*database, "k0", Sync::kNo).ok());
      disk.FailWrites(FullDisk());
      EXPECT_FALSE(Put(*database, "lost", Sync::kYes).ok());
      disk.AllowWrites();
      ASSERT_TRUE(Put(*database, "k1", Sync::kYes).ok());
    }
    disk.Crash();
    auto database = disk.Open();
    EXPECT_EQ(CountPrefix(*database), 2);
    EXPECT_FALSE((*database->Get(Family::kLog, "lost")).has_value());
  }
}

TEST(MemoryDisk, SameSeedLosesTheSame) {
  auto run = [](uint64_t seed) {
    MemoryDisk disk(seed);
    for (int i = 0; i < 40; ++i) {
      EXPECT_TRUE(Put(*disk.Open(), "k" + std::to_string(i), Sync::kNo).ok());
      if (i % 4 == 3) disk.Crash();
    }
    std::string keys;
    auto database = disk.Open();
    for (auto c = database->Scan(Family::kLog, "k"); c->valid(); c->Next()) keys += c->key();
    return keys;
  };
  EXPECT_EQ(run(5), run(5));
  EXPECT_NE(run(5), run(6));
}

}  // namespace
}  // namespace engram::storage
