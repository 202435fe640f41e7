// Serves a request on this node's own data: parses the bytes, asks the memory engine, makes the
// reply.
//
// Thread-safety: Serve() on any loop; `done` runs on that loop. The engine, pool and table must
// outlive the service.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "engram/base/error.h"
#include "engram/memory/engine.h"
#include "engram/net/event_loop.h"
#include "engram/routing/ack.h"
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
  routing::Ack ack = routing::Ack::kPrimary;  // of a write: whose confirmations it waits for
  // Of a write, while this node is cut off: it may go into this holder's branch.
  memory::Branch branch = memory::Branch::kNo;
  std::optional<Version> session = std::nullopt;  // of a read: for ServeHeld, which heeds it
};

class LocalService {
 public:
  // The serialized reply message, or a typed error.
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::string>)>;

  // What the engine holds is written into `held` and `table`.
  LocalService(NodeId self, memory::Engine& engine, routing::RoutingTable& held,
               routing::RoutingTable& table, WorkerPool& workers, Admission& admission);

  void Serve(net::EventLoop& loop, LocalRequest request, Done done);

  // Makes a space that is to have several holders, this node first among equals; calls back, on
  // any thread, when this node is its primary. Nothing: a space has one holder, the engine makes
  // it. To be set before the first Serve().
  using Made = absl::AnyInvocable<void(absl::Status)>;
  using MakeSpace = absl::AnyInvocable<bool(const SpaceId&, TimePoint deadline, Made&) const>;
  void OnNewSpace(MakeSpace make) { make_space_ = std::move(make); }

  // Calls back, on any thread, when a write that is durable here is held by as many as it asked
  // for. To be set before the first Serve(); without it nobody is waited for.
  using AwaitHeld = absl::AnyInvocable<void(const SpaceId&, const Version& origin, routing::Ack,
                                            TimePoint deadline, Made) const>;
  void OnAck(AwaitHeld await) { await_held_ = std::move(await); }

  // Called with what this node has begun to hold since, on some loop; for telling the others. To be
  // set before the first Serve().
  using Announce = absl::AnyInvocable<void(std::vector<placement::Assignment>) const>;
  void OnHeld(Announce announce) { announce_ = std::move(announce); }

 private:
  // Once it has been admitted.
  void Run(net::EventLoop& loop, LocalRequest request, Done done);
  void Store(net::EventLoop& loop, LocalRequest request, Done done);
  // Whose answer is due when, and on whom it waits.
  struct Due {
    SpaceId space;
    routing::Ack ack = routing::Ack::kPrimary;
    TimePoint deadline;
  };
  static Due DueOf(const LocalRequest& request);
  void StoreOnceMade(net::EventLoop& loop, memory::StoreCommand command, Due due, Done done);
  void StoreInEngine(net::EventLoop& loop, memory::StoreCommand command, Due due, Done done);
  // Brings the engine's answer from its commit thread back to the loop, as a serialized reply, once
  // as many hold the write as it asked for.
  template <class Reply>
  memory::Engine::Done OnLoop(net::EventLoop& loop, Due due, Done done, Reply reply);
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
  MakeSpace make_space_;
  AwaitHeld await_held_;
};

}  // namespace engram::server
