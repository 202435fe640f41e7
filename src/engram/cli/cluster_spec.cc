#include "engram/cli/cluster_spec.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <random>
#include <sstream>

#include "engram/base/error.h"
#include "engram/base/file.h"
#include "engram/base/ulid.h"

namespace engram::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kNodesMax = 100;
constexpr int kPortsPerNode = 10;

std::string NewClusterName() {
  std::random_device device;
  std::mt19937_64 random((uint64_t{device()} << 32) | device());
  auto now = std::chrono::system_clock::now().time_since_epoch();
  std::string id =
      Ulid::Make(WallMillis{std::chrono::duration_cast<std::chrono::milliseconds>(now).count()},
                 random)
          .ToString();
  for (char& c : id) c = static_cast<char>(std::tolower(c));
  return id;
}

absl::Status CheckSpec(const ClusterSpec& spec) {
  if (spec.nodes < 1 || spec.nodes > kNodesMax) {
    return InvalidArgument(
        "nodes", fmt::format("nodes must be from 1 to {}, not {}", kNodesMax, spec.nodes));
  }
  int last = spec.base_port + kPortsPerNode * (spec.nodes - 1) + 2;
  if (spec.base_port < 1 || last > 65'535) {
    return InvalidArgument("base-port",
                           fmt::format("base-port {} leaves no room for the ports of {} nodes",
                                       spec.base_port, spec.nodes));
  }
  if (spec.tls.cert.empty() != spec.tls.key.empty() ||
      (!spec.tls.on() && spec.tls != ClusterTls{})) {
    return InvalidArgument("tls-cert", "TLS needs both --tls-cert and --tls-key");
  }
  return absl::OkStatus();
}

struct TlsKey {
  const char* name;
  std::string ClusterTls::*value;
};
constexpr TlsKey kTlsKeys[] = {{"tls-cert", &ClusterTls::cert},
                               {"tls-key", &ClusterTls::key},
                               {"tls-ca", &ClusterTls::ca},
                               {"tls-client-ca", &ClusterTls::client_ca},
                               {"tls-name", &ClusterTls::name}};

// The same in the cluster's file and in the nodes'.
std::string TlsText(const ClusterTls& tls) {
  std::ostringstream text;
  for (const TlsKey& key : kTlsKeys) {
    const std::string& value = tls.*key.value;
    if (!value.empty()) text << key.name << " = " << toml::value<std::string>(value) << "\n";
  }
  return text.str();
}

ClusterTls ReadTls(const toml::table& table) {
  ClusterTls tls;
  for (const TlsKey& key : kTlsKeys) {
    tls.*key.value = table[key.name].value<std::string>().value_or("");
  }
  return tls;
}

absl::Status WriteConfigs(const ClusterSpec& spec) {
  for (int i = 0; i < spec.nodes; ++i) {
    fs::path dir = spec.NodeDir(i);
    std::error_code error;
    fs::create_directories(dir, error);
    if (error) {
      return InvalidArgument("dir",
                             fmt::format("cannot make {}: {}", dir.string(), error.message()));
    }
    // The first one founds the cluster.
    const std::string seeds = i == 0 ? "" : fmt::format("\"{}\"", spec.NodeAddress(0));
    std::string text = fmt::format(
        "# Written by `engram up`, anew each time.\n"
        "node-id = \"{}\"\ncluster = \"{}\"\ndata-dir = '{}'\nlisten = \"{}\"\nhttp = "
        "\"{}\"\ngossip = \"{}\"\nseeds = [{}]\ndurability = \"{}\"\n{}",
        spec.NodeName(i), spec.cluster, (dir / "data").string(), spec.NodeAddress(i),
        spec.HttpAddress(i), spec.GossipAddress(i), seeds, spec.durability, TlsText(spec.tls));
    if (absl::Status status = WriteFile(dir / "engram.toml", text); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

std::string ClusterSpec::NodeName(int i) const { return fmt::format("node-{}", i + 1); }

// The same path however the directory was named: nodes are told by it.
fs::path ClusterSpec::NodeDir(int i) const {
  std::error_code error;
  fs::path whole = fs::weakly_canonical(dir, error);
  return (error ? dir : whole) / NodeName(i);
}

std::string ClusterSpec::NodeAddress(int i) const {
  return fmt::format("127.0.0.1:{}", base_port + kPortsPerNode * i);
}

std::string ClusterSpec::HttpAddress(int i) const {
  return fmt::format("127.0.0.1:{}", base_port + kPortsPerNode * i + 1);
}

std::string ClusterSpec::GossipAddress(int i) const {
  return fmt::format("127.0.0.1:{}", base_port + kPortsPerNode * i + 2);
}

absl::StatusOr<ClusterSpec> ReadCluster(const fs::path& dir) {
  fs::path file = dir / "cluster.toml";
  if (!fs::exists(file)) {
    return InvalidArgument(
        "dir", fmt::format("{} is not the directory of a local cluster (it has no cluster.toml)",
                           dir.string()));
  }
  absl::StatusOr<std::string> text = ReadFile(file);
  if (!text.ok()) return text.status();
  ClusterSpec spec;
  spec.dir = dir;
  try {
    toml::table table = toml::parse(*text);
    spec.nodes = table["nodes"].value<int>().value();
    spec.base_port = table["base-port"].value<int>().value();
    spec.cluster = table["cluster"].value<std::string>().value();
    spec.durability = table["durability"].value<std::string>().value();
    spec.tls = ReadTls(table);
  } catch (const std::exception& error) {
    return InvalidArgument(
        "dir", fmt::format("{} is damaged: {}; the nodes' data is in {}/node-*/data", file.string(),
                           error.what(), dir.string()));
  }
  if (absl::Status status = CheckSpec(spec); !status.ok()) return status;
  return spec;
}

absl::StatusOr<ClusterSpec> PrepareCluster(const ClusterRequest& request) {
  ClusterSpec spec;
  spec.dir = request.dir;
  if (fs::exists(request.dir / "cluster.toml")) {
    auto before = ReadCluster(request.dir);
    if (!before.ok()) return before.status();
    spec = *before;
    if (request.nodes.value_or(spec.nodes) < spec.nodes) {
      return InvalidArgument(
          "nodes",
          fmt::format("{} holds a cluster of {} nodes; nodes can be added, but taking some "
                      "away is not possible yet, use another directory",
                      request.dir.string(), spec.nodes));
    }
    spec.nodes = request.nodes.value_or(spec.nodes);
  } else {
    spec.cluster = NewClusterName();
    spec.nodes = request.nodes.value_or(spec.nodes);
  }
  spec.base_port = request.base_port.value_or(spec.base_port);
  spec.durability = request.durability.value_or(spec.durability);
  spec.tls = request.tls.value_or(spec.tls);
  if (absl::Status status = CheckSpec(spec); !status.ok()) return status;
  if (absl::Status status = WriteConfigs(spec); !status.ok()) return status;
  absl::Status status = WriteFile(
      spec.dir / "cluster.toml",
      fmt::format(
          "# A local cluster, made by `engram up`.\ncluster = \"{}\"\nnodes = {}\nbase-port = {}\n"
          "durability = \"{}\"\n{}",
          spec.cluster, spec.nodes, spec.base_port, spec.durability, TlsText(spec.tls)));
  if (!status.ok()) return status;
  return spec;
}

}  // namespace engram::cli
