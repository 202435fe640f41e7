// Our wire engine as a pass-through: sends the bytes of every call on to one other server and its
// answer back, on the loop where the call came in.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <utility>

#include "engram/base/strong_id.h"
#include "engram/net/channel.h"
#include "engram/net/connection_pool.h"
#include "engram/net/event_loop.h"
#include "engram/net/server.h"
#include "our_tls.h"
#include "wire.h"

namespace engram::bench {
namespace {

using net::CallOptions;
using net::CallResult;
using net::EventLoop;
using net::EventLoopGroup;
using net::ServerCall;

size_t IndexOf(const EventLoopGroup& loops, const EventLoop& loop) {
  size_t index = 0;
  while (&loops.at(index) != &loop) ++index;
  return index;
}

void Answer(ServerCall call, CallResult result) {
  for (const net::MetadataEntry& entry : result.trailing.entries()) {
    call.AddTrailer(entry.name, entry.value);
  }
  if (!result.status.ok()) return call.Finish(std::move(result.status));
  call.Reply(std::move(result.message));
}

class PassThrough {
 public:
  PassThrough(EventLoopGroup& loops, const net::ChannelOptions& options, std::string to)
      : loops_(loops), pool_(loops, options, 1), to_(std::move(to)) {}

  void Handle(ServerCall call, std::string request) {
    net::Channel& channel = *pool_.Get(IndexOf(loops_, call.loop()), owner_, to_);
    const CallOptions options{call.deadline(), call.metadata()};
    const std::string_view method = call.method();
    auto done = [call = std::move(call)](CallResult result) mutable {
      Answer(std::move(call), std::move(result));
    };
    channel.Unary(method, options, std::move(request), std::move(done));
  }

  void Close() { pool_.Close(); }

 private:
  EventLoopGroup& loops_;
  net::ConnectionPool pool_;
  const NodeId owner_{"owner"};
  const std::string to_;
};

struct Settings {
  std::string to;
  int threads = 1;
  std::string certificate;
  std::string key;
};

int Serve(const Settings& settings) {
  using net::TlsContext;
  EventLoopGroup loops(settings.threads);
  net::ChannelOptions channel;
  channel.tls = TlsContextOf(TlsContext::Side::kChannel, settings.certificate, settings.key);
  PassThrough pass_through(loops, channel, settings.to);
  net::ServerOptions options;
  options.tls = TlsContextOf(TlsContext::Side::kServer, settings.certificate, settings.key);
  net::Server server(loops, options);
  server.AddUnary(kMethod, [&](ServerCall call, std::string request) {
    pass_through.Handle(std::move(call), std::move(request));
  });
  loops.Start();
  if (const absl::Status status = server.Start(); !status.ok()) {
    std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    return 1;
  }
  ServeUntilInputEnds(server.port());
  server.Drain(EventLoop::Now());
  pass_through.Close();
  loops.Stop();
  return 0;
}

}  // namespace
}  // namespace engram::bench

int main(int argc, char** argv) {
  engram::bench::Settings settings;
  CLI::App app("Passes every call on to another server, until its standard input ends");
  app.add_option("--to", settings.to, "host:port of that server")->required();
  app.add_option("--threads", settings.threads, "event loops");
  app.add_option("--certificate", settings.certificate, "PEM; TLS on both sides if given");
  app.add_option("--key", settings.key, "PEM");
  CLI11_PARSE(app, argc, argv);
  return engram::bench::Serve(settings);
}
