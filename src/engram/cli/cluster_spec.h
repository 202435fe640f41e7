// What a local cluster is made of, as kept in its directory:
//   DIR/cluster.toml        what `up` was asked for, so that starting it again needs only DIR
//   DIR/node-I/engram.toml  the node's configuration; DIR/node-I/data its data
// Ports: node I (from 1) has gRPC on base + 10(I-1), HTTP on the next, gossip on the one after.
// node-1 founds the cluster, the others have it as their seed.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace engram::cli {

// Absolute paths and names of the nodes' configuration keys; all empty: plain HTTP/2.
struct ClusterTls {
  std::string cert;
  std::string key;
  std::string ca;
  std::string client_ca;
  std::string name;

  bool operator==(const ClusterTls&) const = default;
  bool on() const { return !cert.empty(); }
};

struct ClusterSpec {
  std::filesystem::path dir;
  int nodes = 3;
  int base_port = 50051;
  std::string cluster;  // its name, different from that of every other one
  std::string durability = "fsync";
  ClusterTls tls;  // the same for every node

  std::string NodeName(int i) const;     // i from 0: "node-1", ...
  std::string NodeAddress(int i) const;  // gRPC
  std::string HttpAddress(int i) const;
  std::string GossipAddress(int i) const;
  std::filesystem::path NodeDir(int i) const;
};

// What `up` was given; absent: as before, or the default.
struct ClusterRequest {
  std::filesystem::path dir;
  std::optional<int> nodes;
  std::optional<int> base_port;
  std::optional<std::string> durability;
  std::optional<ClusterTls> tls;  // as a whole
};

// Reads DIR/cluster.toml if it is there, applies the request, writes it and every node's
// configuration.
absl::StatusOr<ClusterSpec> PrepareCluster(const ClusterRequest& request);
absl::StatusOr<ClusterSpec> ReadCluster(const std::filesystem::path& dir);

}  // namespace engram::cli
