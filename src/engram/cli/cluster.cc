// engram spaces, nodes, status, route: the cluster as a node sees it.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "engram/cli/command.h"

namespace engram::cli {
namespace {

std::string StateName(v1::NodeState state) {
  switch (state) {
    case v1::NODE_STATE_ALIVE:
      return "alive";
    case v1::NODE_STATE_SUSPECT:
      return "suspect";
    case v1::NODE_STATE_DEAD:
      return "dead";
    case v1::NODE_STATE_LEFT:
      return "left";
    default:
      return "unknown";
  }
}

Json MissingJson(const google::protobuf::RepeatedPtrField<v1::MissingNode>& missing) {
  Json json = Json::array();
  for (const v1::MissingNode& node : missing)
    json.push_back({{"id", node.id()}, {"reason", node.reason()}});
  return json;
}

void PrintMissing(const google::protobuf::RepeatedPtrField<v1::MissingNode>& missing) {
  for (const v1::MissingNode& node : missing) {
    fmt::print(stderr, "{} did not answer: {}\n", node.id(), node.reason());
  }
}

void PrintSpaces(const google::protobuf::RepeatedPtrField<v1::SpaceInfo>& spaces) {
  for (const v1::SpaceInfo& space : spaces) {
    fmt::print("{:<24} {:>9} memories  {}\n", space.name(), space.memories(),
               space.assignment().primary());
  }
  std::fflush(stdout);
}

void Spaces(Context& context, const std::string& prefix) {
  v1::ListSpacesRequest request;
  request.set_prefix(prefix);
  auto client = Connect(context);
  if (client == nullptr) return;
  auto answer = client->ListSpaces(request);
  if (!answer.ok()) return Fail(context, answer.status());
  const v1::ListSpacesResponse& reply = answer->message;
  if (!context.json) {
    PrintSpaces(reply.spaces());
    if (reply.spaces().empty()) {
      fmt::print(stderr, "no space{}; storing into a space makes it\n",
                 prefix.empty() ? " yet" : fmt::format(" begins with '{}'", prefix));
    }
    return PrintMissing(reply.missing());
  }
  Json spaces = Json::array();
  for (const v1::SpaceInfo& space : reply.spaces()) {
    Json replicas = Json::array();
    for (const std::string& replica : space.assignment().replicas()) replicas.push_back(replica);
    spaces.push_back({{"name", space.name()},
                      {"primary", space.assignment().primary()},
                      {"replicas", replicas},
                      {"version", VersionJson(space.assignment().version())},
                      {"memories", space.memories()},
                      {"embedding_dimension", space.embedding_dimension()}});
  }
  PrintJson({{"spaces", spaces}, {"missing", MissingJson(reply.missing())}});
}

// What the holders of the node's spaces lack.
Json ReplicasJson(const v1::NodeInfo& node) {
  Json json = Json::array();
  for (const v1::ReplicaLag& lag : node.replicas()) {
    json.push_back({{"node", lag.node()},
                    {"spaces", lag.spaces()},
                    {"entries", lag.entries()},
                    {"bytes", lag.bytes()},
                    {"seconds", lag.seconds()}});
  }
  return json;
}

Json NodesJson(const google::protobuf::RepeatedPtrField<v1::NodeInfo>& nodes) {
  Json json = Json::array();
  for (const v1::NodeInfo& node : nodes) {
    json.push_back({{"id", node.id()},
                    {"address", node.address()},
                    {"state", StateName(node.state())},
                    {"incarnation", node.incarnation()},
                    {"zone", node.zone()},
                    {"rack", node.rack()},
                    {"latency_ms", node.latency_ms()},
                    {"spaces", node.spaces()},
                    {"memories", node.memories()},
                    {"uptime_ms", node.uptime_ms()},
                    {"software_version", node.software_version()},
                    {"table_version", node.table_version()},
                    {"replicas", ReplicasJson(node)}});
  }
  return json;
}

// Labels that were not given take no room.
std::string PlaceOf(const v1::NodeInfo& node) {
  std::string place = node.zone().empty() ? "" : "  zone " + node.zone();
  if (!node.rack().empty()) place += "  rack " + node.rack();
  return place;
}

void PrintNodes(const google::protobuf::RepeatedPtrField<v1::NodeInfo>& nodes) {
  for (const v1::NodeInfo& node : nodes) {
    fmt::print("{:<12} {:<22} {:<8} incarnation {:<4}", node.id(), node.address(),
               StateName(node.state()), node.incarnation());
    const bool answered = !node.software_version().empty();
    if (answered) {
      fmt::print(" {:>6} spaces {:>9} memories  table {:<8} {:.2f} ms", node.spaces(),
                 node.memories(), node.table_version(), node.latency_ms());
    }
    fmt::print("{}\n", PlaceOf(node));
  }
}

// Only who is behind is worth a line.
void PrintLags(const google::protobuf::RepeatedPtrField<v1::NodeInfo>& nodes) {
  for (const v1::NodeInfo& node : nodes) {
    for (const v1::ReplicaLag& lag : node.replicas()) {
      if (lag.entries() == 0) continue;
      fmt::print("{} is behind {} in {} spaces: {} entries, {} bytes, {:.1f} s\n", lag.node(),
                 node.id(), lag.spaces(), lag.entries(), lag.bytes(), lag.seconds());
    }
  }
}

void RemoveNode(Context& context, const std::string& id) {
  v1::RemoveNodeRequest request;
  request.set_id(id);
  auto client = Connect(context);
  if (client == nullptr) return;
  auto answer = client->RemoveNode(request);
  if (!answer.ok()) return Fail(context, answer.status());
  if (context.json) return PrintJson({{"removed", id}});
  fmt::print("{} no longer counts as a node of the cluster\n", id);
}

// What a person is to know at once.
std::string Wholeness(const v1::GetStatusResponse& reply) {
  if (reply.connectivity() == "starting") {
    return reply.cluster_id().empty() ? "NOT FOUND YET" : "NOT REACHED YET";
  }
  if (reply.connectivity() == "partitioned") return "CUT OFF";
  if (reply.connectivity() == "healing") return "HEALING";
  return reply.whole() ? "whole" : "NOT WHOLE";
}

// Gossip takes a second to notice what a node that does not answer shows at once.
uint32_t Reached(const v1::GetStatusResponse& reply) {
  const uint32_t silent = std::min(reply.total(), static_cast<uint32_t>(reply.missing_size()));
  return std::min(reply.reachable(), reply.total() - silent);
}

// They are not counted, but what they hold is away with them.
std::string LeftText(const v1::GetStatusResponse& reply) {
  const auto left =
      std::count_if(reply.nodes().begin(), reply.nodes().end(),
                    [](const v1::NodeInfo& node) { return node.state() == v1::NODE_STATE_LEFT; });
  if (left == 0) return "";
  return left == 1 ? "; 1 has left" : fmt::format("; {} have left", left);
}

void PrintInOneLine(const v1::GetStatusResponse& reply) {
  if (reply.cluster_id().empty()) {
    return fmt::print("cluster '{}' is {}: {} asks its seeds; its log says what came of it\n",
                      reply.cluster_name(), Wholeness(reply), reply.node_id());
  }
  fmt::print(
      "cluster '{}' is {}: {} of {} nodes reached, {} spaces, {} memories (seen from {}{})\n",
      reply.cluster_name(), Wholeness(reply), Reached(reply), reply.total(), reply.spaces(),
      reply.memories(), reply.node_id(), LeftText(reply));
}

void Nodes(Context& context) {
  auto client = Connect(context);
  if (client == nullptr) return;
  auto answer = client->ListNodes({});
  if (!answer.ok()) return Fail(context, answer.status());
  if (context.json) return PrintJson({{"nodes", NodesJson(answer->message.nodes())}});
  PrintNodes(answer->message.nodes());
}

// Of the asked node to the others.
Json ConnectionsJson(const v1::ConnectionHealth& health) {
  return {{"nodes", health.nodes()},
          {"healthy_nodes", health.healthy_nodes()},
          {"channels", health.channels()},
          {"ready_channels", health.ready_channels()}};
}

Json WireJson(const google::protobuf::Map<std::string, int64_t>& wire) {
  const std::map<std::string, int64_t> sorted(wire.begin(), wire.end());
  return sorted;
}

void Status(Context& context) {
  auto client = Connect(context);
  if (client == nullptr) return;
  auto answer = client->GetStatus({});
  if (!answer.ok()) return Fail(context, answer.status());
  const v1::GetStatusResponse& reply = answer->message;
  if (context.json) {
    return PrintJson({{"cluster", reply.cluster_name()},
                      {"cluster_id", reply.cluster_id()},
                      {"connectivity", reply.connectivity()},
                      {"reachable", reply.reachable()},
                      {"total", reply.total()},
                      {"node", reply.node_id()},
                      {"whole", reply.whole()},
                      {"spaces", reply.spaces()},
                      {"memories", reply.memories()},
                      {"nodes", NodesJson(reply.nodes())},
                      {"missing", MissingJson(reply.missing())},
                      {"connections", ConnectionsJson(reply.connections())},
                      {"wire", WireJson(reply.wire())}});
  }
  PrintInOneLine(reply);
  PrintNodes(reply.nodes());
  PrintLags(reply.nodes());
  PrintMissing(reply.missing());
}

Json AddressJson(const v1::NodeAddress& node) {
  return {{"id", node.id()}, {"address", node.address()}};
}

void PrintRouteOf(const v1::ResolveRouteResponse& reply, const std::string& asked) {
  if (reply.source() == "ring") {
    return fmt::print(
        "{} -> {} ({}), by ring: {} has not heard of the space and asks there first\n",
        reply.space(), reply.primary().id(), reply.primary().address(), asked);
  }
  if (!reply.has_primary()) {
    return fmt::print(
        "{} has no primary at the moment, as {} knows; a recall through it goes: {}\n",
        reply.space(), asked, reply.strategy());
  }
  fmt::print("{} -> {} ({}), by {}; a recall through {} goes: {}\n", reply.space(),
             reply.primary().id(), reply.primary().address(), reply.source(), asked,
             reply.strategy());
}

void Route(Context& context, const std::string& space) {
  v1::ResolveRouteRequest request;
  request.set_space(space);
  auto client = Connect(context);
  if (client == nullptr) return;
  auto answer = client->ResolveRoute(request);
  if (!answer.ok()) return Fail(context, answer.status());
  const v1::ResolveRouteResponse& reply = answer->message;
  if (!context.json) return PrintRouteOf(reply, answer->served_by);
  Json replicas = Json::array();
  for (const v1::NodeAddress& replica : reply.replicas()) replicas.push_back(AddressJson(replica));
  PrintJson({{"space", reply.space()},
             {"primary", reply.has_primary() ? AddressJson(reply.primary()) : Json()},
             {"replicas", replicas},
             {"version", VersionJson(reply.version())},
             {"strategy", reply.strategy()},
             {"source", reply.source()},
             {"served_by", answer->served_by}});
}

}  // namespace

void AddSpaces(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("spaces", "list the spaces of the whole cluster");
  auto prefix = std::make_shared<std::string>();
  command->add_option("--prefix", *prefix, "only names that begin so");
  AddClientOptions(*command, context);
  command->footer("Example: engram spaces --prefix noun.");
  command->callback([&context, prefix] { Spaces(context, *prefix); });
}

void AddNodes(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("nodes", "list the nodes, and whether they are alive");
  auto removed = std::make_shared<std::string>();
  command->add_option("--remove", *removed,
                      "instead: this node is dead and will not come back; a majority is no longer "
                      "counted with it. What it alone holds is then lost");
  AddClientOptions(*command, context);
  command->footer("Example: engram nodes --json\nFor good: engram nodes --remove node-4");
  command->callback([&context, removed] {
    if (removed->empty()) return Nodes(context);
    RemoveNode(context, *removed);
  });
}

void AddStatus(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand(
      "status", "say in one line whether the cluster is whole, then list its nodes");
  AddClientOptions(*command, context);
  command->footer(
      "Example: engram status --node 127.0.0.1:50061\n"
      "With TLS: engram status --node 127.0.0.1:50061 --tls-ca ca.pem");
  command->callback([&context] { Status(context); });
}

void AddRoute(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("route", "show where requests for a space go");
  auto space = std::make_shared<std::string>();
  command->add_option("SPACE", *space, "name of the space")->required();
  AddClientOptions(*command, context);
  command->footer("Example: engram route notes");
  command->callback([&context, space] { Route(context, *space); });
}

}  // namespace engram::cli
