// grpc.testing.TestService on our own wire, with reflection, until its standard input ends.
//
// Usage: interop_server; prints its port.
#include <array>
#include <cstdio>
#include <string>

#include "engram/server/reflection_service.h"
#include "interop/test_service.h"
#include "interop/until_input_ends.h"

namespace {

// The second one is there to be asked for in vain.
constexpr std::array<std::string_view, 2> kServices = {"grpc.testing.TestService",
                                                       "grpc.testing.UnimplementedService"};

}  // namespace

int main() {
  using namespace engram::net;
  EventLoopGroup loops(2);
  Server server(loops, {});
  engram::interop::AddTestService(server);
  engram::server::AddReflectionService(server, kServices);
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
