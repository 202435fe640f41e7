// MemoryService/Consolidate: plans on this node's own copy (memory/consolidation_plan.h) and
// carries the plan out with ordinary writes, each routed like a client's, so that all rules for
// writes hold; this node need not be the primary.
//
// One plan is made at a time, on a thread of its own, because it takes seconds and hundreds of
// megabytes where a space is large; the others wait for it. A plan is kept until it is carried out
// and told, so at most kCallsMax are served, who comes meanwhile is OVERLOADED, and who does not
// read its answer for kStallMax is given up. Of a call at most kInFlightMax writes are under way. A
// plan that would write too much is cut short and made anew when its part is done.
//
// Thread-safety: AddTo() before the server starts; Leave() and Join() on any thread. The context,
// engine and router must outlive the service, and the server must be gone before.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>

#include "engram/base/time.h"
#include "engram/memory/engine.h"
#include "engram/net/server.h"
#include "engram/server/router.h"
#include "engram/server/worker_pool.h"

namespace engram::server {

class ConsolidateService {
 public:
  static constexpr int kInFlightMax = 32;
  static constexpr int kCallsMax = 4;
  static constexpr Duration kStallMax = std::chrono::minutes(5);

  ConsolidateService(NodeContext& context, const memory::Engine& engine, Router& router)
      : context_(context), engine_(engine), router_(router) {}

  void AddTo(net::Server& server);

  // The node stops: calls end with SHUTTING_DOWN once what they write has ended.
  void Leave() { leaving_ = true; }
  // Waits for the planner. REQUIRES: the loops have stopped.
  void Join() { planner_.Join(); }

 private:
  class Call;

  NodeContext& context_;
  const memory::Engine& engine_;
  Router& router_;
  std::atomic<bool> leaving_ = false;
  // Shared with the calls: one that the stopped loops have left behind goes after the service.
  std::shared_ptr<std::atomic<int>> calls_ = std::make_shared<std::atomic<int>>(0);
  WorkerPool planner_{1, 2 * kCallsMax};  // a task counts until a moment after its plan is told
};

}  // namespace engram::server
