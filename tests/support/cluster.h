// A cluster of real nodes for tests: real processes, data in a temporary directory; all on
// loopback, on ports that are free, or each on a host of its own.
//
// Single-threaded use, but the clients it hands out may be used on any thread. Everything is
// stopped and removed with it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engram/client/client.h"
#include "engram/storage/testing/temp_dir.h"
#include "support/process.h"
#include "support/switched_network.h"

namespace engram::testing {

// The program under test.
std::string EngramBinary();

// The flags of `engram` commands that say the same.
std::vector<std::string> TlsFlags(const client::ClientTls& tls);

// More of `engram serve`: nodes find each other, but after that nobody is held dead and no tables
// are compared. For tests of what requests find out by themselves.
inline const std::vector<std::string> kQuietMembership = {"--probe-period", "1h",
                                                          "--exchange-period", "1h"};

struct TestClusterOptions {
  int nodes = 3;
  // The first so many are started at once; the others are up to the test.
  std::optional<int> started;
  // Of a new space. Most tests are about one copy, whose place they know.
  int copies = 1;
  std::string durability = "process";  // survives kill -9, and is quicker than fsync
  std::vector<std::string> flags;      // more of `engram serve`, for every node
  // Where nodes dial each other; clients dial 127.0.0.1. Another address of loopback, such as
  // 127.0.0.2, lets a test break the way between nodes and leave that of clients alone.
  std::string between_nodes = "127.0.0.1";
  // Node i lives on host i, to which the ways from other hosts can be cut; between_nodes has no
  // meaning then. Not owned; outlives the cluster.
  const SwitchedNetwork* network = nullptr;
  // How clients and commands speak with the nodes; the nodes' own part is in `flags`.
  std::optional<client::ClientTls> tls;
};

class TestCluster {
 public:
  // The seed of all others.
  static constexpr int kFounder = 0;

  // Starts the nodes and waits until each reaches every other.
  explicit TestCluster(TestClusterOptions options = {});

  // (Re)starts node i; REQUIRES: it does not run.
  void Start(int i);
  void AwaitReady(int i);
  // Waits until every node reaches every other. REQUIRES: all run.
  void AwaitWhole() { AwaitWhole(Indexes()); }
  // The same of these, which are all that there are.
  void AwaitWhole(const std::vector<int>& nodes);
  // What requests between its nodes are marked with; "" if the node does not answer.
  std::string ClusterId(int i = kFounder) const;
  Process& node(int i) { return *nodes_[static_cast<size_t>(i)]; }
  void Kill9(int i);
  // SIGTERM, and waits until it has ended well.
  void Stop(int i);

  // Of node i alone, from its next start on: its seeds, which are else the founder, and flags that
  // come after those of all.
  void SetSeeds(int i, std::vector<std::string> seeds);
  void SetFlags(int i, std::vector<std::string> flags);
  // REQUIRES of both: node i does not run. Its data is gone; it has other ports.
  void Wipe(int i);
  void Move(int i);

  int size() const { return options_.nodes; }
  // 0 .. size() - 1
  std::vector<int> Indexes() const;
  std::string Name(int i) const { return "node-" + std::to_string(i + 1); }
  std::string Address(int i) const { return HostOf(i) + ":" + std::to_string(Port(i)); }
  // Where other nodes dial node i.
  std::string PeerAddress(int i) const {
    return options_.network != nullptr ? Address(i)
                                       : options_.between_nodes + ":" + std::to_string(Port(i));
  }
  int Port(int i) const { return ports_[static_cast<size_t>(i)]; }
  std::string HttpAddress(int i) const { return HostOf(i) + ":" + std::to_string(Port(i) + 1); }
  std::string GossipAddress(int i) const {
    const std::string host = options_.network != nullptr ? HostOf(i) : options_.between_nodes;
    return host + ":" + std::to_string(Port(i) + 2);
  }
  std::filesystem::path DataDir(int i) const { return dir_.path() / Name(i); }
  std::filesystem::path Log(int i) const { return dir_.path() / (Name(i) + ".log"); }
  std::vector<std::string> ServeCommand(int i) const;

  // What Client() makes a client of; for one that differs.
  client::ClientOptions ClientOptionsFor(const std::vector<int>& nodes) const;
  // A client that knows the given nodes, in that order.
  std::unique_ptr<client::Client> Client(
      const std::vector<int>& nodes,
      std::chrono::milliseconds timeout = std::chrono::seconds(30)) const;

  // Runs `engram ARGS... --node ADDRESS`, with the flags for TLS if the cluster speaks it.
  CommandResult Cli(int node, std::vector<std::string> args, const std::string& input = "") const;

  // The index of the node with that id.
  int IndexOf(const std::string& node_id) const;
  // A space name "<prefix><number>" that the ring gives to node i.
  std::string SpaceOn(int i, const std::string& prefix = "s") const;

 private:
  // Where clients dial node i.
  std::string HostOf(int i) const {
    return options_.network != nullptr ? options_.network->Address(i) : "127.0.0.1";
  }

  // Whether all of them are connected with so many, of so many.
  bool Reach(const std::vector<int>& nodes) const;

  TestClusterOptions options_;
  storage::TempDir dir_;
  std::vector<int> ports_;
  std::vector<std::vector<std::string>> seeds_;
  std::vector<std::vector<std::string>> flags_;
  std::vector<std::unique_ptr<Process>> nodes_;
};

}  // namespace engram::testing
