// One request on its way to other nodes: the driver of a CallPlan. Sends what the plan says over
// the loop's own channels, keeps the request's bytes between tries, merges what nodes say about
// assignments.
//
// Belongs to one loop; alive as long as a try or a wait of it is under way (they hold it), or its
// owner holds it.
#pragma once

#include <memory>
#include <optional>

#include "engram/net/channel.h"
#include "engram/routing/call_plan.h"
#include "engram/server/router.h"

namespace engram::server {

class Router::RemoteCall : public std::enable_shared_from_this<Router::RemoteCall> {
 public:
  RemoteCall(NodeContext& context, LoopState& loop, RoutedRequest request,
             routing::Decision decision, const routing::CallPlanOptions& options, Done done);

  void Start();
  void Cancel();

 private:
  void Do(routing::CallPlan::Action action);
  void Send(const routing::CallPlan::Send& send);
  void WaitUntil(TimePoint until);
  void OnResult(net::CallResult result);
  void Finish(const absl::Status& status);

  net::CallOptions OptionsFor(const routing::CallPlan::Send& send) const;
  net::Recurrence RecurrenceOfSpace() const;
  void MergeAssignment(const net::CallResult& result);
  void Account(const absl::Status& status);
  void LogBreakers(TimePoint now);

  NodeContext& context_;
  LoopState& loop_;
  RoutedRequest request_;
  const routing::Strategy strategy_;
  routing::CallPlan plan_;
  Done done_;
  net::CallResult last_;
  net::Channel::CallHandle sent_;
  std::optional<net::EventLoop::Timer> timer_;
  const TimePoint started_ = Now();
  bool learned_ = false;  // a newer assignment
  bool finished_ = false;
};

}  // namespace engram::server
