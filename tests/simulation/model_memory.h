// One memory as a model: what SPEC C9 and the plan of a change say, as plainly as can be, and
// written without a look at memory/memory_state.h, which it is there to be compared with.
//
// Value types; not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "engram/base/strong_id.h"
#include "engram/base/version_vector.h"
#include "engram/replication/log_port.h"

namespace engram::simulation {

// A change of a space, complete: whoever applies it needs nothing else.
struct ModelChange {
  enum class Kind : uint8_t { kAssign, kStore, kForget, kLink, kCollect };

  Kind kind = Kind::kAssign;
  MemoryId id;
  std::string value;    // of a store: the content; of a link: the target
  std::string request;  // its id
  uint64_t clock = 0;   // hybrid logical clock
  Version origin;
  VersionVector seen;           // of this memory, by its writer
  uint64_t previous = 0;        // of the origin's stream, in the log that it was appended to
  bool duplicate = false;       // another change with its request id stood in that log already
  std::vector<NodeId> holders;  // of kAssign
  std::vector<replication::Tombstone> collected;  // of kCollect

  std::string Encode() const;
  // REQUIRES: encoded by Encode.
  static ModelChange Decode(std::string_view bytes);
};

// All that ever happened to it, but for what was deleted and collected. What it is follows: every
// change that no other one has seen, but for the duplicates, which add nothing and still have
// replaced what they had seen (docs/model, decision 12). So the order does not matter in which they
// came.
class ModelMemory {
 public:
  // Nothing if it is there; whether it is a duplicate is as was said last.
  void Apply(const ModelChange& change);
  // The deletion and all that it has seen are forgotten, if it is there and nothing has seen it.
  void Collect(const Version& deletion);
  // Deletions that nothing has seen.
  std::vector<const ModelChange*> Tombstones() const;

  // What a change has seen that is made now. Of a link: only the links to the same target.
  VersionVector Seen(const ModelChange& change) const;

  // Living revisions, the one that is shown first; empty if there is none.
  std::vector<const ModelChange*> Shown() const;
  std::vector<std::string> Targets() const;

  // Of what it is, whatever came first.
  std::string Digest() const;

 private:
  bool IsReplaced(const ModelChange& change) const;
  // Revisions, tombstones and links that nothing has replaced; by origin.
  std::vector<const ModelChange*> Elements() const;

  std::map<Version, ModelChange> changes_;  // by origin
};

}  // namespace engram::simulation
