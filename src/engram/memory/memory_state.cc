#include "engram/memory/memory_state.h"

#include <algorithm>
#include <tuple>

#include "engram/base/planted.h"

namespace engram::memory {
namespace {

bool Covers(const VersionVector& seen, const Version& origin) {
  return origin.sequence == 0 || seen.Covers(origin);
}

auto RankOf(const Revision& revision) {
  return std::tie(revision.clock, revision.clock_counter, revision.version);
}

auto RankOf(const LinkRecord& link) {
  return std::tie(link.clock, link.clock_counter, link.origin);
}

bool Before(const RevisionRecord& a, const RevisionRecord& b) {
  if (a.alive != b.alive) return a.alive;
  return RankOf(a.memory.revision) > RankOf(b.memory.revision);
}

bool Before(const LinkRecord& a, const LinkRecord& b) {
  if (a.to != b.to) return a.to < b.to;
  return RankOf(a) > RankOf(b);
}

template <class Element>
void Insert(std::vector<Element>& elements, Element element) {
  auto at = std::find_if(elements.begin(), elements.end(),
                         [&](const Element& other) { return Before(element, other); });
  elements.insert(at, std::move(element));
}

bool HasRevision(const MemoryState& state, const Version& origin) {
  return std::any_of(state.revisions.begin(), state.revisions.end(),
                     [&](const RevisionRecord& revision) { return revision.origin() == origin; });
}

bool HasLink(const MemoryState& state, const LinkRecord& link) {
  return std::any_of(state.links.begin(), state.links.end(), [&](const LinkRecord& other) {
    return other.origin == link.origin && other.to == link.to;
  });
}

// Some revision that is there has replaced it.
bool ReplacedByRevision(const MemoryState& state, const Version& origin) {
  return std::any_of(state.revisions.begin(), state.revisions.end(),
                     [&](const RevisionRecord& revision) {
                       if (IsPlanted(Bug::kTombstoneIgnored) && !revision.alive) return false;
                       return revision.origin() != origin && Covers(revision.seen, origin);
                     });
}

bool ReplacedByLink(const MemoryState& state, const LinkRecord& link) {
  return std::any_of(state.links.begin(), state.links.end(), [&](const LinkRecord& other) {
    return other.to == link.to && other.origin != link.origin && Covers(other.seen, link.origin);
  });
}

bool IsDone(const MemoryState& state, const MemoryChange& change) {
  if (ReplacedByRevision(state, change.origin)) return true;
  if (change.kind == MemoryChange::Kind::kRevision) return HasRevision(state, change.origin);
  return std::all_of(change.links.begin(), change.links.end(), [&](const LinkRecord& link) {
    return HasLink(state, link) || ReplacedByLink(state, link);
  });
}

bool IsTargetOf(const MemoryChange& change, const LinkRecord& link) {
  return std::any_of(change.links.begin(), change.links.end(),
                     [&](const LinkRecord& own) { return own.to == link.to; });
}

// For the bugs that a test plants: the living ones beside the one that is shown.
void DropSiblings(MemoryState& state) {
  const auto second = state.revisions.begin() + (Shown(state) == nullptr ? 0 : 1);
  state.revisions.erase(second, second + static_cast<ptrdiff_t>(CountSiblings(state)));
}

// What the change has seen and is there to replace.
void Replace(MemoryState& state, const MemoryChange& change) {
  const bool all = change.kind == MemoryChange::Kind::kRevision;
  if (all) {
    if (IsPlanted(Bug::kSiblingDropped)) DropSiblings(state);
    std::erase_if(state.revisions, [&](const RevisionRecord& revision) {
      return Covers(change.seen, revision.origin());
    });
  }
  std::erase_if(state.links, [&](const LinkRecord& link) {
    return Covers(change.seen, link.origin) && (all || IsTargetOf(change, link));
  });
}

void TakeOut(MemoryState& state, const Version& origin) {
  std::erase_if(state.revisions,
                [&](const RevisionRecord& revision) { return revision.origin() == origin; });
  std::erase_if(state.links, [&](const LinkRecord& link) { return link.origin == origin; });
}

// The elements of both, each once. An element is the same wherever it is.
void Unite(const MemoryState& from, const VersionVector& seen_by_other, const MemoryState& other,
           MemoryState& into) {
  for (const RevisionRecord& revision : from.revisions) {
    if (HasRevision(into, revision.origin())) continue;
    if (HasRevision(other, revision.origin()) || !seen_by_other.Covers(revision.origin())) {
      Insert(into.revisions, revision);
    }
  }
  for (const LinkRecord& link : from.links) {
    if (HasLink(into, link)) continue;
    if (HasLink(other, link) || !seen_by_other.Covers(link.origin)) Insert(into.links, link);
  }
}

}  // namespace

void Apply(MemoryState& state, MemoryChange change, Effect effect) {
  if (effect == Effect::kNormal && IsDone(state, change)) return;
  Replace(state, change);
  if (effect == Effect::kDuplicate) return TakeOut(state, change.origin);
  for (LinkRecord& link : change.links) {
    if (!HasLink(state, link) && !ReplacedByLink(state, link)) {
      Insert(state.links, std::move(link));
    }
  }
  if (change.kind == MemoryChange::Kind::kRevision) {
    Insert(state.revisions, std::move(change.revision));
    if (IsPlanted(Bug::kMergeDropsLoser)) DropSiblings(state);
  }
}

bool MayBeCollected(const RevisionRecord& revision, const VersionVector& confirmed) {
  return !revision.alive && confirmed.Covers(revision.origin()) && confirmed.Covers(revision.seen);
}

void Collect(MemoryState& state, const Version& tombstone) {
  std::erase_if(state.revisions, [&](const RevisionRecord& revision) {
    return !revision.alive && revision.origin() == tombstone;
  });
}

MemoryState Merge(const MemoryState& a, const VersionVector& seen_a, const MemoryState& b,
                  const VersionVector& seen_b) {
  MemoryState merged;
  Unite(a, seen_b, b, merged);
  Unite(b, seen_a, a, merged);
  const MemoryState all = merged;
  std::erase_if(merged.revisions, [&](const RevisionRecord& revision) {
    return ReplacedByRevision(all, revision.origin());
  });
  std::erase_if(merged.links, [&](const LinkRecord& link) {
    return link.origin.sequence != 0 &&
           (ReplacedByRevision(all, link.origin) || ReplacedByLink(all, link));
  });
  return merged;
}

const RevisionRecord* Shown(const MemoryState& state) {
  const bool alive = !state.revisions.empty() && state.revisions.front().alive;
  return alive ? &state.revisions.front() : nullptr;
}

size_t CountSiblings(const MemoryState& state) {
  const auto alive = std::count_if(state.revisions.begin(), state.revisions.end(),
                                   [](const RevisionRecord& revision) { return revision.alive; });
  return alive > 1 ? static_cast<size_t>(alive - 1) : 0;
}

size_t CountTombstones(const MemoryState& state) {
  return static_cast<size_t>(
      std::count_if(state.revisions.begin(), state.revisions.end(),
                    [](const RevisionRecord& revision) { return !revision.alive; }));
}

std::vector<Link> ShownLinks(const MemoryState& state) {
  std::vector<Link> links;
  for (const LinkRecord& link : state.links) {
    if (links.empty() || links.back().to != link.to) links.push_back({link.to, link.weight});
  }
  return links;
}

VersionVector SeenBy(const MemoryState& state) {
  VersionVector seen;
  for (const RevisionRecord& revision : state.revisions) {
    seen.Add(revision.origin());
    seen.Join(revision.seen);
  }
  for (const LinkRecord& link : state.links) {
    seen.Add(link.origin);
    seen.Join(link.seen);
  }
  return seen;
}

VersionVector SeenBy(const std::vector<LinkRecord>& links, const MemoryId& to) {
  VersionVector seen;
  for (const LinkRecord& link : links) {
    if (link.to != to) continue;
    seen.Add(link.origin);
    seen.Join(link.seen);
  }
  return seen;
}

}  // namespace engram::memory
