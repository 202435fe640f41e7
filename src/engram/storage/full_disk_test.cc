// A disk that is really full: a small file system in memory, of this process alone. Takes root.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include <fstream>

#include "engram/base/error.h"
#include "engram/storage/database.h"
#include "engram/storage/testing/captured_log.h"
#include "engram/storage/testing/temp_dir.h"

namespace engram::storage {
namespace {

using ::testing::HasSubstr;

class SmallDisk {
 public:
  SmallDisk() {
    EXPECT_EQ(unshare(CLONE_NEWNS), 0) << "takes root";
    EXPECT_EQ(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    EXPECT_EQ(mount("tmpfs", path().c_str(), "tmpfs", 0, "size=4m"), 0);
  }
  ~SmallDisk() { umount2(path().c_str(), MNT_DETACH); }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  const std::filesystem::path& path() const { return dir_.path(); }

 private:
  TempDir dir_;
};

std::unique_ptr<Database> OpenOrDie(const std::filesystem::path& dir) {
  auto database = Database::Open({.dir = dir});
  EXPECT_TRUE(database.ok()) << database.status();
  return *std::move(database);
}

absl::Status Put(Database& database, int key) {
  auto batch = database.MakeBatch();
  batch->Put(Family::kMemories, fmt::format("{}", key), std::string(4000, 'x'));
  return database.Write(*batch, Sync::kYes);
}

TEST(FullDisk, EndsWritingUntilTheDatabaseIsOpenedAgainAndNothingElse) {
  CapturedLog log;
  SmallDisk disk;
  const auto ballast = disk.path() / "ballast";
  std::ofstream(ballast) << std::string(1 << 20, 'x');
  auto database = OpenOrDie(disk.path());
  int written = 0;
  absl::Status failed;
  while ((failed = Put(*database, written)).ok()) ASSERT_LT(++written, 2000);
  EXPECT_EQ(CodeOf(failed), ErrorCode::kStorageFailed);
  EXPECT_THAT(failed.ToString(), HasSubstr("No space left on device"));
  EXPECT_THAT(log.text(), HasSubstr("error event=database_failed no more is written"));
  EXPECT_GT(written, 0);

  std::filesystem::remove(ballast);
  EXPECT_EQ(CodeOf(Put(*database, -1)), ErrorCode::kStorageFailed);
  EXPECT_TRUE(database->Get(Family::kMemories, "0")->has_value());

  database.reset();
  database = OpenOrDie(disk.path());
  for (int key = 0; key < written; ++key) {
    EXPECT_TRUE(database->Get(Family::kMemories, fmt::format("{}", key))->has_value()) << key;
  }
  EXPECT_FALSE(database->Get(Family::kMemories, "-1")->has_value());
  EXPECT_TRUE(Put(*database, -1).ok());
}

// It would be in the way where there is no room: see RocksLog.
TEST(Database, LogsNothingBesideTheData) {
  TempDir dir;
  OpenOrDie(dir.path());
  EXPECT_FALSE(std::filesystem::exists(dir.path() / "LOG"));
}

}  // namespace
}  // namespace engram::storage
