// Serves a request on this node's own data: parses the bytes, asks the memory engine, makes the
// reply.
//
// Thread-safety: Serve() on any loop; `done` runs on that loop. The engine, pool and table must
// outlive the service.
#pragma once

#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "engram/base/error.h"
#include "engram/memory/engine.h"
#include "engram/net/event_loop.h"
#include "engram/routing/decision.h"
#include "engram/routing/routing_table.h"
#include "engram/server/admission.h"
#include "engram/server/worker_pool.h"

namespace engram::server {

struct LocalRequest {
  routing::Operation op;
  SpaceId space;     // by which the request was routed; the message must name the same
  std::string body;  // the serialized request message
  memory::WriteIdentity identity;  // for writes
  memory::CreateSpace create_space = memory::CreateSpace::kNo;
  TimePoint deadline = kNever;  // after which it is not begun
  // What the confidence of a recall is multiplied by: less than 1 when this node is cut off.
  double confidence_factor = 1;
};

class LocalService {
 public:
  // The serialized reply message, or a typed error.
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::string>)>;

  // What the engine holds is written into `held` and `table`.
  LocalService(NodeId self, memory::Engine& engine, routing::RoutingTable& held,
               routing::RoutingTable& table, WorkerPool& workers, Admission& admission);

  void Serve(net::EventLoop& loop, LocalRequest request, Done done);

  // Publishes an assignment to this node for every space that the engine holds; at start.
  void PublishHeldSpaces();

  // Called with what this node has begun to hold since, on some loop; for telling the others. To be
  // set before the first Serve().
  using Announce = absl::AnyInvocable<void(std::vector<placement::Assignment>) const>;
  void OnHeld(Announce announce) { announce_ = std::move(announce); }

 private:
  // Once it has been admitted.
  void Run(net::EventLoop& loop, LocalRequest request, Done done);
  void Store(net::EventLoop& loop, LocalRequest request, Done done);
  void StoreNow(net::EventLoop& loop, const LocalRequest& request, Done done);
  void Forget(net::EventLoop& loop, const LocalRequest& request, Done done);
  void Link(net::EventLoop& loop, const LocalRequest& request, Done done);
  void Get(const LocalRequest& request, Done done);
  void Recall(net::EventLoop& loop, const LocalRequest& request, Done done);
  // Runs `work` on a worker, with a call-back that brings the reply to the loop. Overloaded if too
  // many wait.
  void OnWorker(net::EventLoop& loop, const SpaceId& space, Done done,
                absl::AnyInvocable<void(Done)> work);
  placement::Assignment AssignmentOf(const memory::SpaceSummary& summary) const;
  void Publish(const std::vector<placement::Assignment>& held);

  const NodeId self_;
  memory::Engine& engine_;
  routing::RoutingTable& held_;
  routing::RoutingTable& table_;
  WorkerPool& workers_;
  Admission& admission_;
  Announce announce_;
};

}  // namespace engram::server
