// Near-duplicate episodes become one semantic memory (SPEC C10): what it says, what it is called,
// and whether it has to be written. docs/ARCHITECTURE.md, "Consolidation", has the whole picture.
//
// The sources stay as they are; the semantic memory has a link to each. Where a group has been
// consolidated before, wholly or in part, its memory is written again under its id; of several,
// which two sides of a split can have made, one is kept and the others are superseded. Who changes
// such a memory takes it over: it is left alone from then on, and its group too. But one that was
// stored anew without its links to the sources, or without the key below, is known only by the id
// that derives from its sources: when others have joined them, the group gets another memory.
//
// Everything here is a function of the memories alone, so all nodes with the same ones come to the
// same ids, contents and request ids. Pure and thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engram/memory/near_duplicates.h"
#include "engram/memory/types.h"

namespace engram::memory {

// The key in the metadata of a memory that consolidation made; its value is a hash of all that it
// says, by which a change shows.
inline constexpr std::string_view kConsolidatedKey = "engram.consolidated";

// Consolidation made it and nobody has changed it. / It once made it.
bool IsUnchangedMerger(const Memory& memory);
bool IsMerger(const Memory& memory);

// One that there is. `sources`: what it links to.
struct Merger {
  MemoryId id;
  std::vector<MemoryId> sources;
  bool unchanged = true;
};

// What is to come of one group.
struct MergeTask {
  DuplicateGroup group;
  MemoryId id;  // of its semantic memory, which may exist or not
  bool taken_over = false;
  std::vector<MemoryId> superseded;  // by it; none if it is taken over
};

// A merger belongs to the group that has most of its sources; of several, the group keeps one that
// was taken over, else the one with most sources in it; ties go to the smaller id. Groups without
// one get an id that derives from those of its members.
std::vector<MergeTask> AssignMergers(std::vector<DuplicateGroup> groups,
                                     std::span<const Merger> mergers);

// What the semantic memory of a group says:
// - content: that of the surest source, then of the one that occurred last, then of the smallest
// id;
// - confidence: 1 - (1 - c1)(1 - c2)..., noisy-or of the sources' (Pearl, "Probabilistic reasoning
//   in intelligent systems", 1988, section 4.3): each may be right on its own;
// - embedding: the mean direction of the sources' (of one dimension; the first one's decides);
// - metadata: the entries that all sources share; tags: all, the most frequent ones if they are too
//   many; occurred_at: the latest;
// - links: to each source, its weight the similarity to the leader, in thousandths; `others` as far
//   as there is room.
// Without identity. REQUIRES: `sources` are of task.group, by id, at least one.
StoreCommand Compose(const MergeTask& task, std::span<const Memory> sources,
                     std::span<const Link> others);

// Storing it would change nothing.
bool Says(const Memory& memory, const StoreCommand& command);

// Under which the change has its one effect, wherever and however often it is computed: it derives
// from what is written and from the revision that it replaces (`replaced`: its origin; the default
// if there is none). Two sides of a split that consolidate the same memories write one revision.
// `asked` is when, rounded down to `grain` so that nodes which are asked at about the same time
// agree.
struct ChangeTime {
  WallMillis asked{};
  Duration grain{};
};
RequestId RequestIdOf(const ChangeTime& time, const StoreCommand& command, const Version& replaced);
RequestId RequestIdOf(const ChangeTime& time, const ForgetCommand& command,
                      const Version& replaced);

}  // namespace engram::memory
