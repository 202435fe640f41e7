// Asks all nodes of a simulated cluster who holds a space, as LookUps does in a real node.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "engram/routing/claims.h"
#include "simulation/sim_node.h"

namespace engram::simulation {

class SimLookUp : public std::enable_shared_from_this<SimLookUp> {
 public:
  SimLookUp(SimNode& node, std::string space)
      : node_(node),
        space_(std::move(space)),
        claims_(node.nodes_, static_cast<uint32_t>(node.cluster_.size())) {}

  void Start();

 private:
  void AskPeer(size_t to);
  void OnAnswer(size_t from, const std::optional<placement::Assignment>& held,
                const std::optional<placement::Assignment>& heard);
  void Silent(size_t node);
  void EndAtLimit();
  void EndIfEnough();
  void End();

  SimNode& node_;
  const std::string space_;
  routing::Claims claims_;
  std::set<size_t> unanswered_;
  std::set<size_t> in_doubt_;
  bool late_ = false;  // who is in doubt has had his time
  std::map<size_t, routing::CircuitBreaker::Ticket> tickets_;
  bool ended_ = false;
};

}  // namespace engram::simulation
