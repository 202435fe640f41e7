// Makes one answer of what all nodes say when they are asked who holds a space (SPEC R4). Only what
// a node says of itself makes a claim: what it has heard of others may be as old as what we know.
//
// Pure; not thread-safe.
#pragma once

#include <optional>

#include "engram/routing/call_plan.h"
#include "engram/routing/node_table.h"
#include "engram/routing/route.h"

namespace engram::routing {

class Claims {
 public:
  // `asked`: how many nodes. `nodes` must outlive this.
  Claims(const NodeTable& nodes, uint32_t asked) : nodes_(nodes) { result_.asked = asked; }

  // A node has answered: the assignment by which it holds the space, or, not `held`, the one that
  // it has heard of, or nothing.
  void Add(NodeIndex node, const std::optional<Route>& route, bool held);

  // Of several that claim to be the primary the one of the newest assignment is, and its assignment
  // names the replicas. Without a primary: the replicas of the newest assignment that answered.
  const LookUp& result() const { return result_; }

 private:
  void AddPrimary(const Route& held);
  void AddReplica(NodeIndex node, const Route& held);
  void AddHeard(const Route& heard);

  const NodeTable& nodes_;
  LookUp result_;
};

}  // namespace engram::routing
