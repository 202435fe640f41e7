// A recall over several spaces in a simulated cluster: drives one ScatterPlan over the simulated
// network as server/scatter_round does over real channels.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engram/routing/scatter_plan.h"
#include "simulation/sim_node.h"

namespace engram::simulation {

// What came of it.
struct ScatterAnswer {
  struct OfSpace {
    bool answered = false;
    std::string by;      // who has answered, or was asked last
    absl::Status error;  // why it is missing
  };
  std::map<std::string, OfSpace> spaces;
  routing::CallStats stats;
  routing::AttemptRecords attempts;
  TimePoint at;
};

class SimScatter : public std::enable_shared_from_this<SimScatter> {
 public:
  using Done = std::function<void(ScatterAnswer)>;

  // At `node`, by the read policy for all of them.
  SimScatter(SimNode& node, std::vector<std::string> spaces, const routing::ReadPolicy& policy,
             TimePoint deadline, Done done);

  void Start();

 private:
  using ScatterPlan = routing::ScatterPlan;
  using Answers = std::vector<ScatterPlan::Answer>;
  using Said = std::vector<PeerAnswer>;

  std::vector<ScatterPlan::Wanted> WantedFor(const routing::ReadPolicy& policy);
  void Do(const ScatterPlan::Step& step);
  void Send(const ScatterPlan::Send& send);
  void LookUp(const std::vector<ScatterPlan::AskAll>& in_doubt);
  // What a node says to a request for these spaces.
  Said Serve(SimNode& at, const ScatterPlan::Send& send, const std::vector<Version>& routed_by);
  void OnAnswer(const ScatterPlan::Send& send, const Said& said);
  void Finish();
  TimePoint now() const { return node_.scheduler_.now(); }

  SimNode& node_;
  const std::vector<std::string> names_;
  const routing::ReadPolicy policy_;
  const TimePoint deadline_;
  Done done_;
  const routing::ScatterOptions options_;
  ScatterPlan plan_;
  std::set<uint32_t> under_way_;
  std::vector<std::pair<ScatterPlan::Space, routing::LookUp>> looked_up_;
  bool finished_ = false;
};

}  // namespace engram::simulation
