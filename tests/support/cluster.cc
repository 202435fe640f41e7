#include "support/cluster.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <numeric>
#include <utility>

#include "engram/placement/ring.h"
#include "support/free_ports.h"

namespace engram::testing {
namespace {

constexpr int kPortOfAHost = 50051;  // which nobody else uses there

std::vector<int> PortsFor(const TestClusterOptions& options) {
  if (options.network == nullptr) return FreePorts(options.nodes);
  return std::vector<int>(static_cast<size_t>(options.nodes), kPortOfAHost);
}

}  // namespace

std::string EngramBinary() { return ENGRAM_BINARY; }

std::vector<std::string> TlsFlags(const client::ClientTls& tls) {
  std::vector<std::string> flags = {"--tls"};
  const std::pair<const char*, const std::string&> values[] = {{"--tls-ca", tls.ca_file},
                                                               {"--tls-cert", tls.certificate_file},
                                                               {"--tls-key", tls.key_file},
                                                               {"--tls-name", tls.expected_name}};
  for (const auto& [flag, value] : values) {
    if (!value.empty()) flags.insert(flags.end(), {flag, value});
  }
  return flags;
}

TestCluster::TestCluster(TestClusterOptions options)
    : options_(std::move(options)),
      ports_(PortsFor(options_)),
      seeds_(ports_.size(), {PeerAddress(kFounder)}),
      flags_(ports_.size()),
      nodes_(ports_.size()) {
  seeds_[kFounder].clear();
  std::vector<int> started = Indexes();
  started.resize(static_cast<size_t>(options_.started.value_or(size())));
  for (int i : started) Start(i);
  for (int i : started) AwaitReady(i);
  AwaitWhole(started);
}

std::vector<int> TestCluster::Indexes() const {
  std::vector<int> indexes(ports_.size());
  std::iota(indexes.begin(), indexes.end(), 0);
  return indexes;
}

std::vector<std::string> TestCluster::ServeCommand(int i) const {
  const bool one_address = PeerAddress(i) == Address(i);
  const std::string listen = one_address ? Address(i) : "0.0.0.0:" + std::to_string(Port(i));
  std::vector<std::string> command = {
      EngramBinary(), "serve",          "--node-id",    Name(i),
      "--cluster",    "test",           "--data-dir",   DataDir(i).string(),
      "--listen",     listen,           "--advertise",  PeerAddress(i),
      "--http",       HttpAddress(i),   "--durability", options_.durability,
      "--gossip",     GossipAddress(i), "--copies",     std::to_string(options_.copies)};
  const auto index = static_cast<size_t>(i);
  for (const std::string& seed : seeds_[index]) command.insert(command.end(), {"--seeds", seed});
  for (const auto* more : {&options_.flags, &flags_[index]}) {
    command.insert(command.end(), more->begin(), more->end());
  }
  return command;
}

void TestCluster::Start(int i) {
  nodes_[static_cast<size_t>(i)] = options_.network != nullptr
                                       ? options_.network->Start(i, ServeCommand(i), Log(i))
                                       : std::make_unique<Process>(ServeCommand(i), Log(i));
}

void TestCluster::AwaitReady(int i) {
  auto client = Client({i}, std::chrono::seconds(2));
  v1::ResolveRouteRequest question;
  question.set_space("any");
  bool ready =
      Eventually([&] { return !node(i).Running() || client->ResolveRoute(question).ok(); });
  ASSERT_TRUE(ready && node(i).Running()) << Name(i) << " did not start";
}

void TestCluster::AwaitWhole(const std::vector<int>& nodes) {
  EXPECT_TRUE(Eventually([&] { return Reach(nodes); })) << "the nodes have not found each other";
}

bool TestCluster::Reach(const std::vector<int>& nodes) const {
  return std::all_of(nodes.begin(), nodes.end(), [&](int i) {
    auto status = Client({i}, std::chrono::seconds(2))->GetStatus({});
    return status.ok() && status->message.connectivity() == "connected" &&
           status->message.reachable() == nodes.size() && status->message.total() == nodes.size();
  });
}

std::string TestCluster::ClusterId(int i) const {
  auto status = Client({i})->GetStatus({});
  EXPECT_TRUE(status.ok()) << status.status();
  return status.ok() ? status->message.cluster_id() : "";
}

void TestCluster::Kill9(int i) {
  node(i).Signal(SIGKILL);
  ASSERT_TRUE(node(i).Wait(std::chrono::seconds(30)).has_value());
}

void TestCluster::Stop(int i) {
  node(i).Signal(SIGTERM);
  ASSERT_EQ(node(i).Wait(std::chrono::seconds(60)), 0);
}

void TestCluster::SetSeeds(int i, std::vector<std::string> seeds) {
  seeds_[static_cast<size_t>(i)] = std::move(seeds);
}

void TestCluster::SetFlags(int i, std::vector<std::string> flags) {
  flags_[static_cast<size_t>(i)] = std::move(flags);
}

void TestCluster::Wipe(int i) { std::filesystem::remove_all(DataDir(i)); }

void TestCluster::Move(int i) { ports_[static_cast<size_t>(i)] = FreePorts(1)[0]; }

client::ClientOptions TestCluster::ClientOptionsFor(const std::vector<int>& nodes) const {
  client::ClientOptions options;
  options.nodes.clear();
  for (int i : nodes) options.nodes.push_back(Address(i));
  options.tls = options_.tls;
  // Several holders of one copy are made by test hooks, each with a log of its own: no holder has
  // what a session has seen at another one.
  options.session = options_.copies > 1;
  return options;
}

std::unique_ptr<client::Client> TestCluster::Client(const std::vector<int>& nodes,
                                                    std::chrono::milliseconds timeout) const {
  client::ClientOptions options = ClientOptionsFor(nodes);
  options.timeout = timeout;
  return *client::Client::Create(std::move(options));
}

CommandResult TestCluster::Cli(int node, std::vector<std::string> args,
                               const std::string& input) const {
  args.insert(args.begin(), EngramBinary());
  args.insert(args.end(), {"--node", Address(node)});
  if (options_.tls.has_value()) {
    const std::vector<std::string> flags = TlsFlags(*options_.tls);
    args.insert(args.end(), flags.begin(), flags.end());
  }
  return RunCommand(args, input);
}

int TestCluster::IndexOf(const std::string& node_id) const {
  for (int i = 0; i < size(); ++i) {
    if (Name(i) == node_id) return i;
  }
  ADD_FAILURE() << "there is no node " << node_id;
  return -1;
}

std::string TestCluster::SpaceOn(int i, const std::string& prefix) const {
  std::vector<NodeId> ids;
  for (int node = 0; node < size(); ++node) ids.emplace_back(Name(node));
  placement::Ring ring(std::move(ids));
  for (int n = 0;; ++n) {
    std::string space = prefix + std::to_string(n);
    if (ring.FirstHolder(space) == NodeId(Name(i))) return space;
  }
}

}  // namespace engram::testing
