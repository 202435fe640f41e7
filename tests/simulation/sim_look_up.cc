#include "simulation/sim_look_up.h"

#include <algorithm>
#include <span>

#include "engram/routing/route_names.h"

namespace engram::simulation {

void SimLookUp::Start() {
  node_.scheduler_.After(routing::LookUpLine::kLimit,
                         [self = shared_from_this()] { self->EndAtLimit(); });
  for (size_t to = 0; to < node_.cluster_.size(); ++to) unanswered_.insert(to);
  for (size_t to = 0; to < node_.cluster_.size(); ++to) {
    if (to != node_.index()) AskPeer(to);
  }
  OnAnswer(node_.index(), node_.Held(space_), std::nullopt);
  node_.scheduler_.After(routing::LookUpLine::kLimitInDoubt, [self = shared_from_this()] {
    self->late_ = true;
    self->EndIfEnough();
  });
}

// As the real one: a node that does not answer reads would only take the time, but once a second.
void SimLookUp::AskPeer(size_t to) {
  auto self = shared_from_this();
  if (node_.nodes_.Of(routing::NodeIndex(to)).InDoubt()) in_doubt_.insert(to);
  const auto ticket =
      node_.nodes_.Of(routing::NodeIndex(to)).reads.AdmitLast(node_.scheduler_.now());
  if (!ticket.has_value()) {
    unanswered_.erase(to);
    return;
  }
  tickets_[to] = *ticket;
  ++node_.sent_;
  const bool sent = node_.network_.Send(node_.index(), to, [self, to] {
    const SimNode& peer = *self->node_.cluster_[to];
    auto held = peer.Held(self->space_);
    auto heard = held.has_value() ? std::nullopt : peer.table_.FindAssignment(self->space_);
    self->node_.network_.Send(to, self->node_.index(),
                              [self, to, held, heard] { self->OnAnswer(to, held, heard); });
  });
  if (!sent) Silent(to);
}

void SimLookUp::Silent(size_t node) {
  unanswered_.erase(node);
  auto at = tickets_.find(node);
  if (at == tickets_.end()) return;
  node_.nodes_.Of(routing::NodeIndex(node))
      .reads.OnFailure(at->second, node_.scheduler_.now(), node_.random_);
}

void SimLookUp::OnAnswer(size_t from, const std::optional<placement::Assignment>& held,
                         const std::optional<placement::Assignment>& heard) {
  if (unanswered_.erase(from) == 0) return;
  if (auto at = tickets_.find(from); at != tickets_.end()) {
    node_.nodes_.Of(routing::NodeIndex(from)).reads.OnSuccess(at->second, node_.scheduler_.now());
  }
  const auto& said = held.has_value() ? held : heard;
  std::optional<routing::Route> route;
  if (said.has_value()) {
    node_.table_.Apply(std::span(&*said, 1));
    route = ToRoute(*said, node_.nodes_);
  }
  claims_.Add(routing::NodeIndex(from), route, held.has_value());
  EndIfEnough();
}

void SimLookUp::EndIfEnough() {
  const bool others =
      std::includes(in_doubt_.begin(), in_doubt_.end(), unanswered_.begin(), unanswered_.end());
  const bool enough = late_ && others && claims_.result().claim.has_value();
  if (unanswered_.empty() || enough) End();
}

void SimLookUp::EndAtLimit() {
  for (size_t node : std::set<size_t>(unanswered_)) Silent(node);
  End();
}

void SimLookUp::End() {
  if (std::exchange(ended_, true)) return;
  node_.look_ups_.End(space_, claims_.result(), node_.scheduler_.now());
}

}  // namespace engram::simulation
