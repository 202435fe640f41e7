// Our wire engine alone: answers every call with the bytes of a file.
#include <CLI/CLI.hpp>
#include <string>

#include "engram/net/event_loop.h"
#include "engram/net/server.h"
#include "wire.h"

int main(int argc, char** argv) {
  std::string answer_file;
  int threads = 1;
  CLI::App app("Answers every call with the bytes of a file, until its standard input ends");
  app.add_option("--answer", answer_file, "file with the reply's bytes")->required();
  app.add_option("--threads", threads, "event loops");
  CLI11_PARSE(app, argc, argv);

  const std::string answer = engram::bench::ReadFile(answer_file);
  engram::net::EventLoopGroup loops(threads);
  engram::net::Server server(loops, engram::net::ServerOptions());
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
