// SPEC R3, R8 and R13 with real processes: which of two holders answers a read, by what the request
// asks for and by what the nodes are configured to.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engram/base/error.h"
#include "support/requests.h"
#include "support/two_copies.h"

namespace engram::testing {
namespace {

using client::ReadPreference;
using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr int kEntry = TwoCopies::kEntry;
constexpr int kPrimary = TwoCopies::kPrimary;
constexpr int kReplica = TwoCopies::kReplica;

// No breaker opens: it would pass a node over, whatever is preferred.
const std::vector<std::string> kNoBreaker = {"--breaker-failures", "1000000"};

std::vector<std::string> And(std::vector<std::string> flags, const std::vector<std::string>& more) {
  flags.insert(flags.end(), more.begin(), more.end());
  return flags;
}

using Preference = std::optional<ReadPreference>;

// Who answers a get and a recall, asked of `node`.
std::string Answering(const TwoCopies& copies, int node, Preference preference,
                      const std::string& space) {
  auto client = copies.Asker(node, preference);
  auto got = client->Get(MakeGet(space, TwoCopies::kMemory));
  auto recalled = client->Recall(MakeRecall(space, "tea"));
  EXPECT_TRUE(got.ok()) << got.status();
  EXPECT_TRUE(recalled.ok()) << recalled.status();
  if (!got.ok() || !recalled.ok()) return "";
  EXPECT_EQ(got->message.content(), TwoCopies::kContent);
  EXPECT_EQ(recalled->message.results_size(), 1);
  EXPECT_EQ(got->served_by, recalled->served_by);
  return got->served_by;
}

TEST(ReadPreferences, OfARequestSayWhoAnswers) {
  TwoCopies copies;
  const std::string& space = copies.space();
  EXPECT_EQ(Answering(copies, kEntry, std::nullopt, space), copies.Primary());
  EXPECT_EQ(Answering(copies, kEntry, ReadPreference::kPrimaryPreferred, space), copies.Primary());
  EXPECT_EQ(Answering(copies, kEntry, ReadPreference::kPrimary, space), copies.Primary());
  EXPECT_EQ(Answering(copies, kEntry, ReadPreference::kReplicaPreferred, space), copies.Replica());
  // A holder that is asked answers itself, unless only the primary may.
  EXPECT_EQ(Answering(copies, kReplica, ReadPreference::kPrimaryPreferred, space),
            copies.Replica());
  EXPECT_EQ(Answering(copies, kReplica, ReadPreference::kNearest, space), copies.Replica());
  EXPECT_EQ(Answering(copies, kReplica, ReadPreference::kPrimary, space), copies.Primary());
  EXPECT_EQ(Answering(copies, kPrimary, ReadPreference::kReplicaPreferred, space),
            copies.Primary());
}

// The first node that is asked for a get; it is answered by whoever can.
std::string FirstAsked(client::Client& client, const std::string& space) {
  auto got = client.Get(MakeGet(space, TwoCopies::kMemory), client::Explain::kYes);
  EXPECT_TRUE(got.ok()) << got.status();
  return got.ok() && !got->route.empty() ? got->route[0].node() : "";
}

// A primary that hangs is not near, but still preferred by who prefers primaries.
TEST(ReadPreferences, NearestGoesToTheHolderThatAnswersSooner) {
  TwoCopies copies(kNoBreaker);
  const std::string& space = copies.space();
  auto nearest = copies.Asker(kEntry, ReadPreference::kNearest);
  auto primary_preferred = copies.Asker(kEntry, ReadPreference::kPrimaryPreferred);
  copies.cluster().node(kPrimary).Stop();
  EXPECT_EQ(FirstAsked(*primary_preferred, space), copies.Primary());
  EXPECT_TRUE(Eventually([&] { return FirstAsked(*nearest, space) == copies.Replica(); }));
  EXPECT_EQ(FirstAsked(*primary_preferred, space), copies.Primary());
  copies.cluster().node(kPrimary).Signal(SIGCONT);
}

TEST(ReadPreferences, OfANodeAndOfASpaceCountWhereTheRequestSaysNothing) {
  TwoCopies copies(
      {"--read-preference", "replica_preferred", "--space-read-preferences", "pinned=primary"},
      {"any", "pinned"});
  EXPECT_EQ(Answering(copies, kEntry, std::nullopt, "any"), copies.Replica());
  EXPECT_EQ(Answering(copies, kEntry, std::nullopt, "pinned"), copies.Primary());
  EXPECT_EQ(Answering(copies, kReplica, std::nullopt, "pinned"), copies.Primary());
  EXPECT_EQ(Answering(copies, kEntry, ReadPreference::kPrimaryPreferred, "any"), copies.Primary());
  EXPECT_EQ(Answering(copies, kEntry, ReadPreference::kReplicaPreferred, "pinned"),
            copies.Replica());
}

// Nobody but `only` is asked.
template <class Code>
void ExpectFails(const TwoCopies& copies, Preference preference, const std::string& only,
                 const Code& code) {
  auto got = copies.Asker(kEntry, preference)
                 ->Get(MakeGet(copies.space(), TwoCopies::kMemory), client::Explain::kYes);
  ASSERT_FALSE(got.ok()) << got->served_by;
  EXPECT_THAT(CodeOf(got.status()), code) << got.status();
  const std::vector<v1::Attempt> route = client::AttemptsOf(got.status());
  EXPECT_FALSE(route.empty());
  for (const v1::Attempt& attempt : route) EXPECT_EQ(attempt.node(), only);
}

TEST(ReadPreferences, WithoutReplicaFallbackOnlyThePreferredHolderIsAsked) {
  TwoCopies copies(And({"--replica-fallback", "off"}, kNoBreaker));
  copies.cluster().Kill9(kPrimary);
  ExpectFails(copies, std::nullopt, copies.Primary(), ErrorCode::kAllReplicasFailed);
  EXPECT_EQ(Answering(copies, kEntry, ReadPreference::kReplicaPreferred, copies.space()),
            copies.Replica());
  copies.cluster().Kill9(kReplica);
  ExpectFails(copies, ReadPreference::kReplicaPreferred, copies.Replica(),
              ErrorCode::kAllReplicasFailed);
}

TEST(ReadPreferences, PrimaryOnlyMeansNoReplicaThoughItIsGone) {
  TwoCopies copies(kNoBreaker);
  copies.cluster().Kill9(kPrimary);
  EXPECT_EQ(Answering(copies, kEntry, std::nullopt, copies.space()), copies.Replica());
  // It waits for a primary until the deadline, which may pass in the middle of a try
  // (docs/ERRORS.md).
  ExpectFails(copies, ReadPreference::kPrimary, copies.Primary(),
              AnyOf(ErrorCode::kAllReplicasFailed, ErrorCode::kDeadlineExceeded));
}

TEST(ReadPreferences, FromTheCommandLine) {
  using Json = nlohmann::json;
  TwoCopies copies;
  const TestCluster& cluster = copies.cluster();
  const std::vector<std::string> get = {"get", "--space", copies.space(), TwoCopies::kMemory};
  const std::vector<std::string> recall = {"recall", "--space", copies.space(), "tea"};
  for (const std::vector<std::string>& command : {get, recall}) {
    for (const auto& [name, node] :
         {std::pair("primary", kPrimary), {"replica_preferred", kReplica}}) {
      const CommandResult result =
          cluster.Cli(kEntry, And(command, {"--json", "--read-preference", name}));
      EXPECT_EQ(Json::parse(result.out, nullptr, false)["served_by"], cluster.Name(node))
          << result.err;
    }
    const CommandResult wrong = cluster.Cli(kEntry, And(command, {"--read-preference", "fastest"}));
    EXPECT_EQ(wrong.exit_code, 2);
    EXPECT_THAT(wrong.err, HasSubstr("--read-preference: there is no 'fastest'"));
    const CommandResult help = RunCommand({EngramBinary(), command[0], "--help"});
    EXPECT_THAT(help.out, HasSubstr("--read-preference"));
  }
}

constexpr char kHedges[] = "engram_routing_hedges_total";
constexpr char kFallbacks[] = "engram_routing_fallbacks_total";

// The try at the primary is not cut short here, so only the hedge can answer. Of three reads, as so
// many hedges a node's budget pays at once.
TEST(HedgedReads, AskTheSecondHolderWhenThePrimaryHangs) {
  TwoCopies copies(
      And({"--hedged-reads", "on", "--read-try-limit", "600s", "--deadline", "600s"}, kNoBreaker));
  auto client = copies.cluster().Client({kEntry}, std::chrono::seconds(60));
  // So many answers it takes to know how long one may take.
  EXPECT_TRUE(Eventually([&] {
    EXPECT_TRUE(client->Get(MakeGet(copies.space(), TwoCopies::kMemory)).ok());
    return copies.Counted(fmt::format(R"(engram_node_latency_p95_seconds{{node="{}"}})",
                                      copies.Primary())) > 0;
  }));
  const double before = copies.Counted(kHedges);
  copies.cluster().node(kPrimary).Stop();
  for (int i = 0; i < 3; ++i) {
    auto got = client->Get(MakeGet(copies.space(), TwoCopies::kMemory), client::Explain::kYes);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(got->served_by, copies.Replica());
    EXPECT_EQ(got->route.back().reason(), "hedged");
  }
  EXPECT_EQ(copies.Counted(kHedges) - before, 3);
  EXPECT_EQ(copies.Counted(kFallbacks), 0);
  copies.cluster().node(kPrimary).Signal(SIGCONT);
}

TEST(HedgedReads, AreOffUnlessAskedFor) {
  TwoCopies copies;
  auto client = copies.Asker();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(client->Get(MakeGet(copies.space(), TwoCopies::kMemory)).ok());
  }
  copies.cluster().node(kPrimary).Stop();
  auto got = client->Get(MakeGet(copies.space(), TwoCopies::kMemory), client::Explain::kYes);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->route.back().reason(), "fallback");
  EXPECT_EQ(copies.Counted(kHedges), 0);
  copies.cluster().node(kPrimary).Signal(SIGCONT);
}

}  // namespace
}  // namespace engram::testing
