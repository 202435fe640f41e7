// What is on disk: reopening, whose directory it is, the log, damage and refusal.
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <csignal>

#include "engram/memory/keys.h"
#include "engram/memory/records.h"
#include "engram/memory/testing/engine_fixture.h"
#include "engram/storage/database.h"

namespace {

std::atomic<int> syncs = 0;

}  // namespace

// RocksDB's calls come here instead of to libc: a write that is called durable must have passed
// one.
extern "C" int fdatasync(int fd) {
  ++syncs;
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}
extern "C" int fsync(int fd) {
  ++syncs;
  return static_cast<int>(syscall(SYS_fsync, fd));
}

namespace engram::memory {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DurabilityTest : public EngineTest {
 protected:
  absl::Status OpenStatus(EngineOptions options) {
    engine_.reset();
    return Engine::Open(std::move(options)).status();
  }
};

TEST_F(DurabilityTest, ReopeningBringsEverythingBack) {
  StoreCommand command = MakeStore("m1", "apples");
  command.embedding = {1, 2, 3};
  command.links = {{MemoryId("m2"), 0.5}};
  ASSERT_TRUE(Store(command).ok());
  ASSERT_TRUE(Store("m2", "pears").ok());
  ASSERT_TRUE(Store("m3", "plums").ok());
  ASSERT_TRUE(Forget("m3").ok());
  const auto before = *engine_->FindSpace("space");
  Open();
  const auto after = *engine_->FindSpace("space");
  EXPECT_EQ(after.version, before.version);
  EXPECT_EQ(after.assignment_version, before.assignment_version);
  EXPECT_EQ(after.memories, 2u);
  EXPECT_EQ(after.embedding_dimension, 3u);
  EXPECT_EQ(Get("m1")->embedding, command.embedding);
  EXPECT_EQ(CodeOf(Get("m3").status()), ErrorCode::kNotFound);
  EXPECT_THAT(RecallIds("apples"), ElementsAre("m1", "m2"));
  auto next = Store("m4", "figs");
  EXPECT_EQ(next->version.sequence, before.version.sequence + 1);
  EXPECT_FALSE(next->space_created);
}

TEST_F(DurabilityTest, WithFsyncEveryAcknowledgedWriteHasBeenSynced) {
  EngineOptions options = Options();
  options.durability = Durability::kFsync;
  engine_.reset();
  engine_ = *Engine::Open(std::move(options));
  for (int i = 0; i < 20; ++i) {
    const int before = syncs;
    ASSERT_TRUE(Store("m" + std::to_string(i), "apples").ok());
    EXPECT_GT(syncs, before) << "acknowledged before it was on disk";
  }
}

TEST_F(DurabilityTest, WithProcessDurabilityNoWriteWaitsForTheDisk) {
  ASSERT_TRUE(Store("first", "makes the space").ok());
  const int before = syncs;
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Store("m" + std::to_string(i), "apples").ok());
  EXPECT_EQ(syncs, before);
}

TEST_F(DurabilityTest, LogHoldsEveryChangeInOrder) {
  ASSERT_TRUE(Store("m1", "apples").ok());
  ASSERT_TRUE(Store("m2", "pears").ok());
  ASSERT_TRUE(Link("m1", "m2").ok());
  ASSERT_TRUE(Forget("m1").ok());
  engine_.reset();
  auto database = storage::Database::Open({.dir = dir_.path()});
  ASSERT_TRUE(database.ok());
  std::vector<LogOperation> operations;
  uint64_t sequence = 0;
  for (auto cursor = (*database)->Scan(storage::Family::kLog, SpacePrefix("space"));
       cursor->valid(); cursor->Next()) {
    auto entry = DecodeLogEntry(cursor->value());
    ASSERT_TRUE(entry.ok());
    operations.push_back(entry->operation);
    EXPECT_EQ(entry->revision.version.sequence, ++sequence);
  }
  EXPECT_THAT(operations,
              ElementsAre(LogOperation::kAssign, LogOperation::kStore, LogOperation::kStore,
                          LogOperation::kLink, LogOperation::kForget));
}

TEST_F(DurabilityTest, LogIsTrimmedToItsLimit) {
  log_entries_max_ = 20;
  Open();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Store("m1", "apples").ok());
  engine_.reset();
  auto database = storage::Database::Open({.dir = dir_.path()});
  size_t entries = 0;
  uint64_t last = 0;
  for (auto cursor = (*database)->Scan(storage::Family::kLog, SpacePrefix("space"));
       cursor->valid(); cursor->Next()) {
    ++entries;
    last = DecodeLogEntry(cursor->value())->revision.version.sequence;
  }
  EXPECT_GE(entries, 20u);
  EXPECT_LE(entries, 25u);
  EXPECT_EQ(last, 101u);
}

TEST_F(DurabilityTest, DirectoryOfAnotherClusterIsRefused) {
  EngineOptions options = Options();
  options.cluster_id = "cluster-2";
  const absl::Status status = OpenStatus(std::move(options));
  EXPECT_EQ(InvalidField(status), "data_dir");
  EXPECT_THAT(status.ToString(), HasSubstr(dir_.path().string()));
  EXPECT_THAT(status.ToString(), HasSubstr("'cluster-1'"));
  EXPECT_THAT(status.ToString(), HasSubstr("'cluster-2'"));
}

TEST_F(DurabilityTest, DirectoryOfAnotherNodeIsRefused) {
  EngineOptions options = Options();
  options.node_id = NodeId("n1");
  EXPECT_THAT(OpenStatus(std::move(options)).ToString(), HasSubstr("node 'n0'"));
}

TEST_F(DurabilityTest, NewerFormatIsRefused) {
  engine_.reset();
  {
    auto database = storage::Database::Open({.dir = dir_.path()});
    auto batch = (*database)->MakeBatch();
    batch->Put(storage::Family::kCluster, kFormatKey, EncodeFormatVersion(kFormatVersion + 1));
    ASSERT_TRUE((*database)->Write(*batch, storage::Sync::kYes).ok());
  }
  EXPECT_THAT(OpenStatus(Options()).ToString(), HasSubstr("newer version of engram"));
}

TEST_F(DurabilityTest, SecondEngineOnTheDirectoryIsRefused) {
  auto second = Engine::Open(Options());
  EXPECT_EQ(InvalidField(second), "data_dir");
  EXPECT_THAT(second.status().ToString(), HasSubstr("in use by another process"));
}

TEST_F(DurabilityTest, DamagedRecordIsAnErrorNotACrash) {
  ASSERT_TRUE(Store("m1", "apples").ok());
  engine_.reset();
  {
    auto database = storage::Database::Open({.dir = dir_.path()});
    auto batch = (*database)->MakeBatch();
    batch->Put(storage::Family::kMemories, MemoryKey(space_, MemoryId("m1")), "\x01garbage");
    ASSERT_TRUE((*database)->Write(*batch, storage::Sync::kYes).ok());
  }
  Open();
  EXPECT_EQ(CodeOf(Get("m1").status()), ErrorCode::kStorageFailed);
}

// Makes this process's writes beyond a file size fail, as a full disk would, without being root.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : old_handler_(signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &old_);
    rlimit limited = old_;
    limited.rlim_cur = bytes;
    setrlimit(RLIMIT_FSIZE, &limited);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &old_);
    signal(SIGXFSZ, old_handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit old_{};
  void (*old_handler_)(int);
};

TEST_F(DurabilityTest, DiskThatRefusesStopsWritesButNotReads) {
  std::vector<std::string> acknowledged;
  auto fill = [&] {
    for (int i = 0; i < 200; ++i) {
      const std::string id = "m" + std::to_string(i);
      auto result = Store(id, std::string(8192, 'x') + " apples");
      if (!result.ok()) return result.status();
      acknowledged.push_back(id);
    }
    return absl::OkStatus();
  };
  absl::Status failed;
  {
    FileSizeLimit limit(256 << 10);
    failed = fill();
  }
  // The log may hold the batch that could not be synced: neither done nor failed.
  EXPECT_EQ(CodeOf(failed), ErrorCode::kUndetermined);
  EXPECT_THAT(failed.ToString(), HasSubstr(dir_.path().string()));
  EXPECT_FALSE(acknowledged.empty());
  // The disk has room again, but what it holds is only known after reopening.
  auto later = Store("later", "text");
  EXPECT_EQ(CodeOf(later.status()), ErrorCode::kStorageFailed);
  EXPECT_THAT(later.status().ToString(), HasSubstr("until it is restarted"));
  const std::string refused = "m" + std::to_string(acknowledged.size());
  EXPECT_EQ(CodeOf(Get(refused).status()), ErrorCode::kNotFound);
  for (const std::string& id : acknowledged) EXPECT_TRUE(Get(id).ok()) << id;
  EXPECT_FALSE(RecallIds("apples").empty());

  Open();
  for (const std::string& id : acknowledged) EXPECT_TRUE(Get(id).ok()) << id;
  EXPECT_TRUE(Store("later", "text").ok());
}

}  // namespace
}  // namespace engram::memory
