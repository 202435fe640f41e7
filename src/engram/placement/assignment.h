// Who holds a space. The stored assignment decides; the ring only proposes (DESIGN §1).
#pragma once

#include <vector>

#include "engram/base/strong_id.h"
#include "engram/base/version.h"

namespace engram::placement {

// Value type. `version` is the position in the space's log of the change that made it so: of two
// assignments of one space the one with the larger version is right, whatever the source.
struct Assignment {
  SpaceId space;
  NodeId primary;
  std::vector<NodeId> replicas;
  Version version;

  friend bool operator==(const Assignment&, const Assignment&) = default;
};

}  // namespace engram::placement
