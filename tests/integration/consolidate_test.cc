// Consolidation on real nodes: whoever is asked, a holder does it, all copies have the same of it,
// and to do it again changes nothing, whatever came between.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engram/base/error.h"
#include "support/cluster.h"
#include "support/requests.h"

namespace engram::testing {
namespace {

using ::testing::HasSubstr;

constexpr char kSpace[] = "notes";

class Consolidate : public ::testing::Test {
 protected:
  struct Result {
    absl::StatusOr<client::Answer<v1::ConsolidateTotals>> answer;
    std::map<std::string, v1::ConsolidatedGroup> groups;  // by id
  };

  static TestClusterOptions Options() {
    TestClusterOptions options;
    options.nodes = 4;
    options.copies = 3;
    return options;
  }

  static v1::ConsolidateRequest Request(bool dry_run = false) {
    v1::ConsolidateRequest request;
    request.set_space(kSpace);
    request.set_dry_run(dry_run);
    return request;
  }

  Result Run(int node, const v1::ConsolidateRequest& request = Request()) const {
    Result result;
    result.answer = cluster_.Client({node})->Consolidate(
        request, [&result](const v1::ConsolidateResponse& part) {
          if (part.has_group()) result.groups[part.group().id()] = part.group();
        });
    return result;
  }

  // Three groups of three, two and two, and one that is like nothing else.
  void StoreEpisodes() const {
    const auto client = cluster_.Client({0});
    const std::map<std::string, std::string> episodes = {
        {"a1", "The kettle in the kitchen is broken, do not use it"},
        {"a2", "the kettle in the kitchen is broken: do not use it"},
        {"a3", "The kettle in the kitchen is broken, do not use it!"},
        {"b1", "Ann's birthday is on the fourth of May"},
        {"b2", "Ann's birthday is on the fourth of May."},
        {"c1", "The train to Basel leaves from platform seven"},
        {"c2", "the train to Basel leaves from platform seven"},
        {"d1", "Nobody has watered the plants on the second floor"}};
    for (const auto& [id, content] : episodes) {
      ASSERT_TRUE(client->Store(MakeStore(kSpace, id, content)).ok());
    }
  }

  // One episode of each group for each of the names, which say how it ends.
  static void StoreGroups(client::Client& client, uint64_t groups,
                          const std::map<std::string, std::string>& endings) {
    std::vector<v1::StoreRequest> episodes;
    for (uint64_t i = 0; i < groups; ++i) {
      for (const auto& [name, end] : endings) {
        episodes.push_back(
            MakeStore(kSpace, fmt::format("e{:04}{}", i, name),
                      fmt::format("on day {0} visitor {1} came from town {2} with {3} bags{4}",
                                  i * 7919, i * 104'729, i * 1'299'709, i * 15'485'863, end)));
      }
    }
    ASSERT_TRUE(client.StoreAll(episodes).ok());
  }

  int NonHolder() const {
    const std::set<int> holders = Holders();
    for (int i : cluster_.Indexes()) {
      if (!holders.contains(i)) return i;
    }
    ADD_FAILURE() << "every node holds it";
    return 0;
  }

  std::set<int> Holders() const {
    std::set<int> holders;
    EXPECT_TRUE(Eventually([&] {
      const auto route = RouteAt(0);
      if (!route.has_value()) return false;
      holders = {cluster_.IndexOf(route->primary().id())};
      for (const auto& replica : route->replicas()) holders.insert(cluster_.IndexOf(replica.id()));
      return holders.size() == 3;
    }));
    return holders;
  }

  int Primary() const { return cluster_.IndexOf(RouteAt(0)->primary().id()); }

  std::optional<v1::ResolveRouteResponse> RouteAt(int node) const {
    v1::ResolveRouteRequest question;
    question.set_space(kSpace);
    const auto answer = cluster_.Client({node})->ResolveRoute(question);
    if (!answer.ok()) return std::nullopt;
    return answer->message;
  }

  // As each holder has it in its own copy.
  void ExpectOnAllCopies(const std::map<std::string, v1::ConsolidatedGroup>& groups) const {
    for (int i : Holders()) {
      const auto client = cluster_.Client({i});
      for (const auto& [id, group] : groups) {
        const auto got = client->Get(MakeGet(kSpace, id));
        ASSERT_TRUE(got.ok()) << got.status();
        EXPECT_EQ(got->served_by, cluster_.Name(i));
        EXPECT_EQ(got->message.content(), group.content());
        EXPECT_EQ(got->message.kind(), v1::KIND_SEMANTIC);
        EXPECT_EQ(got->message.siblings_size(), 0);
        std::set<std::string> sources;
        std::set<std::string> links;
        for (const auto& source : group.sources()) sources.insert(source.id());
        for (const auto& link : got->message.links()) links.insert(link.to());
        EXPECT_EQ(links, sources);
      }
    }
  }

  TestCluster cluster_{Options()};
};

TEST_F(Consolidate, AHolderDoesItWhoeverIsAskedAndAllCopiesHaveTheSame) {
  StoreEpisodes();
  const int asked = NonHolder();
  const Result dry = Run(asked, Request(true));
  ASSERT_TRUE(dry.answer.ok()) << dry.answer.status();
  EXPECT_EQ(dry.answer->message.created(), 3u);
  EXPECT_FALSE(dry.answer->message.has_version());

  const Result done = Run(asked);
  ASSERT_TRUE(done.answer.ok()) << done.answer.status();
  EXPECT_TRUE(Holders().contains(cluster_.IndexOf(done.answer->served_by)));
  // The trial has written nothing.
  EXPECT_EQ(done.answer->message.created(), 3u);
  EXPECT_EQ(done.answer->message.episodes(), 8u);
  ASSERT_EQ(done.groups.size(), 3u);
  for (const auto& [id, group] : done.groups) {
    ASSERT_TRUE(dry.groups.contains(id));
    EXPECT_EQ(dry.groups.at(id).content(), group.content());
    EXPECT_TRUE(group.has_version());
  }
  // A replica that has not yet got the writes would repeat them, under the same request ids.
  ASSERT_TRUE(
      Eventually([&] { return Run(asked, Request(true)).answer->message.unchanged() == 3; }));
  for (int i : Holders()) {
    ASSERT_TRUE(Eventually([&] { return Run(i).answer->message.unchanged() == 3; }));
  }
  ExpectOnAllCopies(done.groups);
}

TEST_F(Consolidate, WhatComesLaterJoinsAndWhatSomebodyHasChangedIsLeftAlone) {
  StoreEpisodes();
  const int primary = Primary();
  const Result first = Run(primary);
  ASSERT_TRUE(first.answer.ok()) << first.answer.status();
  const auto client = cluster_.Client({primary});
  std::string kettle;
  std::string train;
  for (const auto& [id, group] : first.groups) {
    if (group.sources(0).id() == "a1") kettle = id;
    if (group.sources(0).id() == "c1") train = id;
  }
  ASSERT_TRUE(client
                  ->Store(MakeStore(kSpace, "a4",
                                    "the kettle in the kitchen is broken, do not "
                                    "use it."))
                  .ok());
  ASSERT_TRUE(client->Store(MakeStore(kSpace, train, "Basel: platform seven")).ok());
  const Result second = Run(primary);
  ASSERT_TRUE(second.answer.ok()) << second.answer.status();
  EXPECT_EQ(second.groups.at(kettle).outcome(), v1::CONSOLIDATE_OUTCOME_UPDATED);
  EXPECT_EQ(second.groups.at(kettle).sources_size(), 4);
  EXPECT_EQ(second.groups.at(train).outcome(), v1::CONSOLIDATE_OUTCOME_TAKEN_OVER);
  EXPECT_EQ(client->Get(MakeGet(kSpace, train))->message.content(), "Basel: platform seven");
  EXPECT_EQ(second.answer->message.failed(), 0u);
}

// Those that are written last are edited while the first ones are written: whichever write of a
// memory comes first, the edit is what is left. Planned at a replica, carried out at the primary.
TEST_F(Consolidate, AnEditBetweenPlanAndWriteIsNotLost) {
  constexpr uint64_t kGroups = 300;
  constexpr uint64_t kEdited = 100;
  const auto client = cluster_.Client(cluster_.Indexes());
  StoreGroups(*client, kGroups, {{"a", ""}, {"b", "."}});
  const Result first = Run(Primary());
  ASSERT_TRUE(first.answer.ok()) << first.answer.status();
  ASSERT_EQ(first.groups.size(), kGroups);
  StoreGroups(*client, kGroups, {{"c", "!"}});
  std::map<std::string, std::string> by_leader;  // ids, in the order in which they are written
  for (const auto& [id, group] : first.groups) by_leader[group.sources(0).id()] = id;
  std::vector<std::string> edited;
  for (auto at = by_leader.rbegin(); edited.size() < kEdited; ++at) edited.push_back(at->second);

  std::set<int> replicas = Holders();
  replicas.erase(Primary());
  const int replica = *replicas.begin();
  ASSERT_TRUE(Eventually([&] {
    const Result dry = Run(replica, Request(true));
    return dry.answer.ok() && dry.answer->message.updated() == kGroups;
  }));
  std::thread editor;
  const auto second = cluster_.Client({replica})->Consolidate(
      Request(), [&](const v1::ConsolidateResponse& /*part*/) {
        if (editor.joinable()) return;
        editor = std::thread([&] {
          for (const std::string& id : edited) {
            EXPECT_TRUE(client->Store(MakeStore(kSpace, id, "mine")).ok());
          }
        });
      });
  editor.join();
  ASSERT_TRUE(second.ok()) << second.status();
  fmt::print("{} updated, {} left alone\n", second->message.updated(),
             second->message.taken_over());
  EXPECT_GE(second->message.updated(), kGroups - kEdited);
  EXPECT_EQ(second->message.failed(), 0u);
  for (const std::string& id : edited) {
    EXPECT_EQ(client->Get(MakeGet(kSpace, id))->message.content(), "mine") << id;
  }
}

TEST_F(Consolidate, APrimaryThatIsKilledMeanwhileLeavesNothingHalfDoneForGood) {
  const auto all = cluster_.Client(cluster_.Indexes());
  constexpr uint64_t kGroups = 400;
  StoreGroups(*all, kGroups, {{"a", ""}, {"b", "."}});
  const int primary = Primary();
  std::vector<int> others;
  for (int i : Holders()) {
    if (i != primary) others.push_back(i);
  }
  // Asked at a replica, which writes through the primary.
  bool killed = false;
  (void)cluster_.Client({others[0]})
      ->Consolidate(Request(), [&](const v1::ConsolidateResponse& part) {
        if (part.has_group() && !std::exchange(killed, true)) cluster_.Kill9(primary);
      });
  ASSERT_TRUE(killed);
  Result again;
  ASSERT_TRUE(Eventually([&] {
    again = Run(others[0]);
    return again.answer.ok() && again.answer->message.remaining() == 0;
  })) << again.answer.status();
  const v1::ConsolidateTotals& totals = again.answer->message;
  fmt::print("after the kill: {} created, {} unchanged\n", totals.created(), totals.unchanged());
  EXPECT_EQ(totals.created() + totals.unchanged(), kGroups);
  cluster_.Start(primary);
  cluster_.AwaitReady(primary);
  for (int i : {others[0], others[1], primary}) {
    EXPECT_TRUE(Eventually([&] {
      const Result result = Run(i, Request(true));
      return result.answer.ok() && result.answer->served_by == cluster_.Name(i) &&
             result.answer->message.unchanged() == kGroups;
    })) << "node "
        << i;
  }
}

// A plan is cut short at 32 MB; what is left is planned when that has been written.
TEST_F(Consolidate, WhatIsTooMuchForOnePlanIsDoneInSeveral) {
  const auto client = cluster_.Client({0});
  constexpr uint64_t kGroups = 40;
  for (uint64_t i = 0; i < 2 * kGroups; ++i) {
    v1::StoreRequest store = MakeStore(kSpace, fmt::format("e{:03}", i), "");
    store.set_content(std::string(900'000, static_cast<char>('a' + i % 26)));
    std::mt19937_64 random(i / 2);  // alike in pairs, by their embeddings
    for (int k = 0; k < 64; ++k) store.add_embedding(static_cast<float>(random() % 997) - 498);
    ASSERT_TRUE(client->Store(store).ok());
  }
  const Result done = Run(Primary());
  ASSERT_TRUE(done.answer.ok()) << done.answer.status();
  EXPECT_EQ(done.answer->message.created(), kGroups);
  EXPECT_EQ(done.answer->message.remaining(), 0u);
  EXPECT_EQ(done.groups.size(), kGroups);
}

// What a node keeps of a plan until its client has read of it is megabytes.
TEST_F(Consolidate, ClientsThatDoNotReadAreFew) {
  const auto client = cluster_.Client({0});
  constexpr int kServed = 4;
  for (int i = 0; i < 24; ++i) {
    v1::StoreRequest store = MakeStore(kSpace, fmt::format("e{:02}", i), std::string(900'000, 'x'));
    std::mt19937_64 random(static_cast<uint64_t>(i) / 2);  // alike in pairs
    for (int k = 0; k < 64; ++k) store.add_embedding(static_cast<float>(random() % 997) - 498);
    ASSERT_TRUE(client->Store(store).ok());
  }
  const int primary = Primary();
  std::promise<void> read_on;
  const std::shared_future<void> may_read = read_on.get_future().share();
  std::atomic<int> reading = 0;
  std::atomic<int> done = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < kServed; ++i) {
    readers.emplace_back([&] {
      bool first = true;
      const auto answer = cluster_.Client({primary})->Consolidate(
          Request(true), [&](const v1::ConsolidateResponse& /*part*/) {
            if (!std::exchange(first, false)) return;
            ++reading;
            may_read.wait();
          });
      EXPECT_TRUE(answer.ok()) << answer.status();
      ++done;
    });
  }
  EXPECT_TRUE(Eventually([&] { return reading == kServed; }));
  EXPECT_EQ(CodeOf(Run(primary, Request(true)).answer.status()), ErrorCode::kOverloaded);
  EXPECT_EQ(done, 0);
  read_on.set_value();
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(done, kServed);
  EXPECT_TRUE(Eventually([&] { return Run(primary, Request(true)).answer.ok(); }));
}

// Nothing is written of a trial, so no write tells that the others are out of reach.
TEST_F(Consolidate, ATrialAtANodeThatIsCutOffSaysSo) {
  StoreEpisodes();
  const int left = *Holders().begin();
  ASSERT_TRUE(Eventually([&] {
    const Result dry = Run(left, Request(true));
    return dry.answer.ok() && !dry.answer->degraded && dry.answer->message.created() == 3;
  }));
  for (int i : cluster_.Indexes()) {
    if (i != left) cluster_.Kill9(i);
  }
  EXPECT_TRUE(Eventually([&] {
    const Result dry = Run(left, Request(true));
    return dry.answer.ok() && dry.answer->degraded && dry.answer->message.created() == 3;
  }));
}

// What it writes ends, and the client learns why the rest did not come.
TEST_F(Consolidate, ANodeThatStopsInTheMiddleSaysSo) {
  const auto client = cluster_.Client(cluster_.Indexes());
  constexpr uint64_t kGroups = 3000;
  StoreGroups(*client, kGroups, {{"a", ""}, {"b", "."}});
  const int asked = Primary();
  std::thread stopper;
  v1::ConsolidateTotals totals;
  const auto stopped =
      cluster_.Client({asked})->Consolidate(Request(), [&](const v1::ConsolidateResponse& part) {
        if (part.has_totals()) totals = part.totals();
        if (!stopper.joinable()) stopper = std::thread([&] { cluster_.Stop(asked); });
      });
  stopper.join();
  fmt::print("{}: {} created, {} failed, {} remain\n", stopped.status().ToString(),
             totals.created(), totals.failed(), totals.remaining());
  EXPECT_TRUE(stopped.ok() || totals.failed() > 0 ||
              CodeOf(stopped.status()) == ErrorCode::kShuttingDown)
      << stopped.status();
  EXPECT_GT(totals.created(), 0u);
  EXPECT_EQ(totals.created() + totals.failed() + totals.remaining(), kGroups);
}

TEST_F(Consolidate, BadRequestsAreRefusedByTheirField) {
  StoreEpisodes();
  v1::ConsolidateRequest request = Request();
  request.set_embedding_similarity(0.5);
  auto refused = Run(Primary(), request).answer.status();
  EXPECT_EQ(DetailOf(refused).field, "embedding_similarity") << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("0.9"));
  request = Request();
  request.set_text_similarity(2);
  EXPECT_EQ(DetailOf(Run(Primary(), request).answer.status()).field, "text_similarity");
  request = Request();
  request.set_space("Not A Name");
  EXPECT_EQ(DetailOf(Run(0, request).answer.status()).field, "space");
  request.set_space("nowhere");
  for (int i : cluster_.Indexes()) {
    EXPECT_EQ(CodeOf(Run(i, request).answer.status()), ErrorCode::kNoAssignment);
  }
}

}  // namespace
}  // namespace engram::testing
