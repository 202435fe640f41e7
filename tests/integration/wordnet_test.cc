// The main job on real texts: WordNet's glosses stored through one node, each found by a phrase of
// its own through the others.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "support/cluster.h"

namespace engram::testing {
namespace {

using Json = nlohmann::json;

std::vector<Json> WordNet(std::vector<std::string> args) {
  args.insert(args.begin(), WORDNET_TOOL);
  CommandResult result = RunCommand(args);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  std::vector<Json> lines;
  std::istringstream in(result.out);
  for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line));
  return lines;
}

std::string Text(const std::vector<Json>& lines) {
  std::string text;
  for (const Json& line : lines) text += line.dump() + "\n";
  return text;
}

std::string IdsOf(const v1::RecallResponse& reply) {
  std::string ids;
  for (const v1::RecallResult& result : reply.results()) ids += result.id() + " ";
  return ids;
}

TEST(WordNet, EachEntryIsFoundByAPhraseOfItsOwnThroughEveryNode) {
  TestCluster cluster;
  std::vector<Json> entries = WordNet({});
  ASSERT_GE(entries.size(), 2'000u);
  std::set<std::string> spaces;
  for (const Json& entry : entries) spaces.insert(entry["space"].get<std::string>());
  EXPECT_GE(spaces.size(), 12u);
  CommandResult loaded = cluster.Cli(0, {"store", "--from", "-"}, Text(entries));
  ASSERT_EQ(loaded.exit_code, 0) << loaded.out << loaded.err;

  std::vector<Json> phrases = WordNet({"--phrases", "200", "--seed", "1"});
  ASSERT_EQ(phrases.size(), 200u);
  std::vector<std::unique_ptr<client::Client>> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(cluster.Client({i}));
  int first = 0;
  int linked = 0;
  for (const Json& phrase : phrases) {
    v1::RecallRequest request;
    request.set_space(phrase["space"].get<std::string>());
    request.set_query(phrase["query"].get<std::string>());
    auto one = clients[1]->Recall(request);
    ASSERT_TRUE(one.ok()) << one.status();
    ASSERT_GT(one->message.results_size(), 0) << phrase;
    first += one->message.results(0).id() == phrase["id"] ? 1 : 0;
    for (const v1::RecallResult& result : one->message.results())
      linked += result.why().via().empty() ? 0 : 1;
    EXPECT_EQ(IdsOf(one->message), IdsOf(clients[2]->Recall(request)->message));
    EXPECT_EQ(IdsOf(one->message), IdsOf(clients[0]->Recall(request)->message));
  }
  RecordProperty("right_one_first", first);
  EXPECT_GE(first, 190) << "of 200";
  EXPECT_GT(linked, 0) << "recall does not spread over the links";
}

}  // namespace
}  // namespace engram::testing
