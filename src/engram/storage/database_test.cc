// What is RocksDB's own: directories, and what can be wrong with them. The rest is in
// database_contract_test.cc.
#include "engram/storage/database.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rocksdb/perf_context.h>
#include <rocksdb/perf_level.h>

#include <fstream>

#include "engram/base/error.h"
#include "engram/storage/testing/temp_dir.h"

namespace engram::storage {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<Database> OpenOrDie(const std::filesystem::path& dir) {
  auto database = Database::Open({.dir = dir});
  EXPECT_TRUE(database.ok()) << database.status();
  return *std::move(database);
}

void PutOne(Database& database, std::string_view key, std::string_view value) {
  auto batch = database.MakeBatch();
  batch->Put(Family::kMemories, key, value);
  ASSERT_TRUE(database.Write(*batch, Sync::kNo).ok());
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

// A log is trimmed by DeleteRange and read at its other end, for every batch that is shipped.
TEST(Database, ACursorDoesNotWalkOverWhatWasDroppedBeforeItsPlace) {
  constexpr int kKeys = 1000;
  TempDir dir;
  auto database = OpenOrDie(dir.path());
  const auto key = [](int i) { return fmt::format("log/{:04}", i); };
  for (int i = 0; i < kKeys; ++i) PutOne(*database, key(i), "v");
  ASSERT_TRUE(database->DeleteRange(Family::kMemories, key(0), key(kKeys - 10)).ok());

  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kEnableCount);
  rocksdb::get_perf_context()->Reset();
  auto cursor = database->Scan(Family::kMemories, "log/");
  cursor->Seek(key(kKeys - 2));
  EXPECT_TRUE(cursor->valid());
  EXPECT_EQ(cursor->key(), key(kKeys - 2));
  EXPECT_LT(rocksdb::get_perf_context()->next_on_memtable_count, 10u);

  auto first = database->Scan(Family::kMemories, "log/");
  EXPECT_TRUE(first->valid());
  EXPECT_EQ(first->key(), key(kKeys - 10));
  EXPECT_GT(rocksdb::get_perf_context()->next_on_memtable_count, 900u);  // it does count
  rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);
}

TEST(Database, DirectoryThatCannotBeMadeIsNamed) {
  auto opened = Database::Open({.dir = "/proc/engram-cannot-be-here"});
  EXPECT_EQ(CodeOf(opened.status()), ErrorCode::kStorageFailed);
  EXPECT_THAT(opened.status().ToString(), HasSubstr("/proc/engram-cannot-be-here"));
}

}  // namespace
}  // namespace engram::storage
