#include "engram/server/request_metadata.h"

#include <gtest/gtest.h>

namespace engram::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kNow{seconds(100)};

TEST(OperationDeadline, LeavesTheAnswerATwentiethOfTheClientsTimeToArrive) {
  EXPECT_EQ(OperationDeadline(kNow + milliseconds(200), seconds(10), kNow),
            kNow + milliseconds(190));
  EXPECT_EQ(OperationDeadline(kNow + seconds(10), seconds(10), kNow),
            kNow + seconds(10) - milliseconds(50));
}

TEST(OperationDeadline, IsTheNodesOwnIfThatIsEarlier) {
  EXPECT_EQ(OperationDeadline(kNow + seconds(50), seconds(10), kNow), kNow + seconds(10));
  EXPECT_EQ(OperationDeadline(TimePoint::max(), seconds(10), kNow), kNow + seconds(10));
}

TEST(OperationDeadline, ThatHasPassedStaysAsItIs) {
  EXPECT_EQ(OperationDeadline(kNow - seconds(1), seconds(10), kNow), kNow - seconds(1));
}

}  // namespace
}  // namespace engram::server
