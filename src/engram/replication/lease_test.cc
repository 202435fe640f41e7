#include "engram/replication/lease.h"

#include <gtest/gtest.h>

namespace engram::replication {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart{std::chrono::hours(1)};
const NodeId kB("b");
const NodeId kC("c");

TEST(PrimaryLease, BeginsInvalid) {
  const PrimaryLease lease({}, {kB, kC});
  EXPECT_FALSE(lease.IsValid(kStart));
}

TEST(PrimaryLease, OneOfTwoOthersIsAMajority) {
  PrimaryLease lease({}, {kB, kC});
  lease.Answered(kB, kStart);
  EXPECT_TRUE(lease.IsValid(kStart));
  EXPECT_TRUE(lease.IsValid(kStart + milliseconds(1999)));
  EXPECT_FALSE(lease.IsValid(kStart + seconds(2)));
}

TEST(PrimaryLease, CountsFromWhenTheHeartbeatWasSent) {
  PrimaryLease lease({}, {kB, kC});
  lease.Answered(kB, kStart + seconds(1));
  lease.Answered(kB, kStart);  // overtaken
  EXPECT_TRUE(lease.IsValid(kStart + milliseconds(2999)));
  EXPECT_FALSE(lease.IsValid(kStart + seconds(3)));
}

TEST(PrimaryLease, HalfOfTheHoldersIsNotEnough) {
  PrimaryLease lease({}, {kB, kC, NodeId("d")});
  lease.Answered(kB, kStart);
  lease.Answered(NodeId("stranger"), kStart);
  EXPECT_FALSE(lease.IsValid(kStart));
  lease.Answered(kC, kStart);
  EXPECT_TRUE(lease.IsValid(kStart));
}

TEST(PrimaryLease, TheOnlyHolderNeedsNobody) {
  EXPECT_TRUE(PrimaryLease({}, {}).IsValid(kStart));
  EXPECT_FALSE(PrimaryLease({}, {kB}).IsValid(kStart)) << "one of two is no majority";
}

TEST(PrimaryLease, AllTogetherOutvoteTheRestAlsoForgetfulOnes) {
  const TimePoint start = TimePoint(std::chrono::hours(1));
  PrimaryLease three({}, {NodeId("b"), NodeId("c")});
  three.AnsweredForgetful(NodeId("b"), start);
  EXPECT_FALSE(three.OutvotesTheRest(start));
  three.AnsweredForgetful(NodeId("c"), start);
  EXPECT_TRUE(three.OutvotesTheRest(start));
  EXPECT_FALSE(three.IsValid(start));
  EXPECT_FALSE(three.OutvotesTheRest(start + std::chrono::seconds(2)));
}

TEST(PrimaryLease, HalfOfAllOutvotesTheRestButIsNoLease) {
  const TimePoint start = TimePoint(std::chrono::hours(1));
  PrimaryLease two({}, {NodeId("b")});
  EXPECT_TRUE(two.OutvotesTheRest(start)) << "the other one alone is no majority";
  EXPECT_FALSE(two.IsValid(start));
  PrimaryLease three({}, {NodeId("b"), NodeId("c")});
  EXPECT_FALSE(three.OutvotesTheRest(start));
  three.Answered(NodeId("b"), start);
  EXPECT_TRUE(three.OutvotesTheRest(start));
  EXPECT_FALSE(three.OutvotesTheRest(start + std::chrono::seconds(2)));
  PrimaryLease four({}, {NodeId("b"), NodeId("c"), NodeId("d")});
  EXPECT_FALSE(four.OutvotesTheRest(start));
  four.Answered(NodeId("c"), start);
  EXPECT_TRUE(four.OutvotesTheRest(start));
  EXPECT_FALSE(four.IsValid(start));
}

TEST(PrimaryContact, WaitsAfterARestartAsAfterAContact) {
  PrimaryContact contact({}, kStart);
  EXPECT_FALSE(contact.MayPromise(kStart + milliseconds(2999)));
  EXPECT_TRUE(contact.MayPromise(kStart + seconds(3)));
  contact.Heard(kStart + seconds(3));
  EXPECT_FALSE(contact.MayPromise(kStart + seconds(5)));
  EXPECT_EQ(contact.due(), kStart + seconds(6));
}

TEST(PrimaryContact, NeedNotWaitForAProcessThatIsGone) {
  PrimaryContact contact({}, kStart);
  contact.Refused();
  EXPECT_TRUE(contact.MayPromise(kStart));
  contact.Heard(kStart);
  EXPECT_FALSE(contact.MayPromise(kStart + seconds(1))) << "it is back";
}

TEST(PrimaryContact, GivesACollectorItsTime) {
  PrimaryContact contact({}, kStart);
  contact.Refused();
  contact.Promised(kStart + seconds(1));
  EXPECT_FALSE(contact.MayPromise(kStart + seconds(3)));
  EXPECT_TRUE(contact.MayPromise(kStart + seconds(4)));
}

// What the two are for: whatever the answer's way took, the lease is over before the holder
// promises.
TEST(Lease, IsOverBeforeTheHolderPromises) {
  for (const Duration way : {milliseconds(0), milliseconds(700), milliseconds(2500)}) {
    PrimaryLease lease({}, {kB, kC});
    PrimaryContact contact({}, kStart);
    contact.Heard(kStart + way);
    lease.Answered(kB, kStart);
    EXPECT_GE(contact.due() - (kStart + LeaseOptions().lease), seconds(1));
    EXPECT_FALSE(lease.IsValid(contact.due() - seconds(1)));
  }
}

}  // namespace
}  // namespace engram::replication
