// Which nodes may serve a request, in which order, and why (SPEC R2, R3). A decision is a value:
// made without I/O from the operation, the space's assignment and this node's id.
#pragma once

#include <string_view>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "engram/base/strong_id.h"
#include "engram/base/version.h"
#include "engram/placement/assignment.h"

namespace engram::routing {

enum class Operation : uint8_t { kStore, kForget, kLink, kRecall, kGet };

// True for operations that change the space: they go to its primary and carry a request id.
constexpr bool IsWrite(Operation op) {
  return op == Operation::kStore || op == Operation::kForget || op == Operation::kLink;
}

enum class Strategy : uint8_t {
  kLocal,                // this node serves it, with zero hops
  kPrimary,              // only the primary may
  kPrimaryWithFallback,  // the primary first, then its replicas
};
std::string_view NameOf(Strategy strategy);

// What the candidates were taken from.
enum class RouteSource : uint8_t { kAssignment, kRing };
std::string_view NameOf(RouteSource source);

struct Decision {
  Strategy strategy = Strategy::kLocal;
  RouteSource source = RouteSource::kAssignment;
  absl::InlinedVector<NodeId, 3> candidates;  // in the order to try; {self} when local
  Version version;  // of the assignment it was made from; the oldest for the ring
};

// `assignment` is null when none is known; `proposed` is then the ring's first holder, which
// creates the space at its first store, and is the only one asked.
Decision Decide(Operation op, const placement::Assignment* assignment, const NodeId& proposed,
                const NodeId& self);

// The owner's side: may `self` serve a request that was passed on to it?
enum class Ownership : uint8_t {
  kServe,      // it holds the space
  kCreate,     // nobody is known to hold it, and it is for this node to create it
  kNotHere,    // nobody is known to hold it, and this operation does not create
  kWrongNode,  // somebody else holds it
};
Ownership CheckOwnership(Operation op, const placement::Assignment* assignment,
                         const NodeId& proposed, const NodeId& self);

}  // namespace engram::routing
