// This node's own part in a recall over several spaces: answers, on a worker, for those that it
// holds. The same for a question of its own clients and of other nodes.
//
// Thread-safety: Serve() on any loop; `done` runs on that loop. The engine, context and workers
// must outlive the service.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "engram/memory/engine.h"
#include "engram/net/server.h"
#include "engram/server/node_context.h"
#include "engram/server/worker_pool.h"

namespace engram::server {

enum class ScatterStep : uint8_t { kSurvey, kFind, kRead };

constexpr std::string_view PeerMethod(ScatterStep step) {
  constexpr std::array<std::string_view, 3> kMethods = {"/engram.peer.v1.PeerService/SurveySpaces",
                                                        "/engram.peer.v1.PeerService/FindInSpaces",
                                                        "/engram.peer.v1.PeerService/ReadFound"};
  return kMethods[static_cast<size_t>(step)];
}

class ScatterService {
 public:
  // The serialized reply message, or a typed error.
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::string>)>;

  ScatterService(NodeContext& context, const memory::Engine& engine, WorkerPool& workers)
      : context_(context), engine_(engine), workers_(workers) {}

  // `body` is the serialized request message of the step.
  void Serve(net::EventLoop& loop, ScatterStep step, std::string body, Done done);

  // Runs `work` on a worker, then `done` with what it returned on the loop; Overloaded if too many
  // wait.
  template <class Result>
  void OnWorker(net::EventLoop& loop, absl::AnyInvocable<absl::StatusOr<Result>()> work,
                absl::AnyInvocable<void(absl::StatusOr<Result>)> done) {
    // Shared, because the task may be refused after it has been made.
    auto back = std::make_shared<decltype(done)>(std::move(done));
    auto task = [&loop, back, work = std::move(work)]() mutable {
      loop.Post([back, result = work()]() mutable { (*back)(std::move(result)); });
    };
    if (workers_.Submit(std::move(task))) return;
    ErrorDetail detail{ErrorCode::kOverloaded, "", "", context_.self.value(), kOverloadedPause};
    (*back)(MakeError(detail, "too many requests are waiting for a worker"));
  }

  // Registers the steps with the peer service. REQUIRES: before server.Start().
  void AddTo(net::Server& server);

 private:
  static constexpr Duration kOverloadedPause = std::chrono::milliseconds(100);

  absl::StatusOr<std::string> Answer(ScatterStep step, const std::string& body) const;

  NodeContext& context_;
  const memory::Engine& engine_;
  WorkerPool& workers_;
};

}  // namespace engram::server
