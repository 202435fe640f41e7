#include "simulation/sim_node.h"

#include <fmt/format.h>

#include "engram/routing/route_names.h"
#include "simulation/sim_call.h"

namespace engram::simulation {

using placement::Assignment;
using routing::Decision;
using routing::Ownership;
using routing::Strategy;

SimNode::SimNode(size_t index, const std::vector<NodeId>& ids, Scheduler& scheduler,
                 Network& network, std::vector<std::unique_ptr<SimNode>>& cluster,
                 routing::CallPlanOptions options, const routing::NodeOptions& health,
                 uint64_t seed)
    : index_(index),
      ids_(ids),
      scheduler_(scheduler),
      network_(network),
      cluster_(cluster),
      options_(options),
      random_(seed),
      nodes_(health),
      table_(nodes_),
      ring_(ids) {
  for (const NodeId& id : ids) nodes_.Intern(id);
  self_ = nodes_.Intern(ids[index]);
}

routing::Knowledge SimNode::KnowledgeOf(const std::string& space) const {
  routing::Knowledge k{table_.Find(space), std::nullopt, nodes_.Intern(ring_.FirstHolder(space))};
  if (auto at = holdings_.find(space); at != holdings_.end()) {
    k.held = ToRoute(at->second.assignment, nodes_);
  }
  return k;
}

void SimNode::TakeEffect(const Request& request, bool create) {
  if (!routing::IsWrite(request.op)) return;
  Holding& holding = holdings_[request.space];
  if (create) holding.assignment = {SpaceId(request.space), id(), {}, {{1, id()}, 1}};
  // The engine recognises a request by its id.
  int& effects = holding.writes[request.id];
  effects = std::max(effects, 1);
}

PeerAnswer SimNode::Serve(const Request& request, const Version& routed_by, bool create,
                          const routing::ReadPolicy& policy) {
  ++received_;
  const routing::Knowledge knowledge = KnowledgeOf(request.space);
  const Ownership ownership = CheckOwnership(request.op, policy, knowledge, view(), create);
  const routing::Route* newest = Authority(knowledge, view());
  if (ownership == Ownership::kNotHere) {
    return {MakeError(ErrorCode::kNoAssignment, "not here"), std::nullopt};
  }
  if (ownership == Ownership::kWrongNode) {
    return {MakeError(ErrorCode::kWrongNode, "not mine"),
            ToAssignment(SpaceId(request.space), *newest, nodes_)};
  }
  TakeEffect(request, ownership == Ownership::kCreate);
  const Assignment& mine = holdings_[request.space].assignment;
  PeerAnswer answer{absl::OkStatus(), std::nullopt};
  if (mine.version > routed_by) answer.assignment = mine;
  return answer;
}

std::optional<Assignment> SimNode::Held(const std::string& space) const {
  auto at = holdings_.find(space);
  if (at == holdings_.end()) return std::nullopt;
  return at->second.assignment;
}

void SimNode::Route(const Request& request, Done done) {
  const routing::Knowledge knowledge = KnowledgeOf(request.space);
  Decision decision = Decide(request.op, {}, knowledge, view(), scheduler_.now(), random_);
  if (decision.strategy == Strategy::kLocal ||
      (decision.strategy == Strategy::kLocalOnly && !decision.candidates.empty())) {
    TakeEffect(request, false);
    return done({absl::OkStatus(), id().value(), decision.degraded, {}, scheduler_.now()});
  }
  if (decision.strategy == Strategy::kLocalOnly) {
    return done({MakeError(ErrorCode::kNoLocalData, "cut off"), "", true, {}, scheduler_.now()});
  }
  auto call =
      std::make_shared<SimCall>(*this, request, decision, knowledge.proposed, std::move(done));
  call->Start();
}

}  // namespace engram::simulation
