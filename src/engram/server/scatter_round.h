// Drives one ScatterPlan: sends each node its request over this loop's own channel, or answers here
// on a worker, and brings the answers back to the plan.
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
#include "engram/server/node_context.h"
#include "engram/server/scatter_service.h"

namespace engram::server {

class ScatterRound : public std::enable_shared_from_this<ScatterRound> {
 public:
  using Space = routing::ScatterPlan::Space;
  using Answer = routing::ScatterPlan::Answer;
  using Results = std::vector<routing::ScatterPlan::Result>;

  // What is asked; the round itself knows nothing of messages.
  struct Question {
    ScatterStep step;
    // The request to a node for these spaces.
    absl::AnyInvocable<std::string(const std::vector<Space>&)> request;
    // Takes the reply for these spaces, and says how each was answered; an error if it is no reply.
    // What is answered for is kept by the callee, unless it has been before.
    absl::AnyInvocable<absl::StatusOr<std::vector<Answer>>(const std::vector<Space>&, std::string)>
        take;
    // Once, not from within Start(). Not after Cancel().
    absl::AnyInvocable<void(const Results&, routing::AttemptRecords)> done;
  };

  // `service` must outlive the round.
  ScatterRound(NodeContext& context, LoopState& loop, ScatterService& service, Question question,
               const std::vector<routing::ScatterPlan::Holders>& spaces, TimePoint deadline,
               const routing::ScatterOptions& options);

  void Start();
  void Cancel();

 private:
  struct UnderWay {
    routing::ScatterPlan::Send send;
    TimePoint started;
    net::Channel::CallHandle call;
  };

  void Do(routing::ScatterPlan::Step step);
  void Send(routing::ScatterPlan::Send send);
  void SendTo(const NodeId& node, uint32_t number, std::string body);
  void OnReply(uint32_t number, absl::StatusOr<std::string> reply);
  void Record(const UnderWay& request, const absl::Status& status);
  void Finish();
  void CancelCalls();

  NodeContext& context_;
  LoopState& loop_;
  ScatterService& service_;
  Question question_;
  const TimePoint deadline_;
  routing::ScatterPlan plan_;
  std::unordered_map<uint32_t, UnderWay> under_way_;
  std::optional<net::EventLoop::Timer> timer_;
  routing::AttemptRecords attempts_;
  bool ended_ = false;
};

// The nodes that may be asked: those of the configuration that membership does not hold gone.
std::vector<routing::NodeIndex> LiveNodes(NodeContext& context);

}  // namespace engram::server
