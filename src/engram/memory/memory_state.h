// What the holders of a space must agree on about one memory, and how changes and copies of it are
// put together (SPEC C9; docs/model, decision 19).
//
// The state is a set of elements: revisions, alive or tombstones, and links. Each element has an
// origin, the place where its change was logged first (Revision::version), and has seen some
// others. A change replaces what it has seen; what neither of two changes has seen of the other
// stands side by side (an observed-remove set whose causal context is kept with each element:
// Almeida, Shoker, Baquero, "Delta state replicated data types", 2018). So the state depends on
// which changes were applied, not on their order, as long as those of one stream come in its order.
//
// Pure; value types.
#pragma once

#include <cstdint>
#include <vector>

#include "engram/base/version_vector.h"
#include "engram/memory/types.h"

namespace engram::memory {

// One content of a memory, or its absence.
struct RevisionRecord {
  bool alive = true;           // else a tombstone, which keeps the revision only
  bool has_embedding = false;  // also where it is not in `memory`
  uint32_t text_length = 0;    // words
  // Without space, id, links and siblings. The embedding of the revision that is shown is kept
  // apart, in the family vectors; that of another is here.
  Memory memory;
  // All elements of this memory that its writer had, and what those had seen.
  VersionVector seen;

  const Version& origin() const { return memory.revision.version; }
};

struct LinkRecord {
  MemoryId to;
  double weight = 1.0;
  WallMillis clock{};
  uint32_t clock_counter = 0;
  Version origin;  // the default: from before links had one, and seen by everybody
  // Only elements to the same target: a link leaves everything else alone. Empty if a store made
  // it, whose revision has seen more.
  VersionVector seen;

  friend bool operator==(const LinkRecord&, const LinkRecord&) = default;
};

struct MemoryState {
  // Living ones first, then the latest first: the hybrid logical clock decides, then the origin.
  std::vector<RevisionRecord> revisions;
  std::vector<LinkRecord> links;  // by target, then the latest first

  bool empty() const { return revisions.empty() && links.empty(); }
};

// A change, as the log has it.
struct MemoryChange {
  enum class Kind : uint8_t {
    kRevision,  // a store or a forget: replaces revisions and links
    kLink,      // replaces links to its target
  };
  Kind kind = Kind::kRevision;
  RevisionRecord revision;  // of kRevision
  std::vector<LinkRecord> links;
  Version origin;
  VersionVector seen;
};

// Whether a change has any effect of its own. Another one with its request id stands in the log
// already otherwise: it then replaces what it has seen, and adds nothing (SPEC §4, promise 5).
enum class Effect : uint8_t { kNormal, kDuplicate };

// Does nothing if the change is there, or something that is there has seen it. For links of a
// change of kind kLink, a state with the links to its target is enough.
void Apply(MemoryState& state, MemoryChange change, Effect effect = Effect::kNormal);

// Whether a tombstone may go when all holders have `confirmed` in their main log: itself, and
// whatever it has seen. Nothing that it stands against can come any more then: a change that stands
// in a log is never merged again (docs/model, decision 19).
bool MayBeCollected(const RevisionRecord& revision, const VersionVector& confirmed);

// The tombstone of that origin goes, if it is still there. What stands beside it stays: neither has
// seen the other.
void Collect(MemoryState& state, const Version& tombstone);

// The state of who has had every change that one of two holders has had: an element that only one
// of them has stays unless the other has had it (`seen_...`: everything that it ever had of the
// space), and so must have replaced it. Commutative, associative, idempotent.
MemoryState Merge(const MemoryState& a, const VersionVector& seen_a, const MemoryState& b,
                  const VersionVector& seen_b);

// The revision that is shown; null if the memory does not exist or was forgotten. The other living
// ones, which follow it, are its siblings.
const RevisionRecord* Shown(const MemoryState& state);
size_t CountSiblings(const MemoryState& state);
size_t CountTombstones(const MemoryState& state);
// Of each target the latest link.
std::vector<Link> ShownLinks(const MemoryState& state);

// What a change has seen that is made on this state.
VersionVector SeenBy(const MemoryState& state);
VersionVector SeenBy(const std::vector<LinkRecord>& links, const MemoryId& to);

}  // namespace engram::memory
