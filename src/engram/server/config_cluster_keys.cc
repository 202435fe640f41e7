// The configuration keys of the control plane.
#include <fmt/format.h>

#include "engram/cluster/dns_resolver.h"
#include "engram/cluster/seed.h"
#include "engram/server/config_setters.h"

namespace engram::server {
namespace {

using Config = NodeConfig;
using Text = const std::string&;

absl::Status AddSeed(Config& c, Text value) {
  c.seeds.push_back(value);
  return cluster::ParseSeed(value).status();
}

template <Duration membership::SwimOptions::*Field>
std::string ShowPeriod(const Config& c) {
  return ShowDuration(c.swim.*Field);
}

template <auto Field>
absl::Status SetSize(std::string_view key, int least, int most, Text value, Config& c) {
  int parsed = 0;
  absl::Status status = SetInt(key, least, most, value, parsed);
  if (status.ok()) c.swim.*Field = static_cast<size_t>(parsed);
  return status;
}

template <auto Field>
std::string ShowNumber(const Config& c) {
  return std::to_string(c.swim.*Field);
}

std::vector<ConfigKey> DiscoveryKeys() {
  return {
      {"gossip",
       "host:port for gossip between nodes, UDP; if not given, the host of listen and port 7946",
       [](Config& c, Text v) { return SetAddress("gossip", v, c.gossip); },
       ShowText<&Config::gossip>},
      {"gossip-advertise",
       "host:port that other nodes send gossip to; if not given, the host of advertise and the "
       "port of gossip",
       [](Config& c, Text v) { return SetAddress("gossip-advertise", v, c.gossip_advertise); },
       ShowText<&Config::gossip_advertise>},
      {"seeds",
       "nodes through which a new one finds its cluster: host:port for gRPC, where a host name "
       "stands for all its addresses, or an SRV name such as _engram._tcp.example.org. One is "
       "enough. A new node without seeds founds a cluster",
       AddSeed, [](const Config& c) { return fmt::format("{}", fmt::join(c.seeds, ",")); },
       [](Config& c) { c.seeds.clear(); }},
      {"bootstrap",
       "on: if none of the seeds belongs to a cluster, found one. For one node, so that all can "
       "have the same seeds",
       [](Config& c, Text v) { return SetSwitch("bootstrap", v, c.bootstrap); },
       ShowSwitch<&Config::bootstrap>},
      {"dns-refresh", "the seeds' names are looked up anew so often",
       [](Config& c, Text v) { return SetDuration("dns-refresh", v, c.dns_refresh); },
       ShowTime<&Config::dns_refresh>},
      {"dns-servers",
       "DNS servers, ip or ip:port, for the seeds' names; if not given, the system's",
       [](Config& c, Text v) {
         c.dns_servers.push_back(v);
         return cluster::CheckDnsServer(v);
       },
       [](const Config& c) { return fmt::format("{}", fmt::join(c.dns_servers, ",")); },
       [](Config& c) { c.dns_servers.clear(); }},
  };
}

std::vector<ConfigKey> MembershipKeys() {
  using membership::SwimOptions;
  return {
      {"probe-period", "a node asks another one so often whether it is there",
       [](Config& c, Text v) { return SetDuration("probe-period", v, c.swim.probe_period); },
       ShowPeriod<&SwimOptions::probe_period>},
      {"ack-timeout", "if it has not answered by then, others and RPC are tried, too",
       [](Config& c, Text v) { return SetDuration("ack-timeout", v, c.swim.ack_timeout); },
       ShowPeriod<&SwimOptions::ack_timeout>},
      {"indirect-probes", "how many others are asked to try",
       [](Config& c, Text v) {
         return SetSize<&SwimOptions::indirect_probes>("indirect-probes", 0, 16, v, c);
       },
       ShowNumber<&SwimOptions::indirect_probes>},
      {"awareness-max",
       "a node that seems to be slow itself takes up to so many times longer to judge others",
       [](Config& c, Text v) { return SetInt("awareness-max", 0, 8, v, c.swim.awareness_max); },
       ShowNumber<&SwimOptions::awareness_max>},
      {"suspicion-multiplier",
       "a suspect has so many probe periods (times the logarithm of the cluster's size) to "
       "contradict, six times as many while few suspect it",
       [](Config& c, Text v) {
         return SetInt("suspicion-multiplier", 1, 100, v, c.swim.suspicion.multiplier);
       },
       [](const Config& c) { return std::to_string(c.swim.suspicion.multiplier); }},
      {"gossip-period", "news are sent so often",
       [](Config& c, Text v) { return SetDuration("gossip-period", v, c.swim.gossip_period); },
       ShowPeriod<&SwimOptions::gossip_period>},
      {"gossip-fanout", "each time to so many nodes",
       [](Config& c, Text v) {
         return SetSize<&SwimOptions::gossip_fanout>("gossip-fanout", 1, 16, v, c);
       },
       ShowNumber<&SwimOptions::gossip_fanout>},
      {"exchange-period", "everything that is known is compared with another node so often",
       [](Config& c, Text v) { return SetDuration("exchange-period", v, c.swim.exchange_period); },
       ShowPeriod<&SwimOptions::exchange_period>},
      {"heal-period", "dead nodes are tried so often, in case they are back",
       [](Config& c, Text v) { return SetDuration("heal-period", v, c.swim.heal_period); },
       ShowPeriod<&SwimOptions::heal_period>},
      {"reap-after",
       "nodes that are dead or have left for so long are no longer listed; the dead still count",
       [](Config& c, Text v) { return SetDuration("reap-after", v, c.swim.table.reap_after); },
       [](const Config& c) { return ShowDuration(c.swim.table.reap_after); }},
      {"partition-window",
       "a node that reaches no majority for so long is cut off: it serves only what it holds",
       [](Config& c, Text v) { return SetDuration("partition-window", v, c.partition.window); },
       [](const Config& c) { return ShowDuration(c.partition.window); }},
      {"healing", "and goes on doing so for so long after it reaches one again",
       [](Config& c, Text v) { return SetDuration("healing", v, c.partition.healing); },
       [](const Config& c) { return ShowDuration(c.partition.healing); }},
  };
}

}  // namespace

std::vector<ConfigKey> ClusterKeys() {
  std::vector<ConfigKey> keys = DiscoveryKeys();
  for (ConfigKey& key : MembershipKeys()) keys.push_back(key);
  return keys;
}

}  // namespace engram::server
