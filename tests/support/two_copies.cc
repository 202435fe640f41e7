#include "support/two_copies.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/requests.h"
#include "support/scrape.h"

namespace engram::testing {
namespace {

TestClusterOptions WithHooks(const std::vector<std::string>& flags) {
  TestClusterOptions options;
  options.flags = kTestHooksFlags;
  options.flags.insert(options.flags.end(), flags.begin(), flags.end());
  return options;
}

}  // namespace

TwoCopies::TwoCopies(const std::vector<std::string>& flags, const std::vector<std::string>& spaces)
    : spaces_(spaces), cluster_(WithHooks(flags)) {
  std::vector<v1::Assignment> table;
  for (const std::string& space : spaces_) {
    Copy(space, kReplica, 10);
    Copy(space, kPrimary, 11);
    table.push_back(MakeAssignment(cluster_, space, 12, kPrimary, {kReplica}));
    for (int holder : {kPrimary, kReplica}) hooks_.Hold(holder, table.back());
  }
  hooks_.InstallTable(kEntry, table);
}

void TwoCopies::Copy(const std::string& space, int node, uint64_t counter) {
  hooks_.Hold(node, MakeAssignment(cluster_, space, counter, node));
  auto stored = cluster_.Client({node})->Store(MakeStore(space, kMemory, kContent));
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->served_by, cluster_.Name(node));
}

std::unique_ptr<client::Client> TwoCopies::Asker(
    int node, std::optional<client::ReadPreference> preference) const {
  client::ClientOptions options = cluster_.ClientOptionsFor({node});
  options.read_preference = preference;
  return *client::Client::Create(std::move(options));
}

double TwoCopies::Counted(const std::string& series, int node) const {
  return ValueOf(Scrape(cluster_, node), series);
}

double TwoCopies::BreakerState(const std::string& operations) const {
  return Counted(fmt::format(R"(engram_node_breaker_state{{node="{}",operations="{}"}})", Primary(),
                             operations));
}

}  // namespace engram::testing
