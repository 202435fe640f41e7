// Any node answers for any space: store through one, recall through the others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "engram/base/error.h"
#include "support/cluster.h"

namespace engram::testing {
namespace {

using client::Explain;
using ::testing::AnyOf;
using ::testing::ElementsAre;

v1::StoreRequest Store(const std::string& space, const std::string& id,
                       const std::string& content) {
  v1::StoreRequest request;
  request.set_space(space);
  request.set_id(id);
  request.set_content(content);
  return request;
}

v1::GetRequest Get(const std::string& space, const std::string& id) {
  v1::GetRequest request;
  request.set_space(space);
  request.set_id(id);
  return request;
}

v1::RecallRequest Recall(const std::string& space, const std::string& query) {
  v1::RecallRequest request;
  request.set_space(space);
  request.set_query(query);
  return request;
}

class AnyNode : public ::testing::Test {
 protected:
  TestCluster cluster_;
};

TEST_F(AnyNode, ServesEverySpaceFromWhereverItLives) {
  for (int owner = 0; owner < 3; ++owner) {
    std::string space = cluster_.SpaceOn(owner);
    for (int entry = 0; entry < 3; ++entry) {
      auto client = cluster_.Client({entry});
      std::string id = "m" + std::to_string(entry);
      auto stored = client->Store(Store(space, id, "the kettle number " + std::to_string(entry)),
                                  Explain::kYes);
      ASSERT_TRUE(stored.ok()) << stored.status();
      EXPECT_EQ(stored->served_by, cluster_.Name(owner));
      // The first one creates the space, which takes asking everybody whether it exists.
      ASSERT_GE(stored->route.size(), 1u);
      EXPECT_EQ(stored->route.back().node(), cluster_.Name(owner));
      EXPECT_EQ(stored->route.back().outcome(), "ok");
      EXPECT_EQ(stored->route.back().reason() == "creates the space", entry == 0);
    }
    for (int entry = 0; entry < 3; ++entry) {
      auto client = cluster_.Client({entry});
      auto recalled = client->Recall(Recall(space, "kettle"));
      ASSERT_TRUE(recalled.ok()) << recalled.status();
      EXPECT_EQ(recalled->message.results_size(), 3);
      EXPECT_EQ(recalled->served_by, cluster_.Name(owner));
      EXPECT_EQ(client->Get(Get(space, "m1"))->message.content(), "the kettle number 1");
    }
  }
}

TEST_F(AnyNode, AReadNeverCreatesASpace) {
  for (int entry = 0; entry < 3; ++entry) {
    auto client = cluster_.Client({entry});
    EXPECT_EQ(CodeOf(client->Recall(Recall("nowhere", "x")).status()), ErrorCode::kNoAssignment);
    EXPECT_EQ(CodeOf(client->Get(Get("nowhere", "x")).status()), ErrorCode::kNoAssignment);
  }
  EXPECT_EQ(cluster_.Client({0})->ListSpaces({})->message.spaces_size(), 0);
}

TEST_F(AnyNode, TheEntryNodeLearnsTheAssignmentFromTheAnswer) {
  std::string space = cluster_.SpaceOn(1);
  auto client = cluster_.Client({0});
  v1::ResolveRouteRequest question;
  question.set_space(space);
  EXPECT_EQ(client->ResolveRoute(question)->message.source(), "ring");
  ASSERT_TRUE(client->Store(Store(space, "a", "b")).ok());
  auto route = client->ResolveRoute(question);
  EXPECT_EQ(route->message.source(), "assignment");
  EXPECT_EQ(route->message.primary().id(), cluster_.Name(1));
  EXPECT_EQ(route->message.strategy(), "primary_with_fallback");
}

TEST_F(AnyNode, ForgettingAndLinkingAreRoutedToo) {
  std::string space = cluster_.SpaceOn(2);
  auto client = cluster_.Client({0});
  ASSERT_TRUE(client->Store(Store(space, "tea", "tea is at four")).ok());
  ASSERT_TRUE(client->Store(Store(space, "kettle", "an iron vessel")).ok());
  v1::LinkRequest link;
  link.set_space(space);
  link.set_from("tea");
  link.set_to("kettle");
  link.set_weight(0.9);
  ASSERT_TRUE(client->Link(link).ok());
  auto recalled = cluster_.Client({1})->Recall(Recall(space, "tea"));
  ASSERT_TRUE(recalled.ok());
  ASSERT_EQ(recalled->message.results_size(), 2);
  EXPECT_EQ(recalled->message.results(1).id(), "kettle");
  EXPECT_EQ(recalled->message.results(1).why().via(), "tea");
  v1::ForgetRequest forget;
  forget.set_space(space);
  forget.set_id("kettle");
  ASSERT_TRUE(cluster_.Client({1})->Forget(forget).ok());
  EXPECT_EQ(CodeOf(client->Get(Get(space, "kettle")).status()), ErrorCode::kNotFound);
}

TEST_F(AnyNode, TheClientTriesTheNextNodeWhenOneCannotBeReached) {
  std::string space = cluster_.SpaceOn(1);
  cluster_.Kill9(0);
  auto client = cluster_.Client({0, 2});
  ASSERT_TRUE(client->Store(Store(space, "a", "b")).ok());
  EXPECT_EQ(client->Get(Get(space, "a"))->served_by, cluster_.Name(1));
}

TEST_F(AnyNode, ADeadOwnerIsAnErrorThatNamesIt) {
  std::string space = cluster_.SpaceOn(1);
  auto client = cluster_.Client({0});
  ASSERT_TRUE(client->Store(Store(space, "a", "b")).ok());
  cluster_.Kill9(1);
  absl::Status status = client->Get(Get(space, "a")).status();
  EXPECT_EQ(CodeOf(status), ErrorCode::kAllReplicasFailed) << status;
  EXPECT_EQ(DetailOf(status).space, space);
  EXPECT_EQ(DetailOf(status).node, cluster_.Name(1));
  cluster_.Start(1);
  cluster_.AwaitReady(1);
  EXPECT_TRUE(Eventually([&] { return client->Get(Get(space, "a")).ok(); }));
}

// The request's bytes survive the tries that fail.
TEST(Retry, AWriteWaitsOutARestartOfItsOwner) {
  TestClusterOptions options;
  options.nodes = 2;
  options.flags = {"--tries-per-node", "100", "--retry-delay", "10ms", "--retry-delay-max", "50ms"};
  TestCluster cluster(options);
  std::string space = cluster.SpaceOn(1);
  auto client = cluster.Client({0});
  ASSERT_TRUE(client->Store(Store(space, "first", "makes the space")).ok());
  cluster.Kill9(1);
  auto waiting = std::async(std::launch::async, [&] {
    return client->Store(Store(space, "second", "while the owner is away"), Explain::kYes);
  });
  cluster.Start(1);
  auto stored = waiting.get();
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(client->Get(Get(space, "second"))->message.content(), "while the owner is away");
}

TEST_F(AnyNode, AStreamIsRoutedLineByLine) {
  std::vector<v1::StoreRequest> requests;
  for (int i = 0; i < 300; ++i) {
    requests.push_back(
        Store(cluster_.SpaceOn(i % 3), "line" + std::to_string(i), "text " + std::to_string(i)));
  }
  requests[17].set_space("Not A Space");
  requests[42].clear_content();
  auto answer = cluster_.Client({0})->StoreAll(requests);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->message.stored(), 298u);
  EXPECT_EQ(answer->message.failed(), 2u);
  std::vector<uint64_t> lines;
  for (const auto& error : answer->message.errors()) lines.push_back(error.line());
  std::sort(lines.begin(), lines.end());
  EXPECT_THAT(lines, ElementsAre(18u, 43u));
  EXPECT_EQ(answer->message.shares_size(), 3);
  for (int i : {0, 1, 2, 299}) {
    EXPECT_TRUE(
        cluster_.Client({(i + 1) % 3})->Get(Get(requests[i].space(), requests[i].id())).ok())
        << i;
  }
}

TEST_F(AnyNode, LaterLinesOfAStreamWin) {
  std::string space = cluster_.SpaceOn(1);
  std::vector<v1::StoreRequest> requests;
  for (int i = 0; i < 200; ++i)
    requests.push_back(Store(space, "same", "version " + std::to_string(i)));
  auto client = cluster_.Client({0});
  ASSERT_EQ(client->StoreAll(requests)->message.stored(), 200u);
  EXPECT_EQ(client->Get(Get(space, "same"))->message.content(), "version 199");
}

TEST_F(AnyNode, StatusSaysWhoIsMissing) {
  auto client = cluster_.Client({0});
  EXPECT_TRUE(client->GetStatus({})->message.whole());
  cluster_.Kill9(2);
  auto status = client->GetStatus({});
  ASSERT_TRUE(status.ok());
  EXPECT_FALSE(status->message.whole());
  ASSERT_EQ(status->message.missing_size(), 1);
  EXPECT_EQ(status->message.missing(0).id(), cluster_.Name(2));
  EXPECT_EQ(status->message.nodes(1).state(), v1::NODE_STATE_ALIVE);
  EXPECT_TRUE(Eventually([&] {
    return client->GetStatus({})->message.nodes(2).state() == v1::NODE_STATE_DEAD;
  })) << "membership notices it, too";
}

}  // namespace
}  // namespace engram::testing
