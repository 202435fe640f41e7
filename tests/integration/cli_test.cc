// The command line's contract: JSON shapes, exit codes, errors with a next step.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "support/cluster.h"
#include "support/free_ports.h"

namespace engram::testing {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

std::vector<std::string> KeysOf(const Json& json) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  return keys;
}

class Cli : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { shared_cluster = new TestCluster(); }
  static void TearDownTestSuite() {
    delete shared_cluster;
    shared_cluster = nullptr;
  }
  static Json RunJson(int node, std::vector<std::string> args, const std::string& input = "") {
    args.emplace_back("--json");
    CommandResult result = shared_cluster->Cli(node, args, input);
    Json json = Json::parse(result.out, nullptr, false);
    EXPECT_FALSE(json.is_discarded()) << result.out << result.err;
    return json;
  }
  // Every key of SPEC §6's contract is there.
  static void ExpectKeys(const Json& json, const std::vector<std::string>& keys) {
    EXPECT_THAT(KeysOf(json), ::testing::IsSupersetOf(keys)) << json;
  }

  static inline TestCluster* shared_cluster = nullptr;
};

TEST_F(Cli, StoreGetRecallForgetHaveTheirDocumentedShapes) {
  Json stored = RunJson(0, {"store", "--space", "shapes", "--id", "tea", "--tag", "home", "--meta",
                            "by=ann", "--confidence", "0.5", "tea is at four"});
  ExpectKeys(stored, {"id", "space", "version", "served_by", "degraded"});
  ExpectKeys(stored["version"], {"epoch", "sequence"});
  EXPECT_TRUE(stored["version"]["sequence"].is_number());
  Json got = RunJson(1, {"get", "--space", "shapes", "tea"});
  ExpectKeys(got, {"id", "space", "content", "tags", "metadata", "links", "siblings", "version",
                   "served_by", "degraded", "staleness_ms"});
  EXPECT_EQ(got["content"], "tea is at four");
  EXPECT_EQ(got["metadata"]["by"], "ann");
  Json recalled = RunJson(2, {"recall", "--space", "shapes", "--explain", "tea"});
  ExpectKeys(recalled, {"results", "coverage", "degraded", "staleness_ms", "confidence",
                        "served_by", "route"});
  ExpectKeys(recalled["coverage"], {"asked", "answered", "missing"});
  ASSERT_EQ(recalled["results"].size(), 1u);
  ExpectKeys(recalled["results"][0], {"id", "space", "content", "score", "confidence", "why"});
  ASSERT_EQ(recalled["route"].size(), 1u);
  ExpectKeys(recalled["route"][0], {"node", "outcome", "reason", "ms"});
  RunJson(0, {"store", "--space", "shapes", "--id", "cup", "a cup"});
  EXPECT_EQ(RunJson(0, {"link", "--space", "shapes", "tea", "cup", "--weight", "0.5"})["weight"],
            0.5);
  EXPECT_EQ(RunJson(1, {"get", "--space", "shapes", "tea"})["links"][0]["to"], "cup");
  EXPECT_EQ(RunJson(2, {"forget", "--space", "shapes", "tea"})["id"], "tea");
  EXPECT_EQ(shared_cluster->Cli(0, {"get", "--space", "shapes", "tea"}).exit_code, 1);
}

TEST_F(Cli, ConsolidateTellsItsGroupsAndTotals) {
  RunJson(0, {"store", "--space", "twice", "--id", "a", "the kettle in the kitchen is broken"});
  RunJson(0, {"store", "--space", "twice", "--id", "b", "The kettle in the kitchen is broken."});
  for (const std::vector<std::string>& flags : {std::vector<std::string>{"--dry-run"}, {}}) {
    std::vector<std::string> command = {"consolidate", "--space", "twice"};
    command.insert(command.end(), flags.begin(), flags.end());
    // The same through whichever node: who does not hold the space names one that does.
    Json done = RunJson(1, command);
    ExpectKeys(done, {"space", "dry_run", "groups", "totals", "served_by", "degraded"});
    ASSERT_EQ(done["groups"].size(), 1u);
    ExpectKeys(done["groups"][0], {"id", "outcome", "sources", "content", "confidence"});
    EXPECT_EQ(done["groups"][0]["outcome"], "created");
    EXPECT_EQ(done["groups"][0]["sources"][1]["id"], "b");
    EXPECT_EQ(done["groups"][0].contains("version"), flags.empty());
    EXPECT_EQ(done["totals"]["created"], 1);
  }
  CommandResult again = shared_cluster->Cli(2, {"consolidate", "--space", "twice"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(again.out, "twice: of 2 episodes, 0 created, 0 updated, 1 unchanged, 0 left alone\n");
  CommandResult refused =
      shared_cluster->Cli(0, {"consolidate", "--space", "twice", "--text-similarity", "0.2"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("text_similarity is 0.2, it must be from 0.6 to 1"));
}

TEST_F(Cli, AnyRequestExplainsItsRoute) {
  const std::string space = shared_cluster->SpaceOn(2, "explained");
  RunJson(0, {"store", "--space", space, "it comes into being"});
  const std::vector<std::vector<std::string>> requests = {
      {"store", "--space", space, "--id", "tea", "tea is at four"},
      {"store", "--space", space, "--id", "cup", "a cup"},
      {"get", "--space", space, "tea"},
      {"link", "--space", space, "tea", "cup"},
      {"recall", "--space", space, "tea"},
      {"forget", "--space", space, "tea"}};
  for (std::vector<std::string> request : requests) {
    request.emplace_back("--explain");
    Json route = RunJson(0, request)["route"];
    ASSERT_EQ(route.size(), 1u) << request[0];
    ExpectKeys(route[0], {"node", "outcome", "reason", "ms"});
    EXPECT_EQ(route[0]["node"], "node-3");
    EXPECT_EQ(route[0]["outcome"], "ok");
    EXPECT_GT(route[0]["ms"], 0.0);
  }
  EXPECT_FALSE(RunJson(0, {"get", "--space", space, "cup"}).contains("route"));
  CommandResult text = shared_cluster->Cli(2, {"get", "--space", space, "cup", "--explain"});
  EXPECT_THAT(text.err, HasSubstr("route: node-3 ok (local) "));
}

TEST_F(Cli, AnErrorExplainsItsRouteToo) {
  const std::string space = shared_cluster->SpaceOn(1, "explained");
  RunJson(0, {"store", "--space", space, "--id", "tea", "tea is at four"});
  for (int node : {0, 1}) {  // passed on, and at its owner
    const std::vector<std::string> request = {"get", "--space", space, "nothing", "--explain"};
    CommandResult text = shared_cluster->Cli(node, request);
    EXPECT_EQ(text.exit_code, 1);
    EXPECT_THAT(text.err, HasSubstr("route: node-2 failed (there is no memory 'nothing'"));
    std::vector<std::string> with_json = request;
    with_json.emplace_back("--json");
    Json error = Json::parse(shared_cluster->Cli(node, with_json).err, nullptr, false);
    ASSERT_EQ(error["route"].size(), 1u) << error;
    EXPECT_EQ(error["route"][0]["node"], "node-2");
    EXPECT_EQ(error["route"][0]["outcome"], "failed");
  }
  CommandResult plain = shared_cluster->Cli(0, {"get", "--space", space, "nothing"});
  EXPECT_THAT(plain.err, ::testing::Not(HasSubstr("route:")));
}

TEST_F(Cli, ClusterCommandsHaveTheirDocumentedShapes) {
  RunJson(0, {"store", "--space", "listed", "x"});
  Json route = RunJson(0, {"route", "listed"});
  ExpectKeys(route, {"space", "primary", "replicas", "version", "strategy"});
  ExpectKeys(route["primary"], {"id", "address"});
  Json nodes = RunJson(1, {"nodes"});
  ASSERT_EQ(nodes["nodes"].size(), 3u);
  ExpectKeys(nodes["nodes"][0],
             {"id", "address", "state", "incarnation", "zone", "rack", "latency_ms", "spaces"});
  EXPECT_EQ(nodes["nodes"][1]["address"], shared_cluster->Address(1));
  Json status = RunJson(2, {"status"});
  EXPECT_EQ(status["whole"], true);
  EXPECT_EQ(status["connections"]["nodes"], 2);
  EXPECT_EQ(status["connections"]["healthy_nodes"], 2);
  EXPECT_GE(status["connections"]["ready_channels"], 2);
  EXPECT_GT(status["wire"]["calls_begun"], 0);
  EXPECT_EQ(status["wire"]["connections_flooding"], 0);
  Json spaces = RunJson(2, {"spaces", "--prefix", "listed"});
  ASSERT_EQ(spaces["spaces"].size(), 1u);
  EXPECT_EQ(spaces["spaces"][0]["memories"], 1);
}

TEST_F(Cli, StoreFromNamesEachBadLineAndGoesOn) {
  std::string lines =
      "{\"space\":\"from\",\"id\":\"a\",\"content\":\"one\"}\n"
      "this is no JSON\n"
      "\n"
      "{\"space\":\"from\",\"id\":\"b\",\"content\":\"two\"}\n"
      "{\"space\":\"Bad Space\",\"content\":\"three\"}\n"
      "{\"space\":\"from\",\"content\":\"four\",\"embeding\":[1]}\n"
      "{\"space\":\"other\",\"content\":\"five\"}";
  Json report = RunJson(0, {"store", "--from", "-"}, lines);
  EXPECT_EQ(report["stored"], 3);
  EXPECT_EQ(report["failed"], 3);
  std::vector<int> bad;
  for (const Json& error : report["errors"]) bad.push_back(error["line"]);
  std::sort(bad.begin(), bad.end());
  EXPECT_THAT(bad, ::testing::ElementsAre(2, 5, 6));
  CommandResult text = shared_cluster->Cli(1, {"store", "--from", "-"}, lines);
  EXPECT_EQ(text.exit_code, 1);
  EXPECT_THAT(text.err, HasSubstr("line 2: "));
  EXPECT_THAT(text.out, HasSubstr("stored 3, failed 3"));
  EXPECT_THAT(text.out, HasSubstr("into from on node-"));
}

TEST_F(Cli, StoreFromAFileTakesManyLinesAndADefaultSpace) {
  storage::TempDir dir;
  std::filesystem::path file = dir.path() / "lines.jsonl";
  {
    std::ofstream out(file);
    for (int i = 0; i < 2'345; ++i)
      out << "{\"id\":\"m" << i << "\",\"content\":\"line " << i << "\"}\n";
  }
  CommandResult result =
      shared_cluster->Cli(0, {"store", "--space", "many", "--from", file, "--progress", "always"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("stored 2345, failed 0"));
  EXPECT_THAT(result.err, HasSubstr("[##############################] 2345 memories"));
  EXPECT_EQ(RunJson(2, {"spaces", "--prefix", "many"})["spaces"][0]["memories"], 2'345);
}

TEST_F(Cli, EmbeddingsComeFromFiles) {
  storage::TempDir dir;
  std::ofstream(dir.path() / "east") << "[1, 0, 0]";
  std::ofstream(dir.path() / "north") << "0 1 0\n";
  std::ofstream(dir.path() / "bad") << "1 two 3";
  auto file = [&](const char* name) { return (dir.path() / name).string(); };
  ASSERT_EQ(shared_cluster
                ->Cli(0, {"store", "--space", "compass", "--id", "e", "--embedding", file("east"),
                          "east"})
                .exit_code,
            0);
  ASSERT_EQ(shared_cluster
                ->Cli(0, {"store", "--space", "compass", "--id", "n", "--embedding", file("north"),
                          "north"})
                .exit_code,
            0);
  Json recalled =
      RunJson(1, {"recall", "--space", "compass", "--embedding", file("north"), "--limit", "1"});
  ASSERT_EQ(recalled["results"].size(), 1u);
  EXPECT_EQ(recalled["results"][0]["id"], "n");
  EXPECT_EQ(shared_cluster->Cli(0, {"recall", "--space", "compass", "--embedding", file("bad")})
                .exit_code,
            2);
  EXPECT_EQ(shared_cluster->Cli(0, {"recall", "--space", "compass", "--embedding", file("none")})
                .exit_code,
            2);
}

TEST_F(Cli, ExitCodesTellRefusedFromWrongUsageFromUnreachable) {
  EXPECT_EQ(shared_cluster->Cli(0, {"get", "--space", "no-such-space", "x"}).exit_code, 1);
  EXPECT_EQ(shared_cluster->Cli(0, {"store", "--space", "UPPER", "x"}).exit_code, 1);
  EXPECT_EQ(shared_cluster->Cli(0, {"get", "x"}).exit_code, 2);
  EXPECT_EQ(shared_cluster->Cli(0, {"store", "--space", "s"}).exit_code, 2);
  EXPECT_EQ(shared_cluster->Cli(0, {"store", "--space", "s", "--meta", "nothing", "x"}).exit_code,
            2);
  EXPECT_EQ(RunCommand({EngramBinary(), "nonsense"}).exit_code, 2);
  EXPECT_EQ(RunCommand({EngramBinary()}).exit_code, 2);
  std::string nobody = "127.0.0.1:" + std::to_string(FreePorts(1)[0]);
  EXPECT_EQ(RunCommand({EngramBinary(), "status", "--node", nobody}).exit_code, 3);
}

TEST_F(Cli, AWrongFileIsWrongUsage) {
  std::string dir = std::filesystem::temp_directory_path();
  EXPECT_EQ(shared_cluster->Cli(0, {"store", "--space", "s", "--embedding", dir, "x"}).exit_code,
            2);
  EXPECT_EQ(shared_cluster->Cli(0, {"store", "--from", dir}).exit_code, 2);
  EXPECT_EQ(shared_cluster->Cli(0, {"store", "--from", "/no/such/file"}).exit_code, 2);
  EXPECT_EQ(RunCommand({EngramBinary(), "serve", "--config", dir}).exit_code, 2);
  EXPECT_EQ(RunCommand({EngramBinary(), "up", "--dir", "", "--detach"}).exit_code, 2);
  EXPECT_EQ(RunCommand({EngramBinary(), "status", "--node", "localhost"}).exit_code, 2);
}

TEST_F(Cli, OptionsOfOneMemoryAreRefusedWithFrom) {
  for (std::vector<std::string> extra : {std::vector<std::string>{"--id", "x"},
                                         {"--tag", "t"},
                                         {"--meta", "a=b"},
                                         {"--kind", "semantic"},
                                         {"--confidence", "0.5"},
                                         {"text"}}) {
    std::vector<std::string> args = {"store", "--from", "-"};
    args.insert(args.end(), extra.begin(), extra.end());
    EXPECT_EQ(shared_cluster->Cli(0, args, "{}").exit_code, 2) << extra[0];
  }
  EXPECT_EQ(shared_cluster->Cli(0, {"store", "--space", "s", "--meta", "a=1", "--meta", "a=2", "x"})
                .exit_code,
            2);
  EXPECT_EQ(shared_cluster->Cli(0, {"store", "--space", "s", "--id", "", "x"}).exit_code, 2);
}

TEST_F(Cli, ALineThatIsTooLargeDoesNotStopTheOthers) {
  std::string lines = R"({"space":"large","id":"a","content":"one"})"
                      "\n"
                      R"({"space":"large","content":")" +
                      std::string(5'000'000, 'x') +
                      "\"}\n"
                      R"({"space":"large","id":"b","content":"two"})";
  Json report = RunJson(0, {"store", "--from", "-"}, lines);
  EXPECT_EQ(report["stored"], 2);
  ASSERT_EQ(report["errors"].size(), 1u);
  EXPECT_EQ(report["errors"][0]["line"], 2);
  EXPECT_THAT(report["errors"][0]["error"].get<std::string>(), HasSubstr("4194304"));
}

TEST_F(Cli, StoredControlCharactersDoNotReachTheTerminal) {
  ASSERT_EQ(
      shared_cluster->Cli(0, {"store", "--space", "escape", "--id", "e", "red \x1b[31m alert"})
          .exit_code,
      0);
  EXPECT_THAT(shared_cluster->Cli(0, {"get", "--space", "escape", "e"}).out,
              ::testing::Not(HasSubstr("\x1b")));
  EXPECT_THAT(shared_cluster->Cli(0, {"recall", "--space", "escape", "alert"}).out,
              ::testing::Not(HasSubstr("\x1b")));
}

TEST_F(Cli, RecallFiltersByTime) {
  shared_cluster->Cli(
      0, {"store", "--from", "-"},
      R"({"space":"times","id":"old","content":"tea","occurred_at":"2020-01-01T00:00:00Z"})"
      "\n"
      R"({"space":"times","id":"new","content":"tea","occurred_at":"2026-01-01T00:00:00Z"})");
  Json after = RunJson(1, {"recall", "--space", "times", "--after", "2025-01-01T00:00:00Z", "tea"});
  ASSERT_EQ(after["results"].size(), 1u);
  EXPECT_EQ(after["results"][0]["id"], "new");
  Json before =
      RunJson(1, {"recall", "--space", "times", "--before", "2025-01-01T00:00:00Z", "tea"});
  ASSERT_EQ(before["results"].size(), 1u);
  EXPECT_EQ(before["results"][0]["id"], "old");
  EXPECT_EQ(
      shared_cluster->Cli(0, {"recall", "--space", "times", "--after", "soon", "tea"}).exit_code,
      2);
}

TEST_F(Cli, TheNextNodeIsTriedWhenOneCannotBeReached) {
  std::string nobody = "127.0.0.1:" + std::to_string(FreePorts(1)[0]);
  CommandResult result = RunCommand(
      {EngramBinary(), "status", "--node", nobody, "--node", shared_cluster->Address(1)});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("seen from node-2"));
}

TEST_F(Cli, ErrorsSayWhatToDoNext) {
  CommandResult text = shared_cluster->Cli(0, {"get", "--space", "no-such-space", "x"});
  EXPECT_THAT(text.err, HasSubstr("there is no space 'no-such-space'"));
  EXPECT_THAT(text.err, HasSubstr("engram spaces"));
  CommandResult json = shared_cluster->Cli(0, {"get", "--space", "no-such-space", "x", "--json"});
  Json error = Json::parse(json.err, nullptr, false);
  ASSERT_FALSE(error.is_discarded()) << json.err;
  ExpectKeys(error, {"error", "code", "space", "node", "next"});
  EXPECT_EQ(error["code"], "NO_ASSIGNMENT");
  EXPECT_EQ(error["space"], "no-such-space");
}

TEST_F(Cli, WrongUsageNamesTheNearestOption) {
  CommandResult text = shared_cluster->Cli(0, {"get", "--spaec", "s", "x"});
  EXPECT_EQ(text.exit_code, 2);
  EXPECT_THAT(text.err, HasSubstr("did you mean '--space'?"));
  EXPECT_THAT(text.err, HasSubstr("--help says what it takes"));
  CommandResult json = shared_cluster->Cli(0, {"get", "--spaec", "s", "x", "--json"});
  EXPECT_EQ(json.exit_code, 2);
  Json error = Json::parse(json.err, nullptr, false);
  ASSERT_FALSE(error.is_discarded()) << json.err;
  EXPECT_EQ(error["code"], "INVALID_ARGUMENT");
  CommandResult serve = RunCommand({EngramBinary(), "serve", "--hedged-read", "on"});
  EXPECT_THAT(serve.err, HasSubstr("did you mean '--hedged-reads'?"));
}

TEST_F(Cli, WhoIsNotReachedIsToldToNameAnotherNode) {
  std::string nobody = "127.0.0.1:" + std::to_string(FreePorts(1)[0]);
  CommandResult result = RunCommand({EngramBinary(), "nodes", "--node", nobody});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("--node HOST:PORT names a node that runs"));
}

TEST_F(Cli, SaysThatThereAreNoSuchSpaces) {
  EXPECT_THAT(shared_cluster->Cli(0, {"spaces", "--prefix", "no-such"}).err,
              HasSubstr("no space begins with 'no-such'"));
  EXPECT_THAT(shared_cluster->Cli(0, {"route", "no-such-space"}).out,
              HasSubstr("node-1 has not heard of the space"));
  EXPECT_EQ(shared_cluster->Cli(0, {"recall", "--spaces", ",", "tea"}).exit_code, 2);
}

TEST_F(Cli, AWriteSentAgainUnderItsRequestIdHasOneEffect) {
  std::vector<std::string> store = {"store",        "--space", "again",
                                    "--request-id", "",        "tea is at four"};
  store[4] = client::NewRequestId().ToString();
  const Json first = RunJson(0, store);
  EXPECT_EQ(RunJson(1, store)["id"], first["id"]);
  EXPECT_EQ(RunJson(2, {"spaces", "--prefix", "again"})["spaces"][0]["memories"], 1);
  store[5] = "coffee is at five";
  EXPECT_EQ(shared_cluster->Cli(0, store).exit_code, 1);
  store[4] = "yesterday";
  EXPECT_EQ(shared_cluster->Cli(0, store).exit_code, 2);
}

TEST_F(Cli, EveryCommandHasHelpWithAnExample) {
  for (const char* command : {"serve", "up", "down", "store", "recall", "get", "forget", "link",
                              "spaces", "nodes", "status", "route"}) {
    CommandResult help = RunCommand({EngramBinary(), command, "--help"});
    EXPECT_EQ(help.exit_code, 0) << command;
    EXPECT_THAT(help.out, HasSubstr("Example")) << command;
  }
}

// One of three nodes hangs.
class CliBesideASilentNode : public ::testing::Test {
 protected:
  CliBesideASilentNode() {
    EXPECT_EQ(cluster_.Cli(0, {"store", "--space", space_, "--id", "tea", "tea"}).exit_code, 0);
    EXPECT_EQ(cluster_.Cli(0, {"store", "--space", other_, "--id", "cup", "cup"}).exit_code, 0);
    cluster_.node(2).Signal(SIGSTOP);
  }
  ~CliBesideASilentNode() override { cluster_.node(2).Signal(SIGCONT); }

  // A busy machine may hold the answer up for longer than it has: then it is asked once more.
  static bool EventuallyTells(const std::function<CommandResult()>& run, int exit_code,
                              const std::string& what) {
    CommandResult last;
    const bool told = Eventually([&] {
      last = run();
      return last.exit_code == exit_code && (last.out + last.err).find(what) != std::string::npos;
    });
    if (!told) ADD_FAILURE() << last.exit_code << ": " << last.out << last.err;
    return told;
  }

  TestCluster cluster_;
  const std::string space_ = cluster_.SpaceOn(2, "silent");
  const std::string other_ = cluster_.SpaceOn(1, "other");
};

TEST_F(CliBesideASilentNode, ARequestThatEndsByItsTimeoutTellsWhichNodeIsSilent) {
  auto get = [&] {
    return cluster_.Cli(0, {"get", "--space", space_, "tea", "--timeout", "1", "--explain"});
  };
  EventuallyTells(get, 1, "route: node-3 ");
}

TEST_F(CliBesideASilentNode, AWriteThatEndsByItsTimeoutTellsHowToSendItAgain) {
  auto store = [&] {
    return cluster_.Cli(0, {"store", "--space", space_, "more tea", "--timeout", "1"});
  };
  EventuallyTells(store, 1, "Run the same with --request-id ");
}

TEST_F(CliBesideASilentNode, SpacesOfTheOthersAreListedInTime) {
  auto spaces = [&] { return cluster_.Cli(0, {"spaces", "--timeout", "1"}); };
  EventuallyTells(spaces, 0, other_);
  EventuallyTells(spaces, 0, "node-3 did not answer: it is silent");
}

TEST_F(CliBesideASilentNode, AskedItselfNobodyIsReached) {
  CommandResult get = cluster_.Cli(2, {"get", "--space", space_, "tea", "--timeout", "1"});
  EXPECT_EQ(get.exit_code, 3) << get.err;
}

}  // namespace
}  // namespace engram::testing
