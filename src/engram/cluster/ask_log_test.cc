#include "engram/cluster/ask_log.h"

#include <gtest/gtest.h>

#include "engram/base/error.h"

namespace engram::cluster {
namespace {

TEST(AskLog, TellsEachReasonOnceUntilTheSeedAnswers) {
  AskLog log;
  const absl::Status refused = MakeError(ErrorCode::kConnectionFailed, "connection refused");
  const std::string line = "event=ask_failed address=a:1 reason=\"connection refused\"";
  EXPECT_EQ(log.OnError("a:1", refused), line);
  EXPECT_EQ(log.OnError("a:1", refused), std::nullopt);
  EXPECT_TRUE(log.OnError("b:1", refused).has_value());
  EXPECT_TRUE(log.OnError("a:1", MakeError(ErrorCode::kDeadlineExceeded, "silent")).has_value());
  EXPECT_EQ(log.OnError("a:1", refused), line);
  log.OnAnswer("a:1");
  EXPECT_EQ(log.OnError("a:1", refused), line);
}

TEST(AskLog, IsBounded) {
  AskLog log;
  const absl::Status refused = MakeError(ErrorCode::kConnectionFailed, "connection refused");
  int told = 0;
  for (int i = 0; i < 5000; ++i)
    told += log.OnError(std::to_string(i), refused).has_value() ? 1 : 0;
  EXPECT_EQ(told, 1024);
}

}  // namespace
}  // namespace engram::cluster
