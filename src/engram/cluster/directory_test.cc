#include "engram/cluster/directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace engram::cluster {
namespace {

using membership::Incarnation;
using membership::MemberState;
using ::testing::UnorderedElementsAre;

class DirectoryTest : public ::testing::Test {
 protected:
  void Say(const std::string& id, MemberState state, const std::string& zone = "",
           const std::string& rack = "", uint64_t incarnation = 1) {
    const membership::MemberInfo info{id + ":7946", id + ":50051", zone, rack};
    members_.Apply({NodeId(id), {Incarnation{incarnation}, state}, info, {}}, TimePoint{});
    directory_.Publish(std::make_shared<const ClusterView>(), members_);
  }
  routing::NodeState& Node(const std::string& id) { return nodes_.Of(nodes_.Intern(NodeId(id))); }
  std::vector<std::string> Members() const {
    std::vector<std::string> ids;
    for (routing::NodeIndex node : directory_.members()) ids.push_back(nodes_.IdOf(node).value());
    return ids;
  }

  routing::NodeTable nodes_;
  const routing::NodeIndex self_ = nodes_.Intern(NodeId("me"));
  Directory directory_{nodes_, self_, "me:50051"};
  membership::MemberTable members_;
};

TEST_F(DirectoryTest, IsAloneUntilSomethingIsPublished) {
  EXPECT_THAT(Members(), UnorderedElementsAre("me"));
  EXPECT_EQ(directory_.FirstHolder("space", 1), self_);
  EXPECT_EQ(*directory_.AddressOf(self_), "me:50051");
  EXPECT_EQ(directory_.cluster_id(), "");
}

TEST_F(DirectoryTest, TellsHowFarEachNodeIs) {
  Say("me", MemberState::kAlive, "z1", "r1");
  Say("rack", MemberState::kAlive, "z1", "r1");
  Say("zone", MemberState::kAlive, "z1", "r2");
  Say("away", MemberState::kAlive, "z2", "r1");
  Say("unlabelled", MemberState::kAlive);
  EXPECT_EQ(Node("me").distance, routing::Distance::kSelf);
  EXPECT_EQ(Node("rack").distance, routing::Distance::kSameRack);
  EXPECT_EQ(Node("zone").distance, routing::Distance::kSameZone);
  EXPECT_EQ(Node("away").distance, routing::Distance::kElsewhere) << "the racks only share a name";
  EXPECT_EQ(Node("unlabelled").distance, routing::Distance::kElsewhere);
}

TEST_F(DirectoryTest, NodesWithoutLabelsAreNotNearEachOther) {
  Say("me", MemberState::kAlive);
  Say("other", MemberState::kAlive);
  EXPECT_EQ(Node("other").distance, routing::Distance::kElsewhere);
}

TEST_F(DirectoryTest, TheDeadStayInTheRingAndWhoHasLeftDoesNot) {
  Say("me", MemberState::kAlive);
  Say("a", MemberState::kAlive);
  Say("b", MemberState::kAlive);
  Say("a", MemberState::kDead);
  Say("b", MemberState::kLeft);
  EXPECT_THAT(Members(), UnorderedElementsAre("a", "me"));
  EXPECT_EQ(Node("a").liveness, routing::Liveness::kDead);
  EXPECT_EQ(Node("b").liveness, routing::Liveness::kLeft);
  std::set<routing::NodeIndex> proposed;
  for (int i = 0; i < 200; ++i) proposed.insert(directory_.FirstHolder(std::to_string(i), 1));
  EXPECT_THAT(proposed, UnorderedElementsAre(self_, nodes_.Intern(NodeId("a"))));
}

TEST_F(DirectoryTest, ANewAddressIsDialledAndTheOldOneStaysReadable) {
  Say("me", MemberState::kAlive);
  Say("a", MemberState::kAlive);
  const std::string* before = directory_.AddressOf(nodes_.Intern(NodeId("a")));
  membership::Update moved{NodeId("a"), {Incarnation{2}, MemberState::kAlive}, std::nullopt, {}};
  moved.info = membership::MemberInfo{"b:7946", "b:50051", "", ""};
  members_.Apply(moved, TimePoint{});
  directory_.Publish(std::make_shared<const ClusterView>(), members_);
  EXPECT_EQ(*directory_.AddressOf(nodes_.Intern(NodeId("a"))), "b:50051");
  EXPECT_EQ(*before, "a:50051");
}

TEST_F(DirectoryTest, ThisNodeIsAMemberToItselfAlsoWhileItLeaves) {
  Say("me", MemberState::kAlive);
  Say("me", MemberState::kLeft);
  EXPECT_THAT(Members(), UnorderedElementsAre("me"));
}

}  // namespace
}  // namespace engram::cluster
