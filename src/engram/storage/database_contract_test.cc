// What both databases must do: RocksDB's, and the one in memory that the simulator runs on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engram/storage/database.h"
#include "engram/storage/testing/memory_database.h"
#include "engram/storage/testing/temp_dir.h"

namespace engram::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

using Entries = std::vector<std::pair<std::string, std::string>>;

std::string Value(const absl::StatusOr<std::optional<std::string>>& got) {
  EXPECT_TRUE(got.ok()) << got.status();
  return got->value_or("(none)");
}

Entries Drain(std::unique_ptr<Cursor> cursor) {
  Entries entries;
  for (; cursor->valid(); cursor->Next()) entries.emplace_back(cursor->key(), cursor->value());
  EXPECT_TRUE(cursor->status().ok()) << cursor->status();
  return entries;
}

void PutOne(Database& database, std::string_view key, std::string_view value) {
  auto batch = database.MakeBatch();
  batch->Put(Family::kMemories, key, value);
  ASSERT_TRUE(database.Write(*batch, Sync::kNo).ok());
}

enum class Kind { kRocks, kMemory };

class DatabaseContract : public ::testing::TestWithParam<Kind> {
 protected:
  std::unique_ptr<Database> Open() {
    if (GetParam() == Kind::kMemory) return disk_.Open();
    auto database = Database::Open({.dir = dir_.path()});
    EXPECT_TRUE(database.ok()) << database.status();
    return *std::move(database);
  }

 private:
  TempDir dir_;
  MemoryDisk disk_{1};
};

std::string NameOf(const ::testing::TestParamInfo<Kind>& param) {
  return param.param == Kind::kRocks ? "Rocks" : "Memory";
}

INSTANTIATE_TEST_SUITE_P(All, DatabaseContract, ::testing::Values(Kind::kRocks, Kind::kMemory),
                         NameOf);

TEST_P(DatabaseContract, BatchIsVisibleOnlyAfterWrite) {
  auto database = Open();
  auto batch = database->MakeBatch();
  EXPECT_TRUE(batch->empty());
  batch->Put(Family::kMemories, "k", "v");
  EXPECT_FALSE(batch->empty());
  EXPECT_EQ(Value(batch->Get(Family::kMemories, "k")), "v");
  EXPECT_EQ(Value(database->Get(Family::kMemories, "k")), "(none)");
  ASSERT_TRUE(database->Write(*batch, Sync::kYes).ok());
  EXPECT_EQ(Value(database->Get(Family::kMemories, "k")), "v");
}

TEST_P(DatabaseContract, LastChangeOfAKeyInABatchCounts) {
  auto database = Open();
  PutOne(*database, "deleted", "old");
  auto batch = database->MakeBatch();
  batch->Put(Family::kMemories, "put", "1");
  batch->Put(Family::kMemories, "put", "2");
  batch->Put(Family::kMemories, "deleted", "new");
  batch->Delete(Family::kMemories, "deleted");
  EXPECT_EQ(Value(batch->Get(Family::kMemories, "deleted")), "(none)");
  ASSERT_TRUE(database->Write(*batch, Sync::kYes).ok());
  EXPECT_THAT(Drain(database->Scan(Family::kMemories, "p")), ElementsAre(Pair("put", "2")));
}

TEST_P(DatabaseContract, FamiliesAreApart) {
  auto database = Open();
  PutOne(*database, "k", "v");
  EXPECT_EQ(Value(database->Get(Family::kLinks, "k")), "(none)");
  EXPECT_THAT(Drain(database->Scan(Family::kLinks, "k")), IsEmpty());
}

TEST_P(DatabaseContract, BatchCursorMergesBatchAndDatabaseWithinThePrefix) {
  auto database = Open();
  PutOne(*database, std::string_view("s\0a", 3), "1");
  PutOne(*database, std::string_view("s\0b", 3), "2");
  auto batch = database->MakeBatch();
  batch->Put(Family::kMemories, std::string_view("s\0c", 3), "3");
  batch->Put(Family::kMemories, std::string_view("s\1z", 3), "outside");
  batch->Put(Family::kLinks, std::string_view("s\0d", 3), "elsewhere");
  batch->Delete(Family::kMemories, std::string_view("s\0a", 3));
  EXPECT_THAT(Drain(batch->Scan(Family::kMemories, std::string_view("s\0", 2))),
              ElementsAre(Pair(std::string("s\0b", 3), "2"), Pair(std::string("s\0c", 3), "3")));
}

TEST_P(DatabaseContract, KeysAreOrderedAsUnsignedBytes) {
  auto database = Open();
  for (const char* key : {"k\xff", "k", "k\x7f"}) PutOne(*database, key, "v");
  EXPECT_THAT(Drain(database->Scan(Family::kMemories, "k")),
              ElementsAre(Pair("k", "v"), Pair("k\x7f", "v"), Pair("k\xff", "v")));
}

TEST_P(DatabaseContract, CursorSeeksWithinThePrefix) {
  auto database = Open();
  for (const char* key : {"a1", "a3", "b1"}) PutOne(*database, key, "v");
  auto cursor = database->Scan(Family::kMemories, "a");
  cursor->Seek("a2");
  ASSERT_TRUE(cursor->valid());
  EXPECT_EQ(cursor->key(), "a3");
  cursor->Seek("a4");
  EXPECT_FALSE(cursor->valid());
  cursor->Seek("a");
  ASSERT_TRUE(cursor->valid());
  EXPECT_EQ(cursor->key(), "a1");
}

TEST_P(DatabaseContract, BatchCursorSeeksWithinThePrefix) {
  auto database = Open();
  PutOne(*database, "a1", "v");
  auto batch = database->MakeBatch();
  for (const char* key : {"a3", "b1"}) batch->Put(Family::kMemories, key, "v");
  auto cursor = batch->Scan(Family::kMemories, "a");
  cursor->Seek("a2");
  ASSERT_TRUE(cursor->valid());
  EXPECT_EQ(cursor->key(), "a3");
  cursor->Seek("a4");
  EXPECT_FALSE(cursor->valid());
}

TEST_P(DatabaseContract, SnapshotDoesNotMove) {
  auto database = Open();
  PutOne(*database, "k", "old");
  auto snapshot = database->TakeSnapshot();
  PutOne(*database, "k", "new");
  EXPECT_EQ(Value(database->Get(Family::kMemories, "k", snapshot.get())), "old");
  EXPECT_EQ(Value(database->Get(Family::kMemories, "k")), "new");
  EXPECT_THAT(Drain(database->Scan(Family::kMemories, "k", snapshot.get())),
              ElementsAre(Pair("k", "old")));
}

TEST_P(DatabaseContract, CursorDoesNotMoveWithTheDatabase) {
  auto database = Open();
  PutOne(*database, "k1", "old");
  auto cursor = database->Scan(Family::kMemories, "k");
  PutOne(*database, "k1", "new");
  PutOne(*database, "k2", "new");
  EXPECT_THAT(Drain(std::move(cursor)), ElementsAre(Pair("k1", "old")));
}

TEST_P(DatabaseContract, DeleteRangeLeavesTheEndOut) {
  auto database = Open();
  for (const char* key : {"a1", "a2", "a3"}) PutOne(*database, key, "v");
  ASSERT_TRUE(database->DeleteRange(Family::kMemories, "a1", "a3").ok());
  EXPECT_THAT(Drain(database->Scan(Family::kMemories, "a")), ElementsAre(Pair("a3", "v")));
}

TEST_P(DatabaseContract, KeepsEverythingOverReopening) {
  PutOne(*Open(), "k", "v");
  EXPECT_EQ(Value(Open()->Get(Family::kMemories, "k")), "v");
}

// The same random changes in both.
class BothDatabases : public ::testing::Test {
 protected:
  std::string RandomKey() { return std::string(1, static_cast<char>('a' + random_() % 8)); }

  void ChangeBoth(Batch& one, Batch& other, int round) {
    const std::string key = RandomKey();
    const bool put = random_() % 3 != 0;
    for (Batch* batch : {&one, &other}) {
      if (put) {
        batch->Put(Family::kMemories, key, std::to_string(round));
      } else {
        batch->Delete(Family::kMemories, key);
      }
    }
  }

  void WriteBoth(int round) {
    auto one = real_->MakeBatch();
    auto other = simulated_->MakeBatch();
    for (uint64_t changes = random_() % 4; changes > 0; --changes) ChangeBoth(*one, *other, round);
    const std::string prefix = RandomKey();
    ASSERT_EQ(Drain(one->Scan(Family::kMemories, prefix)),
              Drain(other->Scan(Family::kMemories, prefix)));
    ASSERT_TRUE(real_->Write(*one, Sync::kNo).ok());
    ASSERT_TRUE(simulated_->Write(*other, Sync::kNo).ok());
  }

  void DeleteRangeInBoth() {
    const std::string begin = RandomKey();
    const std::string end = begin + "a";
    ASSERT_TRUE(real_->DeleteRange(Family::kMemories, begin, end).ok());
    ASSERT_TRUE(simulated_->DeleteRange(Family::kMemories, begin, end).ok());
  }

  void ExpectEqual() {
    for (char key = 'a'; key < 'i'; ++key) {
      const std::string text(1, key);
      ASSERT_EQ(Value(real_->Get(Family::kMemories, text)),
                Value(simulated_->Get(Family::kMemories, text)));
    }
  }

  std::mt19937_64 random_{7};
  TempDir dir_;
  MemoryDisk disk_{1};
  std::unique_ptr<Database> real_ = *Database::Open({.dir = dir_.path()});
  std::unique_ptr<Database> simulated_ = disk_.Open();
};

TEST_F(BothDatabases, ShowTheSameAfterRandomChanges) {
  for (int round = 0; round < 500; ++round) {
    SCOPED_TRACE(round);
    WriteBoth(round);
    if (random_() % 16 == 0) DeleteRangeInBoth();
    ExpectEqual();
  }
}

}  // namespace
}  // namespace engram::storage
