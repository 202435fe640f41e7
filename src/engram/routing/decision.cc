#include "engram/routing/decision.h"

#include <algorithm>

namespace engram::routing {

using placement::Assignment;

namespace {

bool Holds(const Assignment& assignment, const NodeId& node) {
  return assignment.primary == node ||
         std::find(assignment.replicas.begin(), assignment.replicas.end(), node) !=
             assignment.replicas.end();
}

bool MayServe(Operation op, const Assignment& assignment, const NodeId& node) {
  return IsWrite(op) ? assignment.primary == node : Holds(assignment, node);
}

Strategy RemoteStrategy(Operation op) {
  return IsWrite(op) ? Strategy::kPrimary : Strategy::kPrimaryWithFallback;
}

}  // namespace

std::string_view NameOf(Strategy strategy) {
  switch (strategy) {
    case Strategy::kLocal:
      return "local";
    case Strategy::kPrimary:
      return "primary";
    case Strategy::kPrimaryWithFallback:
      return "primary_with_fallback";
  }
  return "";
}

std::string_view NameOf(RouteSource source) {
  return source == RouteSource::kAssignment ? "assignment" : "ring";
}

Decision Decide(Operation op, const Assignment* assignment, const NodeId& proposed,
                const NodeId& self) {
  Decision decision;
  if (assignment == nullptr) {
    decision.source = RouteSource::kRing;
    decision.strategy = proposed == self ? Strategy::kLocal : RemoteStrategy(op);
    decision.candidates.push_back(proposed);
    return decision;
  }
  decision.version = assignment->version;
  if (MayServe(op, *assignment, self)) {
    decision.candidates.push_back(self);
    return decision;
  }
  decision.strategy = RemoteStrategy(op);
  decision.candidates.push_back(assignment->primary);
  if (!IsWrite(op)) {
    decision.candidates.insert(decision.candidates.end(), assignment->replicas.begin(),
                               assignment->replicas.end());
  }
  return decision;
}

Ownership CheckOwnership(Operation op, const Assignment* assignment, const NodeId& proposed,
                         const NodeId& self) {
  if (assignment != nullptr) {
    return MayServe(op, *assignment, self) ? Ownership::kServe : Ownership::kWrongNode;
  }
  return op == Operation::kStore && proposed == self ? Ownership::kCreate : Ownership::kNotHere;
}

}  // namespace engram::routing
