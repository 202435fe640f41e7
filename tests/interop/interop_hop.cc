// Passes every call on to one server, until its standard input ends.
//
// Usage: interop_hop HOST:PORT; prints its own port.
#include <cstdio>
#include <string>

#include "interop/relay.h"
#include "interop/until_input_ends.h"

namespace {

using namespace engram::net;

int Run(const std::string& target) {
  EventLoopGroup loops(1);
  const std::shared_ptr<Channel> channel = Channel::Create(loops.at(0), target, {});
  Server server(loops, {});
  server.AddFallback([&](ServerCall call) { engram::interop::Relay(std::move(call), *channel); });
  loops.Start();
  if (const absl::Status status = server.Start(); !status.ok()) {
    std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    loops.Stop();
    return 1;
  }
  engram::interop::ServeUntilInputEnds(server.port());
  server.Drain(EventLoop::Now() + std::chrono::seconds(5));
  loops.Stop();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2) return Run(argv[1]);
  std::fprintf(stderr, "usage: interop_hop HOST:PORT\n");
  return 2;
}
