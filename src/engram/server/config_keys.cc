// The table of configuration keys: name, help, how to set, how to show.
#include <fmt/format.h>

#include <algorithm>

#include "engram/base/error.h"
#include "engram/base/names.h"
#include "engram/server/config.h"
#include "engram/server/config_setters.h"

namespace engram::server {
namespace {

// A primary, and as many replicas as a route has room for.
constexpr int kCopiesMax = 7;

absl::Status SetHttp(NodeConfig& c, const std::string& value) {
  const bool off = value.empty() || value == "off";
  if (!off && !ParseHostPort("http", value).ok()) {
    return InvalidArgument(
        "http",
        fmt::format("http must be host:port with a port from 1 to 65535, or off, not '{}'", value));
  }
  c.http = off ? "off" : value;
  return absl::OkStatus();
}

absl::Status SetDurability(NodeConfig& c, const std::string& value) {
  std::string chosen;
  absl::Status status = SetChoice("durability", {"fsync", "process"}, value, chosen);
  if (status.ok()) {
    c.durability = chosen == "fsync" ? memory::Durability::kFsync : memory::Durability::kProcess;
  }
  return status;
}

constexpr std::string_view kPreferences = "primary_preferred, nearest, replica_preferred, primary";

absl::Status SetPreference(std::string_view key, const std::string& value,
                           routing::ReadPreference& out) {
  std::optional<routing::ReadPreference> parsed = routing::ParseReadPreference(value);
  if (!parsed.has_value()) {
    return InvalidArgument(key,
                           fmt::format("{} must be one of {}, not '{}'", key, kPreferences, value));
  }
  out = *parsed;
  return absl::OkStatus();
}

absl::Status SetAck(std::string_view key, const std::string& value, routing::Ack& out) {
  std::optional<routing::Ack> parsed = routing::AckFrom(value);
  if (!parsed.has_value()) {
    return InvalidArgument(key, fmt::format("{} must be one of {}, not '{}'", key,
                                            fmt::join(routing::kAckNames, ", "), value));
  }
  out = *parsed;
  return absl::OkStatus();
}

// "space=choice", of which `set` reads the choice.
template <class Choice>
absl::Status AddOfSpace(std::string_view key, const std::string& value, StringMap<Choice>& out,
                        absl::Status (*set)(std::string_view, const std::string&, Choice&)) {
  size_t equals = value.find('=');
  if (equals == std::string::npos) {
    return InvalidArgument(
        key, fmt::format("{} must be of the form space=choice, not '{}'", key, value));
  }
  const std::string space = value.substr(0, equals);
  if (absl::Status status = CheckSpaceName(key, space); !status.ok()) return status;
  Choice choice{};
  absl::Status status = set(key, value.substr(equals + 1), choice);
  if (status.ok()) out[space] = choice;
  return status;
}

template <class Choice>
std::string ShowOfSpaces(const StringMap<Choice>& of_spaces) {
  std::vector<std::string> shown;
  for (const auto& [space, choice] : of_spaces) {
    shown.push_back(fmt::format("{}={}", space, NameOf(choice)));
  }
  std::sort(shown.begin(), shown.end());
  return fmt::format("{}", fmt::join(shown, ","));
}

// An empty variable of a script must not end in plain HTTP/2.
template <std::string NodeConfig::*Field>
absl::Status SetTls(std::string_view key, NodeConfig& c, const std::string& value) {
  c.*Field = value;
  return value.empty() ? InvalidArgument(key, fmt::format("{} must not be empty", key))
                       : absl::OkStatus();
}

using Config = NodeConfig;
using Text = const std::string&;

std::vector<ConfigKey> IdentityKeys() {
  return {
      {"node-id", "this node's name in the cluster; kept in the data directory",
       [](Config& c, Text v) {
         c.node_id = NodeId(v);
         return CheckNodeId("node-id", v);
       },
       [](const Config& c) { return c.node_id.value(); }},
      {"cluster", "name of the cluster; nodes and data of another one are refused",
       [](Config& c, Text v) {
         c.cluster = v;
         return CheckNodeId("cluster", v);
       },
       ShowText<&Config::cluster>},
      {"data-dir", "where this node keeps its data; made if missing",
       [](Config& c, Text v) {
         c.data_dir = v;
         return v.empty() ? InvalidArgument("data-dir", "data-dir must not be empty")
                          : absl::OkStatus();
       },
       [](const Config& c) { return c.data_dir.string(); }},
      {"listen", "host:port for gRPC",
       [](Config& c, Text v) { return SetAddress("listen", v, c.listen); },
       ShowText<&Config::listen>},
      {"advertise", "host:port that other nodes dial; the same as listen if not given",
       [](Config& c, Text v) { return SetAddress("advertise", v, c.advertise); },
       ShowText<&Config::advertise>},
      {"http", "host:port for HTTP: GET /metrics. Plain and open to whoever reaches it; off: none",
       SetHttp, ShowText<&Config::http>},
      {"zone", "label: data centre or region", SetText<&Config::zone>, ShowText<&Config::zone>},
      {"rack", "label: what fails together", SetText<&Config::rack>, ShowText<&Config::rack>},
  };
}

std::vector<ConfigKey> TlsKeys() {
  return {
      {"tls-cert",
       "PEM file of this node's certificate and those between it and its CA; with it and tls-key "
       "the node speaks TLS only, to clients and to other nodes. Files that change are read anew",
       [](Config& c, Text v) { return SetTls<&Config::tls_cert>("tls-cert", c, v); },
       ShowText<&Config::tls_cert>},
      {"tls-key", "PEM file of its key, without a passphrase",
       [](Config& c, Text v) { return SetTls<&Config::tls_key>("tls-key", c, v); },
       ShowText<&Config::tls_key>},
      {"tls-ca",
       "PEM file of the CAs that may have signed the other nodes' certificates; the system's if "
       "not given",
       [](Config& c, Text v) { return SetTls<&Config::tls_ca>("tls-ca", c, v); },
       ShowText<&Config::tls_ca>},
      {"tls-client-ca",
       "PEM file of CAs; every client and node must then show a certificate that one of them has "
       "signed (mutual TLS)",
       [](Config& c, Text v) { return SetTls<&Config::tls_client_ca>("tls-client-ca", c, v); },
       ShowText<&Config::tls_client_ca>},
      {"tls-name",
       "name or address that the other nodes' certificates must be for, instead of the host that "
       "is dialled",
       [](Config& c, Text v) { return SetTls<&Config::tls_name>("tls-name", c, v); },
       ShowText<&Config::tls_name>},
  };
}

std::vector<ConfigKey> ConnectionKeys() {
  return {
      {"connections-max", "connections at a time; who comes then is turned away",
       [](Config& c, Text v) {
         return SetInt("connections-max", 1, 1'000'000, v, c.connections_max);
       },
       ShowInt<&Config::connections_max>},
      {"connections-per-address",
       "the same from one IPv4 address, or one /64 of IPv6; other nodes need connections too",
       [](Config& c, Text v) {
         return SetInt("connections-per-address", 1, 1'000'000, v, c.connections_per_address);
       },
       ShowInt<&Config::connections_per_address>},
      {"connection-idle",
       "a connection without a request for so long is told to go; 0: no limit. Clients and nodes "
       "come again by themselves",
       [](Config& c, Text v) { return SetLimit("connection-idle", v, c.connection_idle); },
       ShowLimit<&Config::connection_idle>},
      {"connection-age",
       "a connection that is so old, give or take a tenth, is told to go; 0: no limit",
       [](Config& c, Text v) { return SetLimit("connection-age", v, c.connection_age); },
       ShowLimit<&Config::connection_age>},
      {"connection-age-grace",
       "what its requests in flight then get before they are ended; 0: no limit",
       [](Config& c, Text v) {
         return SetLimit("connection-age-grace", v, c.connection_age_grace);
       },
       ShowLimit<&Config::connection_age_grace>},
      {"message-memory",
       "MiB that the messages of all requests may take, shared out over the loops; beyond it "
       "requests are refused as OVERLOADED",
       [](Config& c, Text v) {
         return SetInt("message-memory", 4, 1'048'576, v, c.message_memory);
       },
       ShowInt<&Config::message_memory>},
  };
}

std::vector<ConfigKey> EngineKeys() {
  return {
      {"durability",
       "a write is acknowledged when on disk (fsync) or with the operating system (process)",
       SetDurability,
       [](const Config& c) -> std::string {
         return c.durability == memory::Durability::kFsync ? "fsync" : "process";
       }},
      {"exact-vectors-max",
       "embeddings in a space up to which recall compares all; above it, an HNSW graph",
       [](Config& c, Text v) {
         return SetInt("exact-vectors-max", 0, 100'000'000, v, c.exact_vectors_max);
       },
       ShowInt<&Config::exact_vectors_max>},
      {"request-id-ttl", "how long a repeated request is recognised by its id",
       [](Config& c, Text v) { return SetDuration("request-id-ttl", v, c.request_id_ttl); },
       ShowTime<&Config::request_id_ttl>},
      {"copies",
       "holders of a new space, one of them its primary; fewer if there are fewer nodes. Spaces "
       "that are there keep theirs",
       [](Config& c, Text v) { return SetInt("copies", 1, kCopiesMax, v, c.copies); },
       ShowInt<&Config::copies>},
      {"loops", "event loops, each a thread; 0: one per core",
       [](Config& c, Text v) { return SetInt("loops", 0, 256, v, c.loops); },
       ShowInt<&Config::loops>},
      {"workers", "threads for recalls",
       [](Config& c, Text v) { return SetInt("workers", 1, 256, v, c.workers); },
       ShowInt<&Config::workers>},
      {"writes-max", "writes under way at a time, of each loop; further ones wait",
       [](Config& c, Text v) { return SetInt("writes-max", 1, 10'000, v, c.writes_max); },
       ShowInt<&Config::writes_max>},
      {"scatters-max",
       "recalls over several spaces under way at a time, of each loop; further ones wait",
       [](Config& c, Text v) { return SetInt("scatters-max", 1, 10'000, v, c.scatters_max); },
       ShowInt<&Config::scatters_max>},
      {"queue-max",
       "writes, and as many recalls, and as many over several spaces, that wait at a time, of each "
       "loop; beyond it, or if they would be answered too late, they are refused as OVERLOADED",
       [](Config& c, Text v) { return SetInt("queue-max", 0, 100'000, v, c.queue_max); },
       ShowInt<&Config::queue_max>},
  };
}

std::vector<ConfigKey> RoutingKeys() {
  return {
      {"deadline", "longest time for a request; a client's own deadline counts if shorter",
       [](Config& c, Text v) { return SetDuration("deadline", v, c.deadline); },
       ShowTime<&Config::deadline>},
      {"tries-per-node", "tries at one node within a request",
       [](Config& c, Text v) { return SetInt("tries-per-node", 1, 100, v, c.tries_per_node); },
       ShowInt<&Config::tries_per_node>},
      {"retry-delay", "wait before the second try at a node; doubles with each further one",
       [](Config& c, Text v) { return SetDuration("retry-delay", v, c.retry_delay); },
       ShowTime<&Config::retry_delay>},
      {"retry-delay-max", "longest such wait",
       [](Config& c, Text v) { return SetDuration("retry-delay-max", v, c.retry_delay_max); },
       ShowTime<&Config::retry_delay_max>},
      {"read-try-limit", "time for one try of a read while another holder is left",
       [](Config& c, Text v) { return SetDuration("read-try-limit", v, c.read_try_limit); },
       ShowTime<&Config::read_try_limit>},
      {"write-try-limit",
       "time for one try of a write, which is then repeated under its request id",
       [](Config& c, Text v) { return SetDuration("write-try-limit", v, c.write_try_limit); },
       ShowTime<&Config::write_try_limit>},
      {"read-preference",
       "which holder answers a read that this node does not: primary_preferred, nearest, "
       "replica_preferred or primary, which also switches off reading a replica of its own",
       [](Config& c, Text v) { return SetPreference("read-preference", v, c.read_preference); },
       [](const Config& c) { return std::string(NameOf(c.read_preference)); }},
      {"space-read-preferences", "the same for single spaces, each as space=preference",
       [](Config& c, Text v) {
         return AddOfSpace("space-read-preferences", v, c.read_preferences, SetPreference);
       },
       [](const Config& c) { return ShowOfSpaces(c.read_preferences); },
       [](Config& c) { c.read_preferences.clear(); }},
      {"ack",
       "when a write is acknowledged: once it is durable at the primary, at a quorum of the "
       "space's "
       "holders, or at all of them; a request may ask for another",
       [](Config& c, Text v) { return SetAck("ack", v, c.ack); },
       [](const Config& c) { return std::string(NameOf(c.ack)); }},
      {"space-ack", "the same for single spaces, each as space=ack",
       [](Config& c, Text v) { return AddOfSpace("space-ack", v, c.acks, SetAck); },
       [](const Config& c) { return ShowOfSpaces(c.acks); }, [](Config& c) { c.acks.clear(); }},
      {"replica-fallback", "off: a read whose preferred holder fails is not sent to another one",
       [](Config& c, Text v) { return SetSwitch("replica-fallback", v, c.replica_fallback); },
       ShowSwitch<&Config::replica_fallback>},
      {"hedged-reads",
       "on: a read that takes longer than 95 of 100 is also sent to a second holder",
       [](Config& c, Text v) { return SetSwitch("hedged-reads", v, c.hedged_reads); },
       ShowSwitch<&Config::hedged_reads>},
      {"retry-budget",
       "repeat tries and hedges at a node, in percent of the requests that chose it; one a second "
       "in any case",
       [](Config& c, Text v) { return SetInt("retry-budget", 0, 100, v, c.retry_budget); },
       ShowInt<&Config::retry_budget>},
      {"breaker-failures", "failures in a row after which a node is left alone",
       [](Config& c, Text v) {
         return SetInt("breaker-failures", 1, 1'000'000, v, c.breaker_failures);
       },
       ShowInt<&Config::breaker_failures>},
      {"breaker-open", "for how long; each time in a row twice as long, at most ten times",
       [](Config& c, Text v) { return SetDuration("breaker-open", v, c.breaker_open); },
       ShowTime<&Config::breaker_open>},
      {"connect-timeout", "time to open a connection to another node",
       [](Config& c, Text v) { return SetDuration("connect-timeout", v, c.connect_timeout); },
       ShowTime<&Config::connect_timeout>},
      {"connections-per-node", "connections to each other node, shared out over the loops",
       [](Config& c, Text v) {
         return SetInt("connections-per-node", 1, 64, v, c.connections_per_node);
       },
       ShowInt<&Config::connections_per_node>},
      {"drain", "on SIGTERM, time for requests in flight to end",
       [](Config& c, Text v) { return SetDuration("drain", v, c.drain); },
       ShowTime<&Config::drain>},
      {"test-hooks",
       "on: tests may put any routing table into this node; never use it in production",
       [](Config& c, Text v) { return SetSwitch("test-hooks", v, c.test_hooks); },
       ShowSwitch<&Config::test_hooks>},
      {"log-level", "trace, debug, info, warn, error or off; logs go to standard error",
       [](Config& c, Text v) {
         return SetChoice("log-level", {"trace", "debug", "info", "warn", "error", "off"}, v,
                          c.log_level);
       },
       ShowText<&Config::log_level>},
  };
}

}  // namespace

const std::vector<ConfigKey>& ConfigKeys() {
  static const std::vector<ConfigKey>* keys = [] {
    auto* all = new std::vector<ConfigKey>(IdentityKeys());
    for (auto group : {ClusterKeys(), TlsKeys(), EngineKeys(), RoutingKeys(), ConnectionKeys()})
      all->insert(all->end(), group.begin(), group.end());
    return all;
  }();
  return *keys;
}

}  // namespace engram::server
