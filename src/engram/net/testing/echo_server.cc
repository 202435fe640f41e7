// Serves /test.Echo/Unary and /test.Echo/Bidi until its standard input ends. For load generators
// and foreign clients.
//
// Usage: net_echo_server [loops]; prints its port.
#include <cstdio>
#include <cstdlib>

#include "engram/net/testing/echo.h"

int main(int argc, char** argv) {
  engram::net::EventLoopGroup loops(argc > 1 ? std::atoi(argv[1]) : 1);
  engram::net::ServerOptions options;
  engram::net::Server server(loops, options);
  engram::net::testing::AddEchoMethods(server);
  loops.Start();
  if (const absl::Status status = server.Start(); !status.ok()) {
    std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    return 1;
  }
  std::printf("%d\n", server.port());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  server.Drain(engram::net::EventLoop::Now() + std::chrono::seconds(5));
  loops.Stop();
  return 0;
}
