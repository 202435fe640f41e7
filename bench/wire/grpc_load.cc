// A load generator that is an ordinary gRPC C++ client: so many unary calls in flight over so many
// connections, one thread. Prints requests/s, p50 and p99 as one line of JSON.
#include <fmt/format.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grpc_credentials.h"
#include "wire.h"

namespace engram::bench {
namespace {

using Clock = std::chrono::steady_clock;
using grpc::ByteBuffer;

struct Settings {
  std::string to;
  std::string body_file;
  TlsFiles tls;
  size_t connections = 1;
  size_t in_flight = 1;  // in all
  size_t requests = 1000;
  size_t warm_up = 200;  // not counted; connections are made by them
};

// One call after another over one channel.
class CallSlot {
 public:
  CallSlot(grpc::GenericStub& stub, grpc::CompletionQueue& queue, const ByteBuffer& body)
      : stub_(stub), queue_(queue), body_(body) {}

  void Start() {
    call_.emplace();
    started_ = Clock::now();
    call_->reader = stub_.PrepareUnaryCall(&call_->context, kMethod, body_, &queue_);
    call_->reader->StartCall();
    call_->reader->Finish(&call_->answer, &call_->status, this);
  }

  const grpc::Status& status() const { return call_->status; }
  double MicrosTaken() const {
    return std::chrono::duration<double, std::micro>(Clock::now() - started_).count();
  }

 private:
  struct Call {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<ByteBuffer>> reader;
    ByteBuffer answer;
    grpc::Status status;
  };

  grpc::GenericStub& stub_;
  grpc::CompletionQueue& queue_;
  const ByteBuffer& body_;
  std::optional<Call> call_;
  Clock::time_point started_;
};

class Load {
 public:
  explicit Load(const Settings& settings) {
    const grpc::Slice slice(ReadFile(settings.body_file));
    body_ = ByteBuffer(&slice, 1);
    for (size_t i = 0; i < settings.connections; ++i) {
      stubs_.emplace_back(ConnectApart(settings.to, settings.tls));
    }
    auto stub = stubs_.begin();
    for (size_t i = 0; i < settings.in_flight; ++i) {
      slots_.emplace_back(*stub, queue_, body_);
      if (++stub == stubs_.end()) stub = stubs_.begin();
    }
  }

  // Microseconds of each call, in order of their ends; empty when one has failed.
  std::vector<double> Run(size_t requests) {
    std::vector<double> micros;
    size_t started = 0;
    for (CallSlot& slot : slots_) {
      if (started < requests) slot.Start();
      if (started < requests) ++started;
    }
    while (micros.size() < requests) {
      CallSlot& slot = WaitForOne();
      if (!slot.status().ok()) return {};
      micros.push_back(slot.MicrosTaken());
      if (started < requests) slot.Start();
      if (started < requests) ++started;
    }
    return micros;
  }

 private:
  CallSlot& WaitForOne() {
    void* tag = nullptr;
    bool ok = false;
    queue_.Next(&tag, &ok);
    CallSlot& slot = *static_cast<CallSlot*>(tag);
    if (!slot.status().ok()) {
      fmt::print(stderr, "a call failed: {}\n", slot.status().error_message());
    }
    return slot;
  }

  grpc::CompletionQueue queue_;
  ByteBuffer body_;
  std::list<grpc::GenericStub> stubs_;
  std::list<CallSlot> slots_;
};

int Measure(const Settings& settings) {
  Load load(settings);
  if (load.Run(settings.warm_up).empty()) return 1;
  const Clock::time_point begin = Clock::now();
  std::vector<double> micros = load.Run(settings.requests);
  if (micros.empty()) return 1;
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  std::sort(micros.begin(), micros.end());
  fmt::print("{{\"rate\": {:.1f}, \"p50\": {:.1f}, \"p99\": {:.1f}}}\n",
             static_cast<double>(micros.size()) / seconds, micros[micros.size() / 2],
             micros[micros.size() * 99 / 100]);
  return 0;
}

}  // namespace
}  // namespace engram::bench

int main(int argc, char** argv) {
  engram::bench::Settings settings;
  CLI::App app("Calls a gRPC server and says how fast it answers");
  app.add_option("--to", settings.to, "host:port of the server")->required();
  app.add_option("--body", settings.body_file, "file with the request's bytes")->required();
  app.add_option("--connections", settings.connections)->check(CLI::PositiveNumber);
  app.add_option("--in-flight", settings.in_flight, "in all")->check(CLI::PositiveNumber);
  app.add_option("--requests", settings.requests)->check(CLI::PositiveNumber);
  app.add_option("--certificate", settings.tls.certificate, "PEM to trust; TLS if given");
  CLI11_PARSE(app, argc, argv);
  return engram::bench::Measure(settings);
}
