#include "engram/server/node.h"

#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>
#include <pthread.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <future>
#include <random>

#include "engram/cluster/advertise_at_start.h"
#include "engram/cluster/cluster_store.h"
#include "engram/cluster/control_plane.h"
#include "engram/cluster/gossip_service.h"
#include "engram/net/server.h"
#include "engram/server/cluster_service.h"
#include "engram/server/consolidate_service.h"
#include "engram/server/convert.h"
#include "engram/server/health_service.h"
#include "engram/server/http_server.h"
#include "engram/server/memory_service.h"
#include "engram/server/node_metrics.h"
#include "engram/server/node_replication.h"
#include "engram/server/node_tls.h"
#include "engram/server/peer_service.h"
#include "engram/server/peer_stream_service.h"
#include "engram/server/public_services.h"
#include "engram/server/reflection_service.h"
#include "engram/server/scatter_call.h"
#include "engram/server/scatter_service.h"
#include "engram/server/test_service.h"
#include "engram/server/version.h"

namespace engram::server {
namespace {

constexpr size_t kRecallQueueMax = 1'000;

memory::EngineOptions EngineOptionsOf(const NodeConfig& config, CommitBell& bell) {
  memory::EngineOptions options;
  options.dir = config.data_dir;
  options.cluster_id = config.cluster;
  options.node_id = config.node_id;
  options.durability = config.durability;
  options.exact_vectors_max = static_cast<size_t>(config.exact_vectors_max);
  options.request_id_ttl = config.request_id_ttl;
  options.encode = [](memory::Memory memory) {
    return ToGetResponse(std::move(memory)).SerializeAsString();
  };
  options.wall_clock = WallNow;
  options.on_committed = [&bell](std::span<const SpaceId> spaces) { bell.Ring(spaces); };
  options.on_failed = [&bell] { bell.RingForFailure(); };
  return options;
}

// For telling the others that the node goes; they would notice anyway.
constexpr Duration kLeaveLimit = std::chrono::seconds(2);

// For handing over what it leads. The others would take over anyway, but not as soon.
constexpr Duration kHandOverLimit = std::chrono::seconds(2);

// A request ends at its deadline, with an error that says of which space and node; only if it does
// not, the wire ends it.
constexpr Duration kAnswerGrace = std::chrono::milliseconds(20);

net::ChannelOptions ChannelOptionsOf(const NodeConfig& config, const NodeTls& tls) {
  net::ChannelOptions options;
  options.tls = tls.channels;
  options.connect_timeout = config.connect_timeout;
  return options;
}

net::ServerOptions ServerOptionsOf(const NodeConfig& config, const NodeTls& tls) {
  HostPort listen = *ParseHostPort("listen", config.listen);
  net::ServerOptions options;
  options.host = listen.host;
  options.port = listen.port;
  options.tls = tls.server;
  options.unary_limit = config.deadline + kAnswerGrace;
  options.connections_max = static_cast<size_t>(config.connections_max);
  options.connections_per_address_max = static_cast<size_t>(config.connections_per_address);
  options.connection_idle_max = config.connection_idle;
  options.connection_age_max = config.connection_age;
  options.connection_age_grace = config.connection_age_grace;
  options.bytes_held_max = static_cast<size_t>(config.message_memory) << 20;
  return options;
}

// Null if there is to be none.
std::unique_ptr<HttpServer> MakeHttp(const NodeConfig& config) {
  if (!HasHttp(config)) return nullptr;
  HostPort address = *ParseHostPort("http", config.http);
  HttpServerOptions options;
  options.host = address.host;
  options.port = address.port;
  return std::make_unique<HttpServer>(std::move(options));
}

absl::Status StartHttp(HttpServer* http, const NodeMetrics& metrics) {
  if (http == nullptr) return absl::OkStatus();
  http->AddPage("/metrics", [&metrics] {
    return HttpServer::Page{kMetricsContentType, ToText(metrics)};
  });
  absl::Status status = http->Start();
  if (status.ok()) return status;
  return MakeError(CodeOf(status), fmt::format("{}; --http HOST:PORT names another, --http off "
                                               "does without",
                                               std::string(status.message())));
}

// Whoever can connect could make the node lose its way.
void AddTestHooks(net::Server& server, NodeContext& context, memory::Engine& engine) {
  spdlog::warn("test-hooks is on: anybody may put any routing table into this node");
  AddTestService(server, context, engine);
}

cluster::ControlOptions ControlOptionsOf(const NodeConfig& config) {
  cluster::ControlOptions options;
  options.node = config.node_id;
  options.cluster_name = config.cluster;
  options.gossip_listen = config.gossip;
  options.info = {config.gossip_advertise, config.advertise, config.zone, config.rack};
  options.seeds.seeds = config.seeds;
  options.seeds.own = {config.advertise};
  options.seeds.refresh = config.dns_refresh;
  options.seeds.dns.servers = config.dns_servers;
  options.bootstrap = config.bootstrap;
  options.started = WallNow();
  options.swim = config.swim;
  options.partition = config.partition;
  return options;
}

std::string_view DescribeTls(const NodeConfig& config) {
  if (config.tls_cert.empty()) return "plain HTTP/2";
  return config.tls_client_ca.empty() ? "TLS" : "mutual TLS";
}

}  // namespace

// In the order of construction; destroyed in reverse, after ~Node has drained the server and
// stopped the loops.
struct Node::Parts {
  Parts(NodeConfig c, const NodeTls& tls, std::unique_ptr<CommitBell> b,
        std::unique_ptr<memory::Engine> e, uint64_t seed)
      : config(std::move(c)),
        bell(std::move(b)),
        engine(std::move(e)),
        loops(LoopCount(config)),
        pool(loops, ChannelOptionsOf(config, tls),
             static_cast<size_t>(config.connections_per_node)),
        context(config, loops, pool, seed),
        workers(config.workers, kRecallQueueMax),
        admission(config, loops),
        local(context.self, *engine, context.held, context.table, workers, admission),
        peer_streams(context, local),
        control_loops(1),
        control_calls(control_loops, ChannelOptionsOf(config, tls), 1),
        cluster_store(engine->database()),
        control(ControlOptionsOf(config),
                {control_loops.at(0), control_calls, pool, context.nodes, context.table,
                 context.reachability, context.directory, cluster_store},
                seed),
        replication({context, engine->log(), control, *bell}, ChannelOptionsOf(config, tls), seed),
        scatter(context, *engine, workers, admission),
        router(context, local),
        consolidate(context, *engine, router),
        metrics(context, admission, WallNow()),
        server(loops, ServerOptionsOf(config, tls)),
        http(MakeHttp(config)) {}

  void StopLoops() {
    pool.Close();
    control_calls.Close();
    control_loops.Stop();
    replication.Stop();
    loops.Stop();
  }

  NodeConfig config;
  std::unique_ptr<CommitBell> bell;  // the engine's
  std::unique_ptr<memory::Engine> engine;
  net::EventLoopGroup loops;
  net::ConnectionPool pool;
  NodeContext context;
  WorkerPool workers;
  Admission admission;
  LocalService local;
  PeerStreamService peer_streams;
  // The control plane's own, so that no load of requests delays it.
  net::EventLoopGroup control_loops;
  net::ConnectionPool control_calls;
  cluster::ClusterStore cluster_store;
  cluster::ControlPlane control;
  NodeReplication replication;
  ScatterService scatter;
  Router router;
  ConsolidateService consolidate;
  HealthService health;
  NodeMetrics metrics;
  net::Server server;
  std::unique_ptr<HttpServer> http;  // null if it is off
};

Node::Node(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

const NodeConfig& Node::config() const { return parts_->config; }
const cluster::Directory& Node::directory() const { return parts_->context.directory; }
const net::EventLoopGroup& Node::loops() const { return parts_->loops; }

absl::StatusOr<std::unique_ptr<Node>> Node::Start(NodeConfig config, Refused refused) {
  for (const auto& [key, address] : {std::pair("advertise", config.advertise),
                                     std::pair("gossip-advertise", config.gossip_advertise)}) {
    absl::Status dialable = cluster::CheckAdvertisedAtStart({key, address}, config.seeds);
    if (!dialable.ok()) return dialable;
  }
  auto tls = LoadTls(config);
  if (!tls.ok()) return tls.status();
  auto bell = std::make_unique<CommitBell>();
  auto engine = memory::Engine::Open(EngineOptionsOf(config, *bell));
  if (!engine.ok()) return engine.status();
  uint64_t seed = std::random_device{}();
  auto parts =
      std::make_unique<Parts>(std::move(config), *tls, std::move(bell), *std::move(engine), seed);
  Parts& p = *parts;
  p.context.replication = &p.replication;
  p.context.replication_streams = &p.replication.streams();
  p.context.tombstones = [&engine = *p.engine] { return engine.Tombstones(); };
  p.local.OnNewSpace([&p](const SpaceId& space, TimePoint deadline, LocalService::Made& made) {
    return p.replication.MakeSpace(space, deadline, made);
  });
  p.local.OnAck([&p](const SpaceId& space, const Version& origin, routing::Ack ack,
                     TimePoint deadline, LocalService::Made made) {
    p.replication.AwaitHeld(space, origin, ack, deadline, std::move(made));
  });
  p.local.OnHeld(
      [&p](std::vector<placement::Assignment> held) { p.control.Announce(std::move(held)); });
  AddMemoryService(p.server, p.context, p.router);
  AddPeerService(p.server, p.context, p.local);
  p.peer_streams.AddTo(p.server);
  AddRecallMany(p.server, p.context, p.scatter, p.admission);
  p.scatter.AddTo(p.server);
  p.consolidate.AddTo(p.server);
  AddReflectionService(p.server, kPublicServices);
  p.health.AddTo(p.server);
  AddClusterServices(p.server, p.context, *p.engine, p.control, WallNow());
  cluster::AddGossipService(p.server, p.control);
  p.replication.AddTo(p.server);
  if (p.config.test_hooks) AddTestHooks(p.server, p.context, *p.engine);
  p.control.OnMember([&p] { p.health.StartServing(); });
  if (refused != nullptr) p.control.OnRefused(std::move(refused));
  // Others may ask as soon as it listens, and shall not be told that it is of no cluster.
  if (absl::Status loaded = p.control.Load(); !loaded.ok()) return loaded;
  // What is held is announced; the control plane is there for it.
  p.replication.Load();
  p.loops.Start();
  p.control_loops.Start();
  p.replication.Start();
  // Others dial a node back before they let it in, so it listens first.
  absl::Status started = p.server.Start();
  if (started.ok()) started = StartHttp(p.http.get(), p.metrics);
  if (started.ok()) started = p.control.Start();
  if (!started.ok()) {
    p.server.Drain(Now());
    p.StopLoops();
    return started;
  }
  spdlog::info(
      "engram {} node {} of cluster '{}' listens on {} ({}), HTTP: {}, data in {}, {} spaces, "
      "seed {}",
      kVersion, p.context.self.value(), p.config.cluster, p.config.listen, DescribeTls(p.config),
      p.config.http, p.config.data_dir.string(), p.context.held.size(), seed);
  return std::unique_ptr<Node>(new Node(std::move(parts)));
}

Node::~Node() {
  parts_->health.StopServing();
  parts_->replication.HandOverAll(Now() + std::min(kHandOverLimit, parts_->config.drain));
  // First, so that the others send nothing more here.
  parts_->control.Leave(Now() + std::min<Duration>(kLeaveLimit, parts_->config.drain));
  parts_->peer_streams.Leave();
  parts_->consolidate.Leave();
  parts_->replication.Leave();
  parts_->server.Drain(Now() + parts_->config.drain);
  parts_->http.reset();  // asks the pool
  // Before the engine and the workers: tasks of the loops use both. What those still post is
  // dropped.
  parts_->StopLoops();
  parts_->workers.Join();
  parts_->consolidate.Join();
}

absl::Status ServeUntilSignal(NodeConfig config) {
  spdlog::set_default_logger(spdlog::stderr_logger_mt("engram"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v", spdlog::pattern_time_type::utc);
  spdlog::set_level(spdlog::level::from_str(config.log_level));
  // protobuf would log each malformed message; the client that sent it is told.
  google::protobuf::SetLogHandler(nullptr);
  // Blocked before any thread starts, so that only sigwait below sees them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  std::promise<absl::Status> refused;
  auto node = Node::Start(std::move(config), [&refused](absl::Status status) {
    refused.set_value(std::move(status));
    kill(getpid(), SIGTERM);
  });
  if (!node.ok()) return node.status();
  int received = 0;
  sigwait(&signals, &received);
  spdlog::info("received {}, draining", received == SIGTERM ? "SIGTERM" : "SIGINT");
  node->reset();
  spdlog::info("stopped");
  std::future<absl::Status> reason = refused.get_future();
  const bool known = reason.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  return known ? reason.get() : absl::OkStatus();
}

}  // namespace engram::server
