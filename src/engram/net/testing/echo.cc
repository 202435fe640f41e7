#include "engram/net/testing/echo.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "engram/base/error.h"

namespace engram::net::testing {
namespace {

void Hang(ServerCall call) {
  auto held = std::make_shared<ServerCall>(std::move(call));
  // The call is owned by its own call-back until it is cancelled.
  held->OnCancel([held] {});
}

struct Bidi : std::enable_shared_from_this<Bidi> {
  explicit Bidi(ServerCall c) : call(std::move(c)) {}

  void Next() {
    call.Read([self = shared_from_this()](std::optional<std::string> message) {
      if (!message.has_value()) return self->call.Finish(absl::OkStatus());
      if (self->call.Send(*std::move(message))) return self->Next();
      self->call.OnWritable([self] { self->Next(); });
    });
  }

  ServerCall call;
};

}  // namespace

void EchoUnary(ServerCall call, std::string request) {
  for (const char* name : {"echo", "echo-bin"}) {
    if (const auto value = call.metadata().Find(name)) call.AddTrailer(name, *value);
  }
  if (call.metadata().Find("hang").has_value()) return Hang(std::move(call));
  if (const auto message = call.metadata().Find("fail")) {
    return call.Reply(InvalidArgument("test", *message));
  }
  call.Reply(std::move(request));
}

void EchoBidi(ServerCall call) { std::make_shared<Bidi>(std::move(call))->Next(); }

void AddEchoMethods(Server& server) {
  server.AddUnary(kUnary, EchoUnary);
  server.AddStream(kBidi, EchoBidi);
}

}  // namespace engram::net::testing
