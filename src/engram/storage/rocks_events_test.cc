#include "engram/storage/rocks_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engram/storage/testing/captured_log.h"

namespace engram::storage {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

bool MayRecover(const rocksdb::Status& error) {
  bool allowed = true;
  RocksFailures().OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason::kWriteCallback, error,
                                       &allowed);
  return allowed;
}

TEST(RocksFailures, DoNotEndBeforeTheDatabaseIsOpenedAgain) {
  const rocksdb::Status full = rocksdb::Status::NoSpace();
  EXPECT_FALSE(MayRecover({full, rocksdb::Status::kHardError}));
  EXPECT_FALSE(MayRecover({full, rocksdb::Status::kFatalError}));
}

TEST(RocksFailures, ACompactionMayWaitForRoom) {
  EXPECT_TRUE(MayRecover({rocksdb::Status::NoSpace(), rocksdb::Status::kSoftError}));
}

TEST(RocksLog, WarningsAndErrorsAreInTheLogOfTheProcess) {
  CapturedLog log;
  RocksLog rocks;
  rocksdb::Warn(&rocks, "level %d is slow", 3);
  rocksdb::Error(&rocks, "file %s is lost", "000004.sst");
  EXPECT_EQ(log.text(),
            "warning event=database level 3 is slow\n"
            "error event=database file 000004.sst is lost\n");
}

TEST(RocksLog, NothingElseIs) {
  CapturedLog log;
  RocksLog rocks;
  rocksdb::Info(&rocks, "%s", "a flush");
  rocksdb::Header(&rocks, "%s", "all options");
  EXPECT_THAT(log.text(), IsEmpty());
}

}  // namespace
}  // namespace engram::storage
