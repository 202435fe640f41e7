// This node's own part in a recall over several spaces: answers for those that it holds. The same
// for a question of its own clients and of other nodes.
//
// Ownership is checked first, on the loop: a busy node still says who holds what it does not. What
// it does hold is searched on a worker, once the admission gate lets it in, as a recall of one
// space; a part that is shed is answered with OVERLOADED for each of its spaces.
//
// Thread-safety: Serve() on any loop; `done` runs on that loop. The engine, context, workers and
// admission must outlive the service.
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
#include "engram/server/admission.h"
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
  struct Reply {
    absl::StatusOr<std::string> message;  // the serialized reply, or a typed error
    ErrorCode outcome;  // of the part: kOverloaded if it was shed, though the message says so
  };
  using Done = absl::AnyInvocable<void(Reply)>;

  ScatterService(NodeContext& context, const memory::Engine& engine, WorkerPool& workers,
                 Admission& admission)
      : context_(context), engine_(engine), workers_(workers), admission_(admission) {}

  // `body` is the serialized request message of the step; it is not begun after `deadline`. `done`
  // may run at once.
  void Serve(net::EventLoop& loop, ScatterStep step, TimePoint deadline, const std::string& body,
             Done done);

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

  template <class Part>
  void ServePart(net::EventLoop& loop, TimePoint deadline, const std::string& body, Done done);

  NodeContext& context_;
  const memory::Engine& engine_;
  WorkerPool& workers_;
  Admission& admission_;
};

}  // namespace engram::server
