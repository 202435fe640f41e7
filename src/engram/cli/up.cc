// engram up, engram down: a local cluster.
#include <fmt/format.h>

#include <csignal>
#include <numeric>
#include <utility>

#include "engram/base/error.h"
#include "engram/cli/command.h"
#include "engram/cli/local_cluster.h"

namespace engram::cli {
namespace {

constexpr Duration kStartLimit = std::chrono::seconds(60);
constexpr Duration kStopLimit = std::chrono::seconds(20);

TimePoint Now() { return std::chrono::steady_clock::now(); }

struct UpOptions {
  std::string dir = "engram-cluster";
  int nodes = 3;
  int base_port = 50051;
  std::string durability = "fsync";
  bool detach = false;
  ClusterTls tls;
  bool no_tls = false;
};

Json ClusterJson(const ClusterSpec& spec) {
  Json nodes = Json::array();
  for (int i = 0; i < spec.nodes; ++i) {
    nodes.push_back({{"id", spec.NodeName(i)},
                     {"address", spec.NodeAddress(i)},
                     {"http", spec.HttpAddress(i)},
                     {"pid", RunningNode(spec, i).value_or(0)}});
  }
  return {{"dir", spec.dir.string()}, {"cluster", spec.cluster}, {"nodes", nodes}};
}

// What a command needs to speak with the cluster, to be typed as it is.
std::string ClientFlags(const ClusterTls& tls) {
  if (!tls.on()) return "";
  std::string flags = tls.ca.empty() ? " --tls" : " --tls-ca " + tls.ca;
  if (!tls.client_ca.empty()) flags += " --tls-cert " + tls.cert + " --tls-key " + tls.key;
  if (!tls.name.empty()) flags += " --tls-name " + tls.name;
  return flags;
}

void PrintHints(const Context& context, const ClusterSpec& spec, bool detach) {
  for (int i = 0; i < spec.nodes; ++i) {
    fmt::print("{} on {}, metrics on http://{}/metrics, log {}\n", spec.NodeName(i),
               spec.NodeAddress(i), spec.HttpAddress(i), (spec.NodeDir(i) / "log").string());
  }
  const std::string& engram = context.program;
  std::string tls = ClientFlags(spec.tls);
  std::string first = fmt::format("--node {}{}", spec.NodeAddress(0), tls);
  std::string last = fmt::format("--node {}{}", spec.NodeAddress(spec.nodes - 1), tls);
  fmt::print("Try:\n");
  fmt::print("  {} store --space notes \"tea is at four\" {}\n", engram, first);
  fmt::print("  {} recall --space notes --explain \"when is tea\" {}\n", engram, last);
  fmt::print("  {} status {}\n", engram, first);
  fmt::print("Stop it with {}\n",
             detach ? fmt::format("{} down --dir {}", engram, spec.dir.string()) : "Ctrl-C");
  std::fflush(stdout);
}

// Until a signal asks to stop, or a node ends by itself.
absl::Status WaitForTheEnd(const ClusterSpec& spec, const sigset_t& signals) {
  while (true) {
    timespec second{1, 0};
    if (sigtimedwait(&signals, nullptr, &second) > 0) return absl::OkStatus();
    for (int i = 0; i < spec.nodes; ++i) {
      if (!RunningNode(spec, i).has_value()) {
        return MakeError(ErrorCode::kConnectionFailed,
                         fmt::format("{} has ended; see {}", spec.NodeName(i),
                                     (spec.NodeDir(i) / "log").string()));
      }
    }
  }
}

void PrintStarted(const Context& context, const ClusterSpec& spec, bool detach) {
  if (!context.json) return PrintHints(context, spec, detach);
  PrintJson(ClusterJson(spec));
  std::fflush(stdout);
}

absl::Status Run(const Context& context, const ClusterSpec& spec, bool detach, StartLock lock) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  auto started = StartNodes(spec, detach ? Attachment::kDetached : Attachment::kForeground);
  // After the fork: the nodes take their signals as they come.
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  if (!started.ok()) return started.status();
  absl::Status status = AwaitReady(spec, Now() + kStartLimit);
  if (status.ok()) {
    PrintStarted(context, spec, detach);
    if (detach) return status;
    { StartLock released = std::move(lock); }
    status = WaitForTheEnd(spec, signals);
  }
  StopNodes(spec, *started, Now() + kStopLimit);
  return status;
}

void Up(Context& context, const ClusterRequest& request, bool detach) {
  if (request.dir.empty()) {
    return FailUsage(context, InvalidArgument("dir", "--dir must not be empty"));
  }
  auto lock = StartLock::Take(request.dir);
  if (!lock.ok()) return FailHere(context, lock.status());
  auto spec = PrepareCluster(request);
  if (!spec.ok()) return FailUsage(context, spec.status());
  absl::Status status = Run(context, *spec, detach, *std::move(lock));
  if (!status.ok()) FailHere(context, status);
}

std::vector<int> AllNodes(const ClusterSpec& spec) {
  std::vector<int> all(static_cast<size_t>(spec.nodes));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

std::vector<std::string> NamesOf(const ClusterSpec& spec, const std::vector<int>& nodes) {
  std::vector<std::string> names;
  for (int i : nodes) names.push_back(spec.NodeName(i));
  return names;
}

void PrintKilled(const std::string& node) {
  fmt::print(stderr, "{} did not end within {} s and was killed; what it acknowledged is kept\n",
             node, std::chrono::duration_cast<std::chrono::seconds>(kStopLimit).count());
}

void Down(Context& context, const std::string& dir) {
  auto spec = ReadCluster(dir);
  if (!spec.ok()) return FailHere(context, spec.status());
  const StoppedNodes stopped = StopNodes(*spec, AllNodes(*spec), Now() + kStopLimit);
  const std::vector<std::string> killed = NamesOf(*spec, stopped.killed);
  if (context.json) return PrintJson({{"stopped", stopped.count}, {"killed", killed}});
  fmt::print("stopped {} of {} nodes; the data stays in {}\n", stopped.count, spec->nodes, dir);
  for (const std::string& node : killed) PrintKilled(node);
}

// Given options replace all that the directory has of TLS.
void AddTls(CLI::App& command, UpOptions& options) {
  ClusterTls& tls = options.tls;
  std::vector<CLI::Option*> given = {
      command.add_option("--tls-cert", tls.cert,
                         "PEM file of the nodes' certificate; with it the cluster speaks TLS only"),
      command.add_option("--tls-key", tls.key, "PEM file of its key"),
      command.add_option("--tls-ca", tls.ca,
                         "PEM file of the CA that has signed it; the system's if not given"),
      command.add_option("--tls-client-ca", tls.client_ca,
                         "PEM file of CAs; every client must then show a certificate of one"),
      command.add_option("--tls-name", tls.name,
                         "name that the certificate is for, if it is not 127.0.0.1"),
  };
  CLI::Option* none =
      command.add_flag("--no-tls", options.no_tls, "plain HTTP/2 again, where --dir has TLS");
  none->group("TLS");
  const CLI::Validator not_empty(
      [](const std::string& value) { return value.empty() ? "must not be empty" : ""; }, "");
  for (CLI::Option* option : given) option->excludes(none)->group("TLS")->check(not_empty);
}

// The nodes are started again from elsewhere, too.
ClusterTls WithAbsolutePaths(ClusterTls tls) {
  for (std::string* file : {&tls.cert, &tls.key, &tls.ca, &tls.client_ca}) {
    if (!file->empty()) *file = std::filesystem::absolute(*file).string();
  }
  return tls;
}

}  // namespace

void AddUp(CLI::App& app, Context& context) {
  CLI::App* command =
      app.add_subcommand("up", "start a cluster on this machine, or the one kept in --dir again");
  auto options = std::make_shared<UpOptions>();
  command->add_option("--dir", options->dir, "where the nodes keep configuration, data and logs")
      ->capture_default_str();
  auto* nodes =
      command->add_option("--nodes", options->nodes, "how many nodes")->capture_default_str();
  auto* base =
      command
          ->add_option("--base-port", options->base_port,
                       "node I (from 0) has gRPC on base-port + 10 I, HTTP on the next port and "
                       "gossip on the one after")
          ->capture_default_str();
  auto* durability =
      command->add_option("--durability", options->durability, "fsync or process; see serve --help")
          ->check(CLI::IsMember({"fsync", "process"}))
          ->capture_default_str();
  command->add_flag("--detach", options->detach,
                    "return when the cluster is ready; `engram down` stops it");
  command->add_flag("--json", context.json, "print one JSON document");
  AddTls(*command, *options);
  command->footer(
      "Example: engram up --nodes 3 --dir /tmp/engram --detach\n"
      "With TLS: engram up --tls-cert node.pem --tls-key node.key --tls-ca ca.pem --detach");
  command->callback([&context, options, nodes, base, durability] {
    ClusterRequest request;
    request.dir = options->dir;
    if (nodes->count() > 0) request.nodes = options->nodes;
    if (base->count() > 0) request.base_port = options->base_port;
    if (durability->count() > 0) request.durability = options->durability;
    if (options->no_tls || options->tls != ClusterTls{}) {
      request.tls = WithAbsolutePaths(options->tls);
    }
    Up(context, request, options->detach);
  });
}

void AddDown(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("down", "stop a cluster that `up --detach` has started");
  auto dir = std::make_shared<std::string>("engram-cluster");
  command->add_option("--dir", *dir, "the cluster's directory")->capture_default_str();
  command->add_flag("--json", context.json, "print one JSON document");
  command->footer("Example: engram down --dir /tmp/engram");
  command->callback([&context, dir] { Down(context, *dir); });
}

}  // namespace engram::cli
