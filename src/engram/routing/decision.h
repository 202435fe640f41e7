// Which nodes may serve a request, in which order, and why (SPEC R2, R3, R12). A decision is a
// value: made without I/O, a lock or an allocation from the operation, what is known of the space,
// and the view of the nodes.
//
// Everything here is pure and thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "engram/base/error.h"
#include "engram/base/time.h"
#include "engram/routing/node_table.h"
#include "engram/routing/reachability.h"
#include "engram/routing/route.h"

namespace engram::routing {

enum class Operation : uint8_t { kStore, kForget, kLink, kRecall, kGet, kConsolidate };

// True for operations that change the space: they go to its primary and carry a request id.
constexpr bool IsWrite(Operation op) {
  return op == Operation::kStore || op == Operation::kForget || op == Operation::kLink;
}

enum class Strategy : uint8_t {
  kLocal,                // this node serves it, with zero hops
  kPrimary,              // only the primary may
  kPrimaryWithFallback,  // one holder after another
  kLocalOnly,            // this node or nobody: consolidation, and everything during a partition
  kScatterGather,        // several spaces at once (routing/scatter_plan.h)
};
inline constexpr int kStrategyCount = 5;
std::string_view NameOf(Strategy strategy);

// What the candidates were taken from.
enum class RouteSource : uint8_t { kAssignment, kRing };
std::string_view NameOf(RouteSource source);

// Which holder a read goes to when this node is none.
enum class ReadPreference : uint8_t {
  kPrimaryPreferred,  // the primary, then the nearest replica
  kNearest,           // the nearest holder
  kReplicaPreferred,  // the nearest replica, the primary last: spares the primary
  kPrimary,           // the primary and nobody else, not even a replica on this node
};
std::string_view NameOf(ReadPreference preference);
std::optional<ReadPreference> ParseReadPreference(std::string_view name);

struct ReadPolicy {
  ReadPreference preference = ReadPreference::kPrimaryPreferred;
  bool replica_fallback = true;  // off: only the holder that is preferred is asked (SPEC R8)
};

// What is known of one space.
struct Knowledge {
  std::optional<Route> known;  // the routing table's
  // What this node itself holds, as it is stored with the data. A table can be behind or wrong
  // about this node, its own store can not.
  std::optional<Route> held;
  NodeIndex proposed = kNoNode;  // the ring's first holder; looked at only if nothing is known
};

struct View {
  const NodeTable& nodes;
  NodeIndex self;
  Reachability reach;
};

using NodeList = absl::InlinedVector<NodeIndex, Route::kReplicasMax + 1>;

struct Decision {
  Strategy strategy = Strategy::kLocal;
  RouteSource source = RouteSource::kAssignment;
  // In the order to try; {self} when it is served here. None: everybody has to be asked who holds
  // the space, or, with kLocalOnly, the request is refused with kNoLocalData.
  NodeList candidates;
  RouteVersion version;   // of the assignment it was made from; the oldest for the ring
  bool degraded = false;  // made while cut off from the majority
  // More than one holder is known: when the primary is lost, another one will take its place.
  bool replicated = false;
};

Decision Decide(Operation op, const ReadPolicy& policy, const Knowledge& knowledge,
                const View& view, TimePoint now, std::mt19937_64& random);

// The holders that may serve `op`, in the order to try.
NodeList OrderHolders(Operation op, const ReadPolicy& policy, const Route& route,
                      const NodeTable& nodes, TimePoint now, std::mt19937_64& random);

// The owner's side: may this node serve a request that another one passed on to it?
enum class Ownership : uint8_t {
  kServe,      // it holds the space
  kCreate,     // nobody is known to hold it, and the sender asks this node to create it
  kNotHere,    // it does not hold it and knows nobody who does
  kWrongNode,  // it knows who does: `Authority()`
};
// `create`: the sender has asked everybody, and nobody who answered holds the space.
Ownership CheckOwnership(Operation op, const ReadPolicy& policy, const Knowledge& knowledge,
                         const View& view, bool create);

// The newer of what is known and what is held; null if neither is there. What the table says of
// this node counts only if this node holds the space.
const Route* Authority(const Knowledge& knowledge, const View& view);

}  // namespace engram::routing
