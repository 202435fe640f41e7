#include "engram/server/node.h"

#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>
#include <pthread.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <csignal>
#include <random>

#include "engram/net/server.h"
#include "engram/server/cluster_service.h"
#include "engram/server/convert.h"
#include "engram/server/health_service.h"
#include "engram/server/http_server.h"
#include "engram/server/memory_service.h"
#include "engram/server/node_metrics.h"
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

memory::EngineOptions EngineOptionsOf(const NodeConfig& config) {
  memory::EngineOptions options;
  options.dir = config.data_dir;
  options.cluster_id = config.cluster;
  options.node_id = config.node_id;
  for (const PeerConfig& peer : config.peers) options.members.push_back(peer.id);
  std::sort(options.members.begin(), options.members.end());
  options.durability = config.durability;
  options.exact_vectors_max = static_cast<size_t>(config.exact_vectors_max);
  options.request_id_ttl = config.request_id_ttl;
  options.encode = [](memory::Memory memory) {
    return ToGetResponse(std::move(memory)).SerializeAsString();
  };
  options.wall_clock = WallNow;
  return options;
}

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
void AddTestHooks(net::Server& server, NodeContext& context) {
  spdlog::warn("test-hooks is on: anybody may put any routing table into this node");
  AddTestService(server, context);
}

std::string_view DescribeTls(const NodeConfig& config) {
  if (config.tls_cert.empty()) return "plain HTTP/2";
  return config.tls_client_ca.empty() ? "TLS" : "mutual TLS";
}

}  // namespace

// In the order of construction; destroyed in reverse, after ~Node has drained the server and
// stopped the loops.
struct Node::Parts {
  Parts(NodeConfig c, const NodeTls& tls, std::unique_ptr<memory::Engine> e, uint64_t seed)
      : config(std::move(c)),
        engine(std::move(e)),
        loops(LoopCount(config)),
        pool(loops, ChannelOptionsOf(config, tls),
             static_cast<size_t>(config.connections_per_node)),
        context(config, loops, pool, seed),
        workers(config.workers, kRecallQueueMax),
        admission(config, loops),
        local(context.self, *engine, context.held, context.table, workers, admission),
        peer_streams(context, local),
        scatter(context, *engine, workers, admission),
        router(context, local),
        metrics(context, admission, WallNow()),
        server(loops, ServerOptionsOf(config, tls)),
        http(MakeHttp(config)) {}

  NodeConfig config;
  std::unique_ptr<memory::Engine> engine;
  net::EventLoopGroup loops;
  net::ConnectionPool pool;
  NodeContext context;
  WorkerPool workers;
  Admission admission;
  LocalService local;
  PeerStreamService peer_streams;
  ScatterService scatter;
  Router router;
  HealthService health;
  NodeMetrics metrics;
  net::Server server;
  std::unique_ptr<HttpServer> http;  // null if it is off
};

Node::Node(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

const NodeConfig& Node::config() const { return parts_->config; }
const net::EventLoopGroup& Node::loops() const { return parts_->loops; }

absl::StatusOr<std::unique_ptr<Node>> Node::Start(NodeConfig config) {
  auto tls = LoadTls(config);
  if (!tls.ok()) return tls.status();
  auto engine = memory::Engine::Open(EngineOptionsOf(config));
  if (!engine.ok()) return engine.status();
  uint64_t seed = std::random_device{}();
  auto parts = std::make_unique<Parts>(std::move(config), *tls, *std::move(engine), seed);
  Parts& p = *parts;
  p.local.PublishHeldSpaces();
  AddMemoryService(p.server, p.context, p.router);
  AddPeerService(p.server, p.context, p.local);
  p.peer_streams.AddTo(p.server);
  AddRecallMany(p.server, p.context, p.scatter, p.admission);
  p.scatter.AddTo(p.server);
  AddReflectionService(p.server, kPublicServices);
  p.health.AddTo(p.server);
  AddClusterServices(p.server, p.context, *p.engine, WallNow());
  if (p.config.test_hooks) AddTestHooks(p.server, p.context);
  p.loops.Start();
  absl::Status started = p.server.Start();
  if (started.ok()) started = StartHttp(p.http.get(), p.metrics);
  if (!started.ok()) {
    p.server.Drain(Now());
    p.loops.Stop();
    return started;
  }
  spdlog::info(
      "engram {} node {} of cluster '{}' listens on {} ({}), HTTP: {}, data in {}, {} spaces, "
      "seed {}",
      kVersion, p.context.self.value(), p.config.cluster, p.config.listen, DescribeTls(p.config),
      p.config.http, p.config.data_dir.string(), p.context.table.size(), seed);
  return std::unique_ptr<Node>(new Node(std::move(parts)));
}

Node::~Node() {
  parts_->health.StopServing();
  parts_->peer_streams.Leave();
  parts_->server.Drain(Now() + parts_->config.drain);
  parts_->http.reset();  // asks the pool
  parts_->pool.Close();
  // Before the engine and the workers: tasks of the loops use both. What those still post is
  // dropped.
  parts_->loops.Stop();
  parts_->workers.Join();
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
  auto node = Node::Start(std::move(config));
  if (!node.ok()) return node.status();
  int received = 0;
  sigwait(&signals, &received);
  spdlog::info("received {}, draining", received == SIGTERM ? "SIGTERM" : "SIGINT");
  node->reset();
  spdlog::info("stopped");
  return absl::OkStatus();
}

}  // namespace engram::server
