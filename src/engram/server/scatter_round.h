// Drives one ScatterPlan: sends each node its request over this loop's own channel, or answers here
// on a worker, asks everybody who holds what is in doubt, and brings the answers back to the plan.
//
// Belongs to one loop. Alive as long as something of it is under way, or its owner holds it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "engram/net/channel.h"
#include "engram/routing/call_plan.h"
#include "engram/routing/scatter_plan.h"
#include "engram/server/live_calls.h"
#include "engram/server/node_context.h"
#include "engram/server/scatter_service.h"

namespace engram::server {

class ScatterRound : public std::enable_shared_from_this<ScatterRound>, private LiveCalls::Call {
 public:
  using Space = routing::ScatterPlan::Space;
  using Answer = routing::ScatterPlan::Answer;

  // What came of it.
  struct Outcome {
    std::vector<routing::ScatterPlan::Result> results;  // by space
    routing::AttemptRecords attempts;
    routing::CallStats stats;
  };

  // What is asked; the round itself knows nothing of messages.
  struct Question {
    ScatterStep step;
    // A space's name, to ask who holds it.
    absl::AnyInvocable<SpaceId(Space)> name;
    // The request to a node for these spaces.
    absl::AnyInvocable<std::string(const std::vector<Space>&)> request;
    // Takes the reply for these spaces, and says how each was answered; an error if it is no reply.
    // What is answered for is kept by the callee, unless it has been before.
    absl::AnyInvocable<absl::StatusOr<std::vector<Answer>>(const std::vector<Space>&, std::string)>
        take;
    // Once, not from within Start(). Not after Cancel().
    absl::AnyInvocable<void(Outcome)> done;
  };

  // `service` must outlive the round.
  ScatterRound(NodeContext& context, LoopState& loop, ScatterService& service, Question question,
               const std::vector<routing::ScatterPlan::Wanted>& spaces, TimePoint deadline,
               const routing::ScatterOptions& options);

  void Start();
  void Cancel();

  // By which assignment a node is asked for the space; the oldest if none is known. REQUIRES:
  // within Question::request.
  const routing::RouteVersion& version(Space space) const { return plan_->version(space); }

 private:
  struct UnderWay {
    std::vector<Space> spaces;
    net::Channel::CallHandle call;
  };

  void Abandon() override;
  void Do(routing::ScatterPlan::Step step);
  void Send(routing::ScatterPlan::Send send);
  void LookUp(const std::vector<routing::ScatterPlan::AskAll>& in_doubt);
  void OnLookUp(Space space, const routing::LookUp& look_up);
  void SendTo(routing::NodeIndex peer, uint32_t number, std::string body);
  void OnReply(uint32_t number, absl::StatusOr<std::string> reply);
  void Finish();
  void CancelCalls();

  NodeContext& context_;
  LoopState& loop_;
  ScatterService& service_;
  Question question_;
  const TimePoint deadline_;
  const routing::ScatterOptions options_;
  std::optional<routing::ScatterPlan> plan_;  // nothing once it is abandoned
  std::unordered_map<uint32_t, UnderWay> under_way_;
  std::vector<std::pair<Space, routing::LookUp>> looked_up_;  // not told the plan yet
  std::optional<net::EventLoop::Timer> timer_;
  bool ended_ = false;
};

}  // namespace engram::server
