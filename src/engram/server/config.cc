#include "engram/server/config.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <thread>

#include "engram/base/error.h"
#include "engram/base/file.h"
#include "engram/cluster/advertise.h"

namespace engram::server {
namespace {

constexpr int kLoopsMax = 256;
constexpr int kMessageMiB = 4;  // ServerOptions::message_bytes_max

// Levenshtein's edit distance, in one row.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t substituted = diagonal + (a[i - 1] != b[j - 1] ? 1 : 0);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

absl::Status InFile(std::string_view source, const toml::source_region& at,
                    const std::string& what) {
  return InvalidArgument("config", fmt::format("{}:{}: {}", source, at.begin.line, what));
}

const ConfigKey* FindKey(std::string_view name) {
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

std::string UnknownKey(std::string_view name) {
  std::vector<std::string_view> known;
  for (const ConfigKey& key : ConfigKeys()) known.push_back(key.name);
  std::string_view nearest = NearestName(name, known);
  if (nearest.empty()) {
    return fmt::format("unknown key '{}'; `engram serve --help` lists the keys", name);
  }
  return fmt::format("unknown key '{}'; did you mean '{}'?", name, nearest);
}

// Every scalar is set through its text, so that the file and the flags accept exactly the same.
std::optional<std::string> ScalarText(const toml::node& node) {
  if (auto text = node.value<std::string>(); node.is_string()) return *text;
  if (node.is_integer()) return fmt::format("{}", node.as_integer()->get());
  // A key that does not take it says what it takes instead.
  if (node.is_boolean()) return node.as_boolean()->get() ? "true" : "false";
  return std::nullopt;
}

absl::Status SetScalar(const ConfigKey& key, const toml::node& node, std::string_view source,
                       NodeConfig& config) {
  std::optional<std::string> text = ScalarText(node);
  if (!text.has_value()) {
    return InFile(source, node.source(),
                  fmt::format("{} must be a string or a whole number", key.name));
  }
  absl::Status status = key.set(config, *text);
  return status.ok() ? status : InFile(source, node.source(), std::string(status.message()));
}

absl::Status SetKey(const ConfigKey& key, const toml::node& node, std::string_view source,
                    NodeConfig& config) {
  if (!key.list()) return SetScalar(key, node, source, config);
  if (!node.is_array()) {
    return InFile(source, node.source(), fmt::format("{} must be a list of strings", key.name));
  }
  for (const toml::node& element : *node.as_array()) {
    if (absl::Status status = SetScalar(key, element, source, config); !status.ok()) return status;
  }
  return absl::OkStatus();
}

// What is given for TLS must not be without effect because something else is missing.
absl::Status CheckTls(const NodeConfig& config) {
  if (config.tls_cert.empty() != config.tls_key.empty()) {
    return InvalidArgument(config.tls_cert.empty() ? "tls-cert" : "tls-key",
                           "tls-cert and tls-key must be given together");
  }
  if (!config.tls_cert.empty()) return absl::OkStatus();
  const std::pair<std::string_view, const std::string&> others[] = {
      {"tls-ca", config.tls_ca},
      {"tls-client-ca", config.tls_client_ca},
      {"tls-name", config.tls_name}};
  for (const auto& [key, value] : others) {
    if (value.empty()) continue;
    return InvalidArgument(key, fmt::format("{} needs tls-cert and tls-key: without them the node "
                                            "speaks plain HTTP/2",
                                            key));
  }
  return absl::OkStatus();
}

// Each loop has its share, and a largest message must fit into it.
absl::Status CheckMessageMemory(const NodeConfig& config) {
  const int least = kMessageMiB * LoopCount(config);
  if (config.message_memory >= least) return absl::OkStatus();
  return InvalidArgument(
      "message-memory",
      fmt::format("message-memory must be at least {} (MiB, {} for each of {} loops), not {}",
                  least, kMessageMiB, LoopCount(config), config.message_memory));
}

absl::Status CheckHttp(const NodeConfig& config) {
  if (!HasHttp(config) || config.http != config.listen) return absl::OkStatus();
  return InvalidArgument(
      "http", fmt::format("http and listen cannot both be {}; http may also be off", config.http));
}

absl::Status CheckDelays(const NodeConfig& config) {
  if (config.retry_delay <= config.retry_delay_max) return absl::OkStatus();
  return InvalidArgument("retry-delay-max", "retry-delay-max must not be less than retry-delay");
}

std::string WithBrackets(const std::string& host) {
  return host.find(':') == std::string::npos ? host : '[' + host + ']';
}

constexpr int kGossipPort = 7946;

// What others dial is what this node listens on, unless it is given.
absl::Status FillAdvertised(NodeConfig& config) {
  if (config.advertise.empty()) config.advertise = config.listen;
  absl::StatusOr<HostPort> advertised = ParseHostPort("advertise", config.advertise);
  if (!advertised.ok()) return advertised.status();
  absl::StatusOr<HostPort> listen = ParseHostPort("listen", config.listen);
  if (!listen.ok()) return listen.status();
  if (config.gossip.empty()) {
    config.gossip = fmt::format("{}:{}", WithBrackets(listen->host), kGossipPort);
  }
  if (!config.gossip_advertise.empty()) return absl::OkStatus();
  absl::StatusOr<HostPort> gossip = ParseHostPort("gossip", config.gossip);
  if (!gossip.ok()) return gossip.status();
  config.gossip_advertise = fmt::format("{}:{}", WithBrackets(advertised->host), gossip->port);
  return absl::OkStatus();
}

// An error names the key.
absl::Status CheckMembership(const NodeConfig& config) {
  absl::Status status = membership::Check(config.swim);
  if (status.ok()) return status;
  const std::string key = DetailOf(status).field;
  return InvalidArgument(key, fmt::format("{} is {}", key, std::string(status.message())));
}

}  // namespace

bool HasHttp(const NodeConfig& config) { return config.http != "off"; }

int LoopCount(const NodeConfig& config) {
  if (config.loops > 0) return config.loops;
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, kLoopsMax);
}

std::string_view NearestName(std::string_view name, const std::vector<std::string_view>& known) {
  std::string_view best;
  size_t best_distance = std::max<size_t>(2, name.size() / 3) + 1;
  for (std::string_view candidate : known) {
    size_t distance = EditDistance(name, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

absl::StatusOr<HostPort> ParseHostPort(std::string_view field, std::string_view text) {
  size_t colon = text.rfind(':');
  HostPort result;
  unsigned port = 0;
  bool valid = colon != std::string_view::npos && colon > 0;
  if (valid) {
    const char* end = text.data() + text.size();
    auto [stop, error] = std::from_chars(text.data() + colon + 1, end, port);
    valid = error == std::errc() && stop == end && port >= 1 && port <= 65'535;
  }
  if (!valid) {
    return InvalidArgument(
        field,
        fmt::format("{} must be host:port with a port from 1 to 65535, not '{}'", field, text));
  }
  result.host = text.substr(0, colon);
  // IPv6 addresses are written in brackets, which the resolver does not want.
  if (result.host.starts_with('[') && result.host.ends_with(']')) {
    result.host = result.host.substr(1, result.host.size() - 2);
  }
  result.port = static_cast<uint16_t>(port);
  return result;
}

absl::Status ApplyConfigText(std::string_view text, std::string_view source, NodeConfig& config) {
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& error) {
    return InFile(source, error.source(), std::string(error.description()));
  }
  for (const auto& [name, node] : table) {
    const ConfigKey* key = FindKey(name.str());
    if (key == nullptr) return InFile(source, node.source(), UnknownKey(name.str()));
    if (absl::Status status = SetKey(*key, node, source, config); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ApplyConfigFile(const std::filesystem::path& file, NodeConfig& config) {
  absl::StatusOr<std::string> text = ReadFile(file);
  if (!text.ok()) return text.status();
  return ApplyConfigText(*text, file.string(), config);
}

absl::Status ApplyConfigFlags(const ConfigKey& key, const std::vector<std::string>& values,
                              NodeConfig& config) {
  if (key.list() && !values.empty()) key.clear(config);
  for (const std::string& value : values) {
    if (absl::Status status = key.set(config, value); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status FinishConfig(NodeConfig& config) {
  if (absl::Status status = FillAdvertised(config); !status.ok()) return status;
  for (const auto& [key, address] : {std::pair("advertise", config.advertise),
                                     std::pair("gossip-advertise", config.gossip_advertise)}) {
    absl::Status status = cluster::CheckAdvertised({key, address}, config.seeds);
    if (!status.ok()) return status;
  }
  if (absl::Status status = CheckMembership(config); !status.ok()) return status;
  if (absl::Status status = CheckTls(config); !status.ok()) return status;
  if (absl::Status status = CheckDelays(config); !status.ok()) return status;
  if (absl::Status status = CheckHttp(config); !status.ok()) return status;
  return CheckMessageMemory(config);
}

}  // namespace engram::server
