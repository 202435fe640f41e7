// Serves /test.Echo/Unary and /test.Echo/Bidi until its standard input ends. For load generators
// and foreign clients.
//
// Usage: net_echo_server [LOOPS [CERTIFICATE KEY]]; prints its port. With TLS if it is given a
// certificate.
#include <cstdio>
#include <cstdlib>

#include "engram/net/testing/echo.h"

namespace {

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  engram::net::EventLoopGroup loops(argc > 1 ? std::atoi(argv[1]) : 1);
  engram::net::ServerOptions options;
  // Load comes from one address here.
  options.connections_per_address_max = options.connections_max;
  if (argc > 3) {
    engram::net::TlsOptions tls;
    tls.certificate_file = argv[2];
    tls.key_file = argv[3];
    auto context = engram::net::TlsContext::Create(engram::net::TlsContext::Side::kServer, tls);
    if (!context.ok()) return Fail(context.status());
    options.tls = *std::move(context);
  }
  engram::net::Server server(loops, options);
  engram::net::testing::AddEchoMethods(server);
  loops.Start();
  if (const absl::Status status = server.Start(); !status.ok()) return Fail(status);
  std::printf("%d\n", server.port());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  server.Drain(engram::net::EventLoop::Now() + std::chrono::seconds(5));
  loops.Stop();
  return 0;
}
