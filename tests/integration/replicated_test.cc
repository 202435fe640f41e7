// Spaces with three copies, on real nodes: what is acknowledged stays, whoever is killed, stopped
// or told to go; another holder takes over, and all copies become one. How long it took is
// printed; what decides is what was acknowledged and what is there.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "engram/base/error.h"
#include "support/cluster.h"
#include "support/failing_disk.h"
#include "support/requests.h"

namespace engram::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

constexpr char kSpace[] = "notes";

TestClusterOptions Replicated(int nodes = 3) {
  TestClusterOptions options;
  options.nodes = nodes;
  options.copies = 3;
  return options;
}

// Stores one memory after the other, through any of the nodes, and remembers what was acknowledged
// and the longest time between two acknowledgements.
class Writer {
 public:
  Writer(const TestCluster& cluster, const std::vector<int>& nodes, std::string prefix = "m")
      : prefix_(std::move(prefix)), client_(cluster.Client(nodes)), thread_([this] { Run(); }) {}
  ~Writer() { Stop(); }

  void Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  std::set<std::string> acknowledged() const {
    const std::lock_guard lock(mutex_);
    return acknowledged_;
  }
  std::vector<std::string> refused() const {
    const std::lock_guard lock(mutex_);
    return refused_;
  }
  milliseconds longest_gap() const { return longest_gap_; }
  bool AwaitMore(size_t count) const {
    const size_t now = acknowledged().size();
    return Eventually([&] { return acknowledged().size() >= now + count; });
  }

 private:
  void Run() {
    Clock::time_point last = Clock::now();
    for (int n = 0; !stop_; ++n) {
      const std::string id = prefix_ + std::to_string(n);
      const auto answer = client_->Store(MakeStore(kSpace, id, "note " + std::to_string(n)));
      const std::lock_guard lock(mutex_);
      if (!answer.ok()) {
        refused_.push_back(answer.status().ToString());
        continue;
      }
      acknowledged_.insert(id);
      const auto now = Clock::now();
      longest_gap_ = std::max(longest_gap_, std::chrono::duration_cast<milliseconds>(now - last));
      last = now;
    }
  }

  const std::string prefix_;
  std::unique_ptr<client::Client> client_;
  std::atomic<bool> stop_ = false;
  mutable std::mutex mutex_;
  std::set<std::string> acknowledged_;
  std::vector<std::string> refused_;
  milliseconds longest_gap_{};
  std::thread thread_;
};

// The primary and the epoch's counter, as the node knows them.
struct Lead {
  int primary = -1;
  uint64_t counter = 0;
};

Lead LeadAt(const TestCluster& cluster, int node) {
  v1::ResolveRouteRequest question;
  question.set_space(kSpace);
  const auto answer = cluster.Client({node}, seconds(2))->ResolveRoute(question);
  if (!answer.ok() || answer->message.primary().id().empty()) return {};
  return {cluster.IndexOf(answer->message.primary().id()),
          answer->message.version().epoch().counter()};
}

// Node i's own copy has all of them.
bool HasAll(const TestCluster& cluster, int i, const std::set<std::string>& ids) {
  const auto client = cluster.Client({i}, seconds(5));
  return std::all_of(ids.begin(), ids.end(), [&](const std::string& id) {
    const auto got = client->Get(MakeGet(kSpace, id));
    return got.ok() && got->served_by == cluster.Name(i);
  });
}

void ExpectOnAllCopies(const TestCluster& cluster, const std::set<std::string>& ids) {
  for (int i : cluster.Indexes()) {
    EXPECT_TRUE(Eventually([&] { return HasAll(cluster, i, ids); }))
        << "node " << i << " lacks something of " << ids.size();
  }
}

TEST(Replicated, WhatIsStoredIsOnAllCopies) {
  TestCluster cluster(Replicated());
  Writer writer(cluster, {0});
  ASSERT_TRUE(writer.AwaitMore(200));
  writer.Stop();
  EXPECT_TRUE(writer.refused().empty()) << writer.refused().front();
  ExpectOnAllCopies(cluster, writer.acknowledged());
}

TEST(Replicated, AKilledPrimaryIsReplacedAndComesBackAsAReplica) {
  TestCluster cluster(Replicated());
  Writer writer(cluster, cluster.Indexes());
  ASSERT_TRUE(writer.AwaitMore(50));
  const Lead before = LeadAt(cluster, 0);
  ASSERT_GE(before.primary, 0);
  cluster.Kill9(before.primary);
  ASSERT_TRUE(writer.AwaitMore(50));
  const int asked = (before.primary + 1) % cluster.size();
  EXPECT_NE(LeadAt(cluster, asked).primary, before.primary);
  EXPECT_GT(LeadAt(cluster, asked).counter, before.counter);
  cluster.Start(before.primary);
  cluster.AwaitReady(before.primary);
  ASSERT_TRUE(writer.AwaitMore(50));
  writer.Stop();
  EXPECT_TRUE(writer.refused().empty()) << writer.refused().front();
  fmt::print("longest gap {} ms\n", writer.longest_gap().count());
  ExpectOnAllCopies(cluster, writer.acknowledged());
}

TEST(Replicated, APrimaryThatIsToldToGoLosesNoRequest) {
  TestCluster cluster(Replicated());
  Writer writer(cluster, cluster.Indexes());
  ASSERT_TRUE(writer.AwaitMore(50));
  const Lead before = LeadAt(cluster, 0);
  ASSERT_GE(before.primary, 0);
  cluster.Stop(before.primary);
  ASSERT_TRUE(writer.AwaitMore(50));
  cluster.Start(before.primary);
  cluster.AwaitReady(before.primary);
  ASSERT_TRUE(writer.AwaitMore(50));
  writer.Stop();
  EXPECT_TRUE(writer.refused().empty()) << writer.refused().front();
  fmt::print("longest gap {} ms\n", writer.longest_gap().count());
  ExpectOnAllCopies(cluster, writer.acknowledged());
}

TEST(Replicated, AStoppedPrimaryIsReplacedAndStepsDown) {
  TestCluster cluster(Replicated());
  Writer writer(cluster, cluster.Indexes());
  ASSERT_TRUE(writer.AwaitMore(50));
  const Lead before = LeadAt(cluster, 0);
  ASSERT_GE(before.primary, 0);
  cluster.node(before.primary).Signal(SIGSTOP);
  ASSERT_TRUE(writer.AwaitMore(50));
  cluster.node(before.primary).Signal(SIGCONT);
  ASSERT_TRUE(writer.AwaitMore(50));
  writer.Stop();
  fmt::print("longest gap {} ms\n", writer.longest_gap().count());
  ExpectOnAllCopies(cluster, writer.acknowledged());
  EXPECT_GT(LeadAt(cluster, before.primary).counter, before.counter);
}

// Writes from several clients, which it counts; gone when enough were acknowledged.
void StoreMany(const TestCluster& cluster, const std::vector<int>& nodes, size_t count) {
  std::vector<std::unique_ptr<Writer>> writers;
  for (int i = 0; i < 8; ++i) {
    writers.push_back(std::make_unique<Writer>(cluster, nodes, fmt::format("many{}-", i)));
  }
  EXPECT_TRUE(Eventually([&] {
    size_t stored = 0;
    for (const auto& writer : writers) stored += writer->acknowledged().size();
    return stored >= count;
  }));
}

// It runs, and is heard by all; but it can store nothing, and says so.
TEST(Replicated, APrimaryWhoseDiskFailsIsReplacedAndGoesOnForOthers) {
  TestClusterOptions options = Replicated();
  options.durability = "fsync";
  TestCluster cluster(options);
  ASSERT_TRUE(cluster.Client({0})->Store(MakeStore(kSpace, "first", "a note")).ok());
  const Lead before = LeadAt(cluster, 0);
  const int next = (before.primary + 1) % 3;
  std::set<std::string> acknowledged;
  {
    const FailingDisk disk(cluster.node(before.primary).pid());
    const Writer writer(cluster, {next});
    EXPECT_TRUE(Eventually([&] {
      const Lead now = LeadAt(cluster, next);
      return now.counter > before.counter && now.primary != before.primary;
    }));
    EXPECT_TRUE(writer.AwaitMore(20));
    const auto through_it = cluster.Client({before.primary})->Store(MakeStore(kSpace, "x", "y"));
    EXPECT_TRUE(through_it.ok()) << through_it.status();
    acknowledged = writer.acknowledged();
  }
  EXPECT_TRUE(cluster.node(before.primary).Running());
  cluster.Kill9(before.primary);
  cluster.Start(before.primary);
  acknowledged.insert({"first", "x"});
  for (const int i : cluster.Indexes()) {
    EXPECT_TRUE(Eventually([&] { return HasAll(cluster, i, acknowledged); })) << i;
  }
}

// Who has asked it meanwhile has learnt nothing that would outlive its restart.
TEST(Replicated, AnOnlyHolderWhoseDiskFailsSaysSoAndIsFoundAgain) {
  TestClusterOptions options;
  options.durability = "fsync";
  TestCluster cluster(options);
  ASSERT_TRUE(cluster.Client({0})->Store(MakeStore(kSpace, "first", "a note")).ok());
  const int holder = LeadAt(cluster, 0).primary;
  const int other = (holder + 1) % 3;
  {
    const FailingDisk disk(cluster.node(holder).pid());
    EXPECT_TRUE(Eventually([&] {
      const auto stored = cluster.Client({other})->Store(MakeStore(kSpace, "second", "one more"));
      return CodeOf(stored.status()) == ErrorCode::kStorageFailed;
    }));
    const auto got = cluster.Client({other})->Get(MakeGet(kSpace, "first"));
    EXPECT_TRUE(got.ok()) << got.status();
  }
  cluster.Kill9(holder);
  cluster.Start(holder);
  cluster.AwaitReady(holder);
  EXPECT_TRUE(Eventually([&] {
    return cluster.Client({other}, seconds(5))->Store(MakeStore(kSpace, "third", "later")).ok();
  }));
}

// The other one that is up is no majority, and it has heard meanwhile that there is no primary.
// That must not outlive the failure: the same office goes on.
TEST(Replicated, APrimaryThatNobodyCouldReplaceIsFoundAgainWhenItsDiskIsBack) {
  TestClusterOptions options = Replicated();
  options.durability = "fsync";
  TestCluster cluster(options);
  ASSERT_TRUE(cluster.Client({0})->Store(MakeStore(kSpace, "first", "a note")).ok());
  const int primary = LeadAt(cluster, 0).primary;
  const int other = (primary + 1) % 3;
  cluster.Kill9((primary + 2) % 3);
  {
    const FailingDisk disk(cluster.node(primary).pid());
    EXPECT_TRUE(Eventually([&] {
      const auto client = cluster.Client({primary}, seconds(1));
      return !client->Store(MakeStore(kSpace, "second", "one more")).ok() &&
             LeadAt(cluster, primary).primary < 0;
    }));
    const auto through_other = cluster.Client({other}, seconds(2));
    EXPECT_FALSE(through_other->Store(MakeStore(kSpace, "third", "refused")).ok());
  }
  cluster.Kill9(primary);
  cluster.Start(primary);
  cluster.AwaitReady(primary);
  EXPECT_TRUE(Eventually([&] {
    return cluster.Client({other}, seconds(5))->Store(MakeStore(kSpace, "fourth", "later")).ok();
  }));
}

// There is nobody who could replace it.
TEST(Replicated, ANodeSaysWhenItKnowsOfNoPrimary) {
  TestClusterOptions options = Replicated();
  options.durability = "fsync";
  TestCluster cluster(options);
  ASSERT_TRUE(cluster.Client({0})->Store(MakeStore(kSpace, "first", "a note")).ok());
  const int primary = LeadAt(cluster, 0).primary;
  for (const int i : cluster.Indexes()) {
    if (i != primary) cluster.Kill9(i);
  }
  const FailingDisk disk(cluster.node(primary).pid());
  EXPECT_TRUE(Eventually([&] {
    const auto client = cluster.Client({primary}, seconds(1));
    return !client->Store(MakeStore(kSpace, "second", "one more")).ok() &&
           LeadAt(cluster, primary).primary < 0;
  }));
  EXPECT_TRUE(cluster.node(primary).Running());
  EXPECT_NE(cluster.Cli(primary, {"route", kSpace}).out.find("notes has no primary at the moment"),
            std::string::npos);
  EXPECT_NE(cluster.Cli(primary, {"route", kSpace, "--json"}).out.find("\"primary\":null"),
            std::string::npos);
}

TEST(Replicated, AHolderThatLostItsDiskTakesACopyAndIsCountedAgain) {
  TestCluster cluster(Replicated());
  Writer writer(cluster, cluster.Indexes());
  ASSERT_TRUE(writer.AwaitMore(300));
  const int primary = LeadAt(cluster, 0).primary;
  ASSERT_GE(primary, 0);
  const int lost = (primary + 1) % cluster.size();
  cluster.Kill9(lost);
  cluster.Wipe(lost);
  cluster.Start(lost);
  cluster.AwaitReady(lost);
  ASSERT_TRUE(writer.AwaitMore(50));
  EXPECT_TRUE(Eventually([&] { return HasAll(cluster, lost, writer.acknowledged()); }));
  // The two others are a majority now: one of them takes over.
  cluster.Kill9(primary);
  ASSERT_TRUE(writer.AwaitMore(50));
  cluster.Start(primary);
  cluster.AwaitReady(primary);
  writer.Stop();
  EXPECT_TRUE(writer.refused().empty()) << writer.refused().front();
  ExpectOnAllCopies(cluster, writer.acknowledged());
}

// Of a log 10,000 entries are kept.
TEST(Replicated, AHolderThatWasAwayForLongerThanTheLogReachesTakesACopy) {
  TestCluster cluster(Replicated());
  Writer writer(cluster, cluster.Indexes());
  ASSERT_TRUE(writer.AwaitMore(20));
  const int primary = LeadAt(cluster, 0).primary;
  ASSERT_GE(primary, 0);
  const int away = (primary + 1) % cluster.size();
  cluster.Kill9(away);
  StoreMany(cluster, {primary}, 13'000);
  cluster.Start(away);
  cluster.AwaitReady(away);
  writer.Stop();
  EXPECT_TRUE(writer.refused().empty()) << writer.refused().front();
  ExpectOnAllCopies(cluster, writer.acknowledged());
}

// Through a replica that answers from its own copy, which lags behind.
TEST(Replicated, AReaderSeesWhatItHasWrittenThroughAnyHolder) {
  TestCluster cluster(Replicated());
  ASSERT_TRUE(cluster.Client({0})->Store(MakeStore(kSpace, "tea", "at noon")).ok());
  int primary = -1;
  ASSERT_TRUE(Eventually([&] { return (primary = LeadAt(cluster, 0).primary) >= 0; }));
  const auto writer = cluster.Client({primary});
  const auto replica = cluster.Client({(primary + 1) % cluster.size()});
  for (int n = 0; n < 200; ++n) {
    const std::string content = fmt::format("at {}", n);
    const auto stored = writer->Store(MakeStore(kSpace, "tea", content));
    ASSERT_TRUE(stored.ok()) << stored.status();
    const v1::Version& version = stored->message.version();
    client::Ask ask;
    ask.session = fmt::format("{}:{}:{}", version.epoch().counter(), version.epoch().primary(),
                              version.sequence());
    const auto got = replica->Get(MakeGet(kSpace, "tea"), ask);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(got->message.content(), content);
    EXPECT_FALSE(got->degraded);
    v1::RecallManyRequest many;
    many.add_spaces(kSpace);
    many.set_query("at");
    ask.session = fmt::format("{}={}", kSpace, ask.session);
    const auto found = replica->RecallMany(many, ask);
    ASSERT_TRUE(found.ok()) << found.status();
    ASSERT_EQ(found->message.results_size(), 1);
    EXPECT_EQ(found->message.results(0).content(), content);
  }
}

v1::RecallManyRequest RecallEverywhere() {
  v1::RecallManyRequest request;
  request.add_spaces("*");
  request.set_query("note");
  return request;
}

TEST(Replicated, ARecallOverSeveralSpacesSaysHowFarBehindItMayBe) {
  TestCluster cluster(Replicated());
  ASSERT_TRUE(cluster.Client({0})->Store(MakeStore(kSpace, "m", "a note")).ok());
  int primary = -1;
  ASSERT_TRUE(Eventually([&] { return (primary = LeadAt(cluster, 0).primary) >= 0; }));
  const auto at_replica = cluster.Client({(primary + 1) % cluster.size()});
  EXPECT_TRUE(Eventually([&] {
    const auto found = at_replica->RecallMany(RecallEverywhere());
    return found.ok() && found->message.results_size() == 1 && found->message.staleness_ms() > 0 &&
           found->message.staleness_ms() < 60'000;
  }));
  const auto found = cluster.Client({primary})->RecallMany(RecallEverywhere());
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->message.staleness_ms(), 0u);
}

// Before anybody is held dead: what the primary's lease is for.
TEST(Replicated, APrimaryThatHearsNobodyFlagsARecallOverSeveralSpacesToo) {
  TestClusterOptions options = Replicated();
  options.flags = kQuietMembership;
  TestCluster cluster(options);
  ASSERT_TRUE(cluster.Client({0})->Store(MakeStore(kSpace, "m", "a note")).ok());
  int primary = -1;
  ASSERT_TRUE(Eventually([&] { return (primary = LeadAt(cluster, 0).primary) >= 0; }));
  const auto client = cluster.Client({primary});
  for (int i : cluster.Indexes()) {
    if (i != primary) cluster.node(i).Signal(SIGSTOP);
  }
  v1::RecallManyRequest request = RecallEverywhere();
  request.clear_spaces();
  request.add_spaces(kSpace);
  EXPECT_TRUE(Eventually([&] {
    const auto got = client->Get(MakeGet(kSpace, "m"));
    return got.ok() && got->degraded;
  }));
  const auto found = client->RecallMany(request);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_TRUE(found->degraded);
  EXPECT_EQ(found->message.results_size(), 1);
  for (int i : cluster.Indexes()) cluster.node(i).Signal(SIGCONT);
}

TEST(Replicated, AllNodesKilledAtOnceComeBackWithEverything) {
  TestCluster cluster(Replicated());
  std::set<std::string> acknowledged;
  {
    Writer writer(cluster, cluster.Indexes());
    ASSERT_TRUE(writer.AwaitMore(100));
    for (int i : cluster.Indexes()) cluster.Kill9(i);
    writer.Stop();
    acknowledged = writer.acknowledged();
  }
  for (int i : cluster.Indexes()) cluster.Start(i);
  for (int i : cluster.Indexes()) cluster.AwaitReady(i);
  cluster.AwaitWhole();
  ExpectOnAllCopies(cluster, acknowledged);
  Writer writer(cluster, cluster.Indexes());
  EXPECT_TRUE(writer.AwaitMore(20));
}

}  // namespace
}  // namespace engram::testing
