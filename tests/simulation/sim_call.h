// A request on its way through a simulated cluster: drives a CallPlan over the simulated network as
// the node's RemoteCall does over real channels. A try that is not answered by its deadline ends
// undetermined; a message that the receiver's port refused ends as not sent.
#pragma once

#include <memory>
#include <set>

#include "simulation/sim_node.h"

namespace engram::simulation {

class SimCall : public std::enable_shared_from_this<SimCall> {
 public:
  SimCall(SimNode& node, const Request& request, const routing::Decision& decision,
          routing::NodeIndex proposed, SimNode::Done done);

  void Start();

 private:
  using CallPlan = routing::CallPlan;

  void Do(const CallPlan::Action& action);
  void Send(const CallPlan::Send& send);
  void CheckLater(const CallPlan::Send& send);
  void OnAnswer(int attempt, const PeerAnswer& answer);
  void End(int attempt, const routing::Outcome& outcome);
  // Replaces what was waited for before.
  void WakeAt(TimePoint time);
  void AskAll(const CallPlan::AskAll& ask);
  void Finish(const absl::Status& status);

  SimNode& node_;
  const Request request_;
  CallPlan plan_;
  SimNode::Done done_;
  std::set<int> under_way_;
  std::map<int, size_t> asked_;  // attempt -> node
  size_t served_by_ = 0;
  uint64_t wait_ = 0;  // the newest; older ones are void
  bool finished_ = false;
};

}  // namespace engram::simulation
