// The configuration of one node: a TOML file, every key also a flag, defaults in this struct and
// nowhere else.
//
// Plain values; read once at start.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engram/base/string_hash.h"
#include "engram/base/strong_id.h"
#include "engram/base/time.h"
#include "engram/membership/partition_detector.h"
#include "engram/membership/swim_options.h"
#include "engram/memory/engine.h"
#include "engram/routing/ack.h"
#include "engram/routing/decision.h"

namespace engram::server {

struct NodeConfig {
  NodeId node_id{"node-1"};
  std::string cluster = "engram";
  std::filesystem::path data_dir = "engram-data";
  std::string listen = "127.0.0.1:50051";
  std::string advertise;                // empty: the same as listen
  std::string http = "127.0.0.1:7432";  // "off": no HTTP
  std::string gossip;                   // UDP; empty: the host of listen, port 7946
  std::string gossip_advertise;         // empty: advertise's host, gossip's port
  std::vector<std::string> seeds;
  bool bootstrap = false;
  Duration dns_refresh = std::chrono::seconds(30);
  std::vector<std::string> dns_servers;  // empty: the system's
  membership::SwimOptions swim;
  membership::PartitionOptions partition;
  std::string zone;
  std::string rack;
  // TLS: with a certificate and its key, and nothing else is spoken. Files are PEM.
  std::string tls_cert;
  std::string tls_key;
  std::string tls_ca;         // of the other nodes' certificates; empty: the system's
  std::string tls_client_ca;  // of those who call; empty: nobody is asked for a certificate
  std::string tls_name;       // in other nodes' certificates; empty: the host that is dialled
  memory::Durability durability = memory::Durability::kFsync;
  int copies = 3;  // of a new space
  int loops = 0;   // 0: one per core
  int workers = 2;
  int writes_max = 512;   // of each loop; SPEC R14
  int scatters_max = 64;  // of each loop: recalls over several spaces
  int queue_max = 1'000;  // of each loop: writes, and as many recalls of each kind
  Duration deadline = std::chrono::seconds(10);
  Duration drain = std::chrono::seconds(10);
  Duration connect_timeout = std::chrono::seconds(5);
  int connections_per_node = 4;
  int tries_per_node = 3;
  Duration retry_delay = std::chrono::milliseconds(100);
  Duration retry_delay_max = std::chrono::seconds(5);
  Duration read_try_limit = std::chrono::milliseconds(500);
  Duration write_try_limit = std::chrono::seconds(3);
  routing::ReadPreference read_preference = routing::ReadPreference::kPrimaryPreferred;
  StringMap<routing::ReadPreference> read_preferences;  // of single spaces
  routing::Ack ack = routing::Ack::kPrimary;
  StringMap<routing::Ack> acks;  // of single spaces
  bool replica_fallback = true;
  bool hedged_reads = false;
  int retry_budget = 10;  // percent of the requests
  int breaker_failures = 5;
  Duration breaker_open = std::chrono::seconds(30);
  bool test_hooks = false;  // see test_service.h; never in production
  Duration request_id_ttl = std::chrono::hours(1);
  int exact_vectors_max = 5'000;
  int connections_max = 20'000;
  int connections_per_address = 5'000;
  Duration connection_idle = Duration::max();  // of this and the next two: max() is no limit
  Duration connection_age = Duration::max();
  Duration connection_age_grace = Duration::max();
  int message_memory = 1'024;  // MiB
  std::string log_level = "info";
};

bool HasHttp(const NodeConfig& config);

// Event loops that a node of this configuration has.
int LoopCount(const NodeConfig& config);

// One key, for the file, the flags and the documentation.
struct ConfigKey {
  std::string_view name;  // "data-dir"; the flag is --data-dir
  std::string_view help;
  // Lists take one value per call, scalars overwrite. The error says what is allowed.
  absl::Status (*set)(NodeConfig&, const std::string& value);
  std::string (*show)(const NodeConfig&);
  void (*clear)(NodeConfig&) = nullptr;  // empties a list; null for scalars

  bool list() const { return clear != nullptr; }
};

// In the order in which --help shows them.
const std::vector<ConfigKey>& ConfigKeys();

// Applies a TOML file to `config`. Errors name the file, the line and the key; an unknown key names
// the nearest known one.
[[nodiscard]] absl::Status ApplyConfigFile(const std::filesystem::path& file, NodeConfig& config);
// The same from a text; `source` stands for the file in errors.
[[nodiscard]] absl::Status ApplyConfigText(std::string_view text, std::string_view source,
                                           NodeConfig& config);

// What was given for one key as flags, which wins over the file: a list replaces the file's list.
[[nodiscard]] absl::Status ApplyConfigFlags(const ConfigKey& key,
                                            const std::vector<std::string>& values,
                                            NodeConfig& config);

// Checks what spans several keys and fills `advertise`, `gossip` and `gossip_advertise`; the last
// step before the config is used.
[[nodiscard]] absl::Status FinishConfig(NodeConfig& config);

// The known name that is most like `name`; "" if none is near.
std::string_view NearestName(std::string_view name, const std::vector<std::string_view>& known);

struct HostPort {
  std::string host;
  uint16_t port = 0;
};
absl::StatusOr<HostPort> ParseHostPort(std::string_view field, std::string_view text);

}  // namespace engram::server
