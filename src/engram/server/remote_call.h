// One request on its way to other nodes: the driver of a CallPlan. Passes it on as the plan says
// (peer_calls.h), keeps the request's bytes between tries, merges what nodes say about
// assignments.
//
// Belongs to one loop; alive as long as a try, a look-up or a wait of it is under way (they hold
// it), or its owner holds it.
#pragma once

#include <memory>
#include <optional>

#include "absl/container/inlined_vector.h"
#include "engram/routing/call_plan.h"
#include "engram/server/live_calls.h"
#include "engram/server/peer_calls.h"
#include "engram/server/router.h"
#include "engram/server/slow_calls.h"

namespace engram::server {

class Router::RemoteCall : public std::enable_shared_from_this<Router::RemoteCall>,
                           private SlowCalls::Waiter,
                           private LiveCalls::Call {
 public:
  RemoteCall(NodeContext& context, LocalService& local, LoopState& loop, RoutedRequest request,
             const routing::Decision& decision, routing::NodeIndex proposed,
             const routing::CallPlanOptions& options, Done done);

  void Start();
  void Cancel();

 private:
  struct UnderWay {
    routing::CallPlan::Send send;
    PeerCalls::Handle handle;
  };

  void Do(routing::CallPlan::Action action);
  void Send(const routing::CallPlan::Send& send);
  void ServeHere(const routing::CallPlan::Send& send);
  void OnServedHere(int attempt, HeldAnswer answer);
  void CheckLater(const routing::CallPlan::Send& send);
  void OnSlow() override;
  void Abandon() override;
  void AskAll(const routing::CallPlan::AskAll& ask);
  void WaitUntil(TimePoint until);
  PeerCalls::Done ResultOf(int attempt);
  void OnResult(int attempt, PassedResult result);
  void OnOutcome(int attempt, const routing::Outcome& outcome);
  void CancelTries();
  void Finish(const absl::Status& status);

  std::string Body();
  std::optional<placement::Assignment> Learn(const PassedResult& result);
  void Account(const absl::Status& status);
  void LogBreakers(TimePoint now);

  NodeContext& context_;
  LocalService& local_;
  LoopState& loop_;
  RoutedRequest request_;
  const routing::Strategy strategy_;
  std::optional<routing::CallPlan> plan_;  // nothing once it is abandoned
  Done done_;
  PassedResult last_;
  absl::InlinedVector<UnderWay, 1> under_way_;
  std::optional<net::EventLoop::Timer> timer_;
  const TimePoint started_ = Now();
  bool learned_ = false;  // a newer assignment
  bool finished_ = false;
};

}  // namespace engram::server
