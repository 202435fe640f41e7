// Our wire engine alone: answers every call with the bytes of a file.
#include <CLI/CLI.hpp>
#include <string>

#include "engram/net/event_loop.h"
#include "engram/net/server.h"
#include "our_tls.h"
#include "wire.h"

int main(int argc, char** argv) {
  std::string answer_file;
  std::string certificate;
  std::string key;
  int threads = 1;
  CLI::App app("Answers every call with the bytes of a file, until its standard input ends");
  app.add_option("--answer", answer_file, "file with the reply's bytes")->required();
  app.add_option("--threads", threads, "event loops");
  app.add_option("--certificate", certificate, "PEM; TLS if given");
  app.add_option("--key", key, "PEM");
  CLI11_PARSE(app, argc, argv);

  const std::string answer = engram::bench::ReadFile(answer_file);
  engram::net::EventLoopGroup loops(threads);
  engram::net::ServerOptions options;
  options.tls =
      engram::bench::TlsContextOf(engram::net::TlsContext::Side::kServer, certificate, key);
  engram::net::Server server(loops, options);
  server.AddUnary(engram::bench::kMethod,
                  [&](engram::net::ServerCall call, const std::string&) { call.Reply(answer); });
  loops.Start();
  if (const absl::Status status = server.Start(); !status.ok()) {
    std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    return 1;
  }
  engram::bench::ServeUntilInputEnds(server.port());
  server.Drain(engram::net::EventLoop::Now());
  loops.Stop();
  return 0;
}
