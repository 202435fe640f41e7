#include "engram/storage/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <utility>
#include <vector>

#include "engram/base/error.h"
#include "engram/storage/testing/temp_dir.h"

namespace engram::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::unique_ptr<Database> OpenOrDie(const std::filesystem::path& dir) {
  auto database = Database::Open({.dir = dir});
  EXPECT_TRUE(database.ok()) << database.status();
  return *std::move(database);
}

std::string Value(const absl::StatusOr<std::optional<std::string>>& got) {
  EXPECT_TRUE(got.ok()) << got.status();
  return got->value_or("(none)");
}

std::vector<std::pair<std::string, std::string>> Drain(std::unique_ptr<Cursor> cursor) {
  std::vector<std::pair<std::string, std::string>> entries;
  for (; cursor->valid(); cursor->Next()) entries.emplace_back(cursor->key(), cursor->value());
  EXPECT_TRUE(cursor->status().ok()) << cursor->status();
  return entries;
}

void PutOne(Database& database, std::string_view key, std::string_view value) {
  Batch batch(database);
  batch.Put(Family::kMemories, key, value);
  ASSERT_TRUE(database.Write(batch, Sync::kNo).ok());
}

TEST(Database, BatchIsVisibleOnlyAfterWrite) {
  TempDir dir;
  auto database = OpenOrDie(dir.path());
  Batch batch(*database);
  batch.Put(Family::kMemories, "k", "v");
  EXPECT_EQ(Value(batch.Get(Family::kMemories, "k")), "v");
  EXPECT_EQ(Value(database->Get(Family::kMemories, "k")), "(none)");
  ASSERT_TRUE(database->Write(batch, Sync::kYes).ok());
  EXPECT_EQ(Value(database->Get(Family::kMemories, "k")), "v");
}

TEST(Database, FamiliesAreApart) {
  TempDir dir;
  auto database = OpenOrDie(dir.path());
  PutOne(*database, "k", "v");
  EXPECT_EQ(Value(database->Get(Family::kLinks, "k")), "(none)");
}

TEST(Database, BatchCursorMergesBatchAndDatabaseWithinThePrefix) {
  TempDir dir;
  auto database = OpenOrDie(dir.path());
  PutOne(*database, std::string_view("s\0a", 3), "1");
  PutOne(*database, std::string_view("s\0b", 3), "2");
  Batch batch(*database);
  batch.Put(Family::kMemories, std::string_view("s\0c", 3), "3");
  batch.Put(Family::kMemories, std::string_view("s\1z", 3), "outside");
  batch.Delete(Family::kMemories, std::string_view("s\0a", 3));
  EXPECT_THAT(Drain(batch.Scan(Family::kMemories, std::string_view("s\0", 2))),
              ElementsAre(Pair(std::string("s\0b", 3), "2"), Pair(std::string("s\0c", 3), "3")));
}

TEST(Database, SnapshotDoesNotMove) {
  TempDir dir;
  auto database = OpenOrDie(dir.path());
  PutOne(*database, "k", "old");
  auto snapshot = database->TakeSnapshot();
  PutOne(*database, "k", "new");
  EXPECT_EQ(Value(database->Get(Family::kMemories, "k", snapshot.get())), "old");
  EXPECT_THAT(Drain(database->Scan(Family::kMemories, "k", snapshot.get())),
              ElementsAre(Pair("k", "old")));
}

TEST(Database, DeleteRangeLeavesTheEndOut) {
  TempDir dir;
  auto database = OpenOrDie(dir.path());
  for (const char* key : {"a1", "a2", "a3"}) PutOne(*database, key, "v");
  ASSERT_TRUE(database->DeleteRange(Family::kMemories, "a1", "a3").ok());
  EXPECT_THAT(Drain(database->Scan(Family::kMemories, "a")), ElementsAre(Pair("a3", "v")));
}

TEST(Database, KeepsEverythingOverReopening) {
  TempDir dir;
  PutOne(*OpenOrDie(dir.path()), "k", "v");
  EXPECT_EQ(Value(OpenOrDie(dir.path())->Get(Family::kMemories, "k")), "v");
}

TEST(Database, SecondOpenSaysInUse) {
  TempDir dir;
  auto first = OpenOrDie(dir.path());
  auto second = Database::Open({.dir = dir.path()});
  EXPECT_EQ(DetailOf(second.status()).field, "data_dir");
  EXPECT_THAT(second.status().ToString(), HasSubstr("in use by another process"));
  EXPECT_THAT(second.status().ToString(), HasSubstr(dir.path().string()));
}

// Each names a way to damage the directory.
class DamagedDatabase : public ::testing::TestWithParam<const char*> {};

TEST_P(DamagedDatabase, IsRefusedWithAdvice) {
  TempDir dir;
  PutOne(*OpenOrDie(dir.path()), "k", "v");
  for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
    std::string name = entry.path().filename().string();
    if (std::string_view(GetParam()) == "no CURRENT") {
      if (name == "CURRENT") std::filesystem::remove(entry.path());
    } else if (name.starts_with(GetParam())) {
      std::ofstream(entry.path(), std::ios::binary | std::ios::trunc) << "garbage";
    }
  }
  auto opened = Database::Open({.dir = dir.path()});
  EXPECT_EQ(CodeOf(opened.status()), ErrorCode::kStorageFailed);
  EXPECT_THAT(opened.status().ToString(), HasSubstr(dir.path().string()));
  EXPECT_THAT(opened.status().ToString(), HasSubstr("Restore the directory"));
}

INSTANTIATE_TEST_SUITE_P(Files, DamagedDatabase,
                         ::testing::Values("CURRENT", "MANIFEST-", "no CURRENT"));

TEST(Database, DirectoryThatCannotBeMadeIsNamed) {
  auto opened = Database::Open({.dir = "/proc/engram-cannot-be-here"});
  EXPECT_EQ(CodeOf(opened.status()), ErrorCode::kStorageFailed);
  EXPECT_THAT(opened.status().ToString(), HasSubstr("/proc/engram-cannot-be-here"));
}

}  // namespace
}  // namespace engram::storage
