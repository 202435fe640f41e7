#include "support/history.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <sstream>
#include <thread>
#include <vector>

#include "engram/base/error.h"
#include "support/random_history.h"

namespace engram::testing {
namespace {

using ::testing::HasSubstr;

std::string Written(const History& history) {
  std::ostringstream out;
  HistoryWriter writer(out);
  writer.Write(history);
  EXPECT_TRUE(writer.Finish().ok());
  return out.str();
}

absl::StatusOr<History> Read(const std::string& text) {
  std::istringstream in(text);
  return ReadHistory(in);
}

void ExpectSame(const History& one, const History& other) {
  EXPECT_EQ(one.operations, other.operations);
  EXPECT_EQ(one.copies, other.copies);
  EXPECT_EQ(one.held, other.held);
  EXPECT_EQ(one.lost_disks, other.lost_disks);
  EXPECT_EQ(one.calm, other.calm);
}

TEST(HistoryFile, GivesBackWhatWasWritten) {
  std::mt19937_64 random(1);
  const History history = RandomHistory({}, random);
  const auto read = Read(Written(history));
  ASSERT_TRUE(read.ok()) << read.status();
  ExpectSame(*read, history);
}

TEST(HistoryFile, GivesBackEveryByteAndEveryField) {
  History history;
  Operation op;
  op.line = 2;
  op.kind = OperationKind::kStore;
  op.outcome = Outcome::kFail;
  op.ack = AckLevel::kAll;
  op.flagged = op.first_effect = true;
  op.client = "-";
  op.request = " a/b,c@d%e\n";
  for (int byte = 0; byte < 256; ++byte) op.request.push_back(static_cast<char>(byte));
  op.id = MemoryId("--");
  op.begin = TimePoint(Duration(-5));
  op.version = {{7, NodeId("x/y")}, 9};
  op.token = {{8, NodeId("")}, 1};
  op.hops = 2;
  op.revisions = {{"", {}}, {"b", op.version}};
  history.operations = {op};
  history.lost_disks = {{3, NodeId("n 1")}};
  history.calm = {{4, TimePoint(Duration(1)), TimePoint(Duration(2))}};
  const auto read = Read(Written(history));
  ASSERT_TRUE(read.ok()) << read.status();
  ExpectSame(*read, history);
}

TEST(HistoryFile, IsWrittenByManyThreads) {
  std::ostringstream out;
  HistoryWriter writer(out);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&writer, t] {
      for (int i = 0; i < 500; ++i) writer.Write(LostDisk{0, NodeId(fmt::format("{}-{}", t, i))});
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(writer.Finish().ok());
  const auto read = Read(out.str());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->lost_disks.size(), 2000U);
}

TEST(HistoryFile, SaysThatItCouldNotBeWritten) {
  std::ostringstream out;
  HistoryWriter writer(out);
  out.setstate(std::ios::badbit);
  EXPECT_EQ(CodeOf(writer.Finish()), ErrorCode::kStorageFailed);
}

struct BadFile {
  std::string name;
  std::string text;
  std::string error;
};

class BadHistoryFile : public ::testing::TestWithParam<BadFile> {};

TEST_P(BadHistoryFile, IsRefusedWithLineAndField) {
  const auto read = Read(GetParam().text);
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(CodeOf(read.status()), ErrorCode::kInvalidArgument);
  EXPECT_THAT(std::string(read.status().message()), HasSubstr(GetParam().error));
}

constexpr const char* kStart = "engram-history 1\n";

INSTANTIATE_TEST_SUITE_P(
    All, BadHistoryFile,
    ::testing::Values(
        BadFile{"Empty", "", "line 1"}, BadFile{"OtherVersion", "engram-history 2\n", "line 1"},
        BadFile{"CutOff", kStart + std::string("lost a\n"), "cut off"},
        BadFile{"LineMissing", kStart + std::string("lost a\nend 3\n"), "line 3"},
        BadFile{"UnknownKind", kStart + std::string("lost a\nfoo\n"), "line 3: unknown kind"},
        BadFile{"TooShort", kStart + std::string("copy a\n"), "line 2: wrong or missing node"},
        BadFile{"TooLong", kStart + std::string("copy a b c\n"), "line 2: wrong or missing end"},
        BadFile{"BadEscape", kStart + std::string("copy a b%4\n"), "line 2: wrong or missing node"},
        BadFile{"BadNumber", kStart + std::string("calm 1 x\n"), "line 2: wrong or missing end"},
        BadFile{"BadVersion", kStart + std::string("held a b c v@1/2\n"), "missing revisions"},
        BadFile{"BadOutcome", kStart + std::string("op get maybe\n"), "missing outcome"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace engram::testing
