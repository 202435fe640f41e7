#include "engram/memory/memory_state.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace engram::memory {
namespace {

constexpr int kCases = 4'000;

Epoch StreamOf(size_t writer) { return {1 + writer % 2, NodeId("n" + std::to_string(writer))}; }

// What a state says, so that two can be compared and printed.
std::string Describe(const MemoryState& state) {
  std::string text;
  for (const RevisionRecord& revision : state.revisions) {
    text += (revision.alive ? "+" : "-") + revision.memory.content + " ";
  }
  for (const LinkRecord& link : state.links) {
    text += link.to.value() + "=" + std::to_string(link.weight) + "@" +
            link.origin.epoch.primary.value() + ":" + std::to_string(link.origin.sequence) + " ";
  }
  return text;
}

// One holder that makes changes of one memory, and hears of others' late.
struct Writer {
  MemoryState state;
  VersionVector seen;
  uint64_t sequence = 0;

  void Take(const MemoryChange& change) {
    Apply(state, change);
    seen.Add(change.origin);
  }
};

// Writers that store, forget and link one memory while they hear of each other's changes in any
// order that keeps each stream's.
class RandomHistory {
 public:
  explicit RandomHistory(uint64_t seed, size_t writers = 3) : random_(seed), writers_(writers) {}

  size_t Below(size_t bound) {
    return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
  }

  void Run(size_t steps) {
    for (size_t step = 0; step < steps; ++step) {
      const size_t writer = Below(writers_.size());
      if (Below(3) == 0) {
        Make(writer);
      } else {
        Deliver(writer);
      }
    }
  }

  // All changes, in an order that keeps each stream's and is otherwise random.
  std::vector<MemoryChange> Shuffled() {
    std::vector<size_t> next(writers_.size(), 0);
    std::vector<MemoryChange> changes;
    while (changes.size() < Count()) {
      const size_t stream = Below(writers_.size());
      if (next[stream] < streams_[stream].size()) {
        changes.push_back(streams_[stream][next[stream]++]);
      }
    }
    return changes;
  }

  size_t Count() const {
    size_t count = 0;
    for (const auto& [stream, changes] : streams_) count += changes.size();
    return count;
  }
  const Writer& At(size_t writer) const { return writers_[writer]; }
  std::mt19937_64& random() { return random_; }

 private:
  void Make(size_t index) {
    Writer& writer = writers_[index];
    MemoryChange change;
    change.origin = {StreamOf(index), ++writer.sequence};
    change.seen = SeenBy(writer.state);
    Revision revision;
    revision.clock = WallMillis{static_cast<int64_t>(Below(20))};
    revision.version = change.origin;
    if (Below(3) == 0) {
      MakeLink(writer, revision, change);
    } else {
      MakeRevision(revision, change);
    }
    writer.Take(change);
    streams_[index].push_back(std::move(change));
  }

  void MakeRevision(const Revision& revision, MemoryChange& change) {
    change.revision.alive = Below(3) != 0;
    change.revision.memory.revision = revision;
    change.revision.memory.content =
        revision.version.epoch.primary.value() + ":" + std::to_string(revision.version.sequence);
    change.revision.seen = change.seen;
    if (!change.revision.alive || Below(2) == 0) return;
    change.links.push_back(LinkOf(revision));
  }

  void MakeLink(const Writer& writer, const Revision& revision, MemoryChange& change) {
    change.kind = MemoryChange::Kind::kLink;
    LinkRecord link = LinkOf(revision);
    change.seen = SeenBy(writer.state.links, link.to);
    link.seen = change.seen;
    change.links.push_back(std::move(link));
  }

  LinkRecord LinkOf(const Revision& revision) {
    LinkRecord link;
    link.to = MemoryId(Below(2) == 0 ? "t1" : "t2");
    link.weight = 0.1 * static_cast<double>(1 + Below(9));
    link.clock = revision.clock;
    link.origin = revision.version;
    return link;
  }

  // The next change of another's stream.
  void Deliver(size_t index) {
    const size_t from = Below(writers_.size());
    const uint64_t have = writers_[index].seen.SequenceOf(StreamOf(from));
    const std::vector<MemoryChange>& stream = streams_[from];
    if (have < stream.size()) writers_[index].Take(stream[have]);
  }

  std::mt19937_64 random_;
  std::vector<Writer> writers_;
  std::map<size_t, std::vector<MemoryChange>> streams_;
};

MemoryState AppliedInOrder(const std::vector<MemoryChange>& changes) {
  MemoryState state;
  for (const MemoryChange& change : changes) Apply(state, change);
  return state;
}

TEST(MemoryStateLaws, ChangesGiveOneStateInEveryOrderThatKeepsEachStreams) {
  size_t with_siblings = 0;
  for (uint64_t seed = 0; seed < kCases; ++seed) {
    RandomHistory history(seed);
    history.Run(40);
    const MemoryState first = AppliedInOrder(history.Shuffled());
    const MemoryState second = AppliedInOrder(history.Shuffled());
    ASSERT_EQ(Describe(first), Describe(second)) << "seed " << seed;
    if (CountSiblings(first) > 0) ++with_siblings;
  }
  EXPECT_GT(with_siblings, kCases / 50u) << "the histories do not reach what is tested";
}

TEST(MemoryStateLaws, ApplyingAChangeAgainChangesNothing) {
  for (uint64_t seed = 0; seed < kCases; ++seed) {
    RandomHistory history(seed);
    history.Run(40);
    const std::vector<MemoryChange> changes = history.Shuffled();
    MemoryState state = AppliedInOrder(changes);
    const std::string before = Describe(state);
    for (const MemoryChange& change : changes) Apply(state, change);
    ASSERT_EQ(Describe(state), before) << "seed " << seed;
  }
}

TEST(MemoryStateLaws, MergingGivesWhatApplyingTheChangesOfBothGives) {
  for (uint64_t seed = 0; seed < kCases; ++seed) {
    RandomHistory history(seed);
    history.Run(40);
    const Writer& a = history.At(0);
    const Writer& b = history.At(1);
    Writer both;
    for (const MemoryChange& change : history.Shuffled()) {
      if (a.seen.Covers(change.origin) || b.seen.Covers(change.origin)) both.Take(change);
    }
    ASSERT_EQ(Describe(Merge(a.state, a.seen, b.state, b.seen)), Describe(both.state))
        << "seed " << seed << "\n a " << Describe(a.state) << "\n b " << Describe(b.state);
  }
}

TEST(MemoryStateLaws, MergeIsCommutativeAssociativeAndIdempotent) {
  for (uint64_t seed = 0; seed < kCases; ++seed) {
    RandomHistory history(seed);
    history.Run(40);
    const Writer& a = history.At(0);
    const Writer& b = history.At(1);
    const Writer& c = history.At(2);
    const MemoryState ab = Merge(a.state, a.seen, b.state, b.seen);
    ASSERT_EQ(Describe(ab), Describe(Merge(b.state, b.seen, a.state, a.seen))) << "seed " << seed;
    ASSERT_EQ(Describe(a.state), Describe(Merge(a.state, a.seen, a.state, a.seen)))
        << "seed " << seed;
    VersionVector seen_ab = a.seen;
    seen_ab.Join(b.seen);
    VersionVector seen_bc = b.seen;
    seen_bc.Join(c.seen);
    const MemoryState bc = Merge(b.state, b.seen, c.state, c.seen);
    ASSERT_EQ(Describe(Merge(ab, seen_ab, c.state, c.seen)),
              Describe(Merge(a.state, a.seen, bc, seen_bc)))
        << "seed " << seed;
  }
}

// Changes made by hand: each by a node of its own.
MemoryChange Store(const std::string& node, int64_t clock, const VersionVector& seen) {
  MemoryChange change;
  change.origin = {{1, NodeId(node)}, 1};
  change.seen = seen;
  change.revision.seen = seen;
  change.revision.memory.content = node;
  change.revision.memory.revision.clock = WallMillis{clock};
  change.revision.memory.revision.version = change.origin;
  return change;
}

MemoryChange Forget(const std::string& node, int64_t clock, const VersionVector& seen) {
  MemoryChange change = Store(node, clock, seen);
  change.revision.alive = false;
  return change;
}

MemoryChange LinkTo(const std::string& to, const std::string& node, int64_t clock,
                    const VersionVector& seen) {
  MemoryChange change;
  change.kind = MemoryChange::Kind::kLink;
  change.origin = {{1, NodeId(node)}, 1};
  change.seen = seen;
  LinkRecord link;
  link.to = MemoryId(to);
  link.weight = static_cast<double>(clock) / 10;
  link.clock = WallMillis{clock};
  link.origin = change.origin;
  link.seen = seen;
  change.links.push_back(link);
  return change;
}

TEST(MemoryState, OfConcurrentEditsTheLaterIsShownAndTheOtherIsASibling) {
  MemoryState state;
  Apply(state, Store("late", 9, {}));
  Apply(state, Store("early", 3, {}));
  EXPECT_EQ(Shown(state)->memory.content, "late");
  EXPECT_EQ(CountSiblings(state), 1u);
  EXPECT_EQ(state.revisions[1].memory.content, "early");
}

TEST(MemoryState, NextWriteThatHasSeenThemRemovesSiblings) {
  MemoryState state;
  Apply(state, Store("late", 9, {}));
  Apply(state, Store("early", 3, {}));
  Apply(state, Store("next", 1, SeenBy(state)));
  EXPECT_EQ(Describe(state), "+next ");
}

TEST(MemoryState, EditThatADeleteHasNotSeenSurvivesIt) {
  const MemoryChange first = Store("first", 1, {});
  MemoryState state;
  Apply(state, first);
  const VersionVector seen = SeenBy(state);
  Apply(state, Store("edit", 2, seen));
  Apply(state, Forget("delete", 9, seen));
  ASSERT_NE(Shown(state), nullptr);
  EXPECT_EQ(Shown(state)->memory.content, "edit");
}

TEST(MemoryState, WhatADeleteHasSeenNeverComesBack) {
  const MemoryChange first = Store("first", 1, {});
  MemoryState writer;
  Apply(writer, first);
  const MemoryChange forget = Forget("delete", 2, SeenBy(writer));
  MemoryState state;
  Apply(state, forget);
  Apply(state, first);
  EXPECT_EQ(Shown(state), nullptr);
  EXPECT_EQ(Describe(state), "-delete ");
}

TEST(MemoryState, SiblingIsShownWhenTheOtherIsDeleted) {
  MemoryState other;
  Apply(other, Store("late", 9, {}));
  const MemoryChange forget = Forget("delete", 10, SeenBy(other));
  MemoryState state = other;
  Apply(state, Store("early", 3, {}));
  Apply(state, forget);
  EXPECT_EQ(Shown(state)->memory.content, "early");
  EXPECT_EQ(CountSiblings(state), 0u);
}

TEST(MemoryState, OfConcurrentLinksToOneTargetTheLaterIsShownUntilOneHasSeenBoth) {
  MemoryState state;
  Apply(state, Store("memory", 1, {}));
  Apply(state, LinkTo("t", "a", 5, {}));
  Apply(state, LinkTo("t", "b", 4, {}));
  Apply(state, LinkTo("u", "c", 2, {}));
  ASSERT_EQ(ShownLinks(state).size(), 2u);
  EXPECT_EQ(ShownLinks(state)[0].weight, 0.5);
  EXPECT_EQ(state.links.size(), 3u);
  Apply(state, LinkTo("t", "d", 1, SeenBy(state.links, MemoryId("t"))));
  EXPECT_EQ(ShownLinks(state)[0].weight, 0.1);
  EXPECT_EQ(state.links.size(), 2u);
  EXPECT_EQ(CountSiblings(state), 0u) << "a link replaces no content";
}

TEST(MemoryState, LinkThatAStoreHasNotSeenStaysBesideIts) {
  MemoryState state;
  Apply(state, Store("first", 1, {}));
  const VersionVector seen = SeenBy(state);
  Apply(state, LinkTo("t", "linker", 2, {}));
  Apply(state, Store("second", 3, seen));
  EXPECT_EQ(ShownLinks(state).size(), 1u);
  Apply(state, Store("third", 4, SeenBy(state)));
  EXPECT_TRUE(ShownLinks(state).empty());
}

TEST(MemoryState, DuplicateReplacesWhatItHasSeenAndAddsNothing) {
  MemoryState state;
  Apply(state, Store("first", 1, {}));
  MemoryChange duplicate = Store("again", 5, SeenBy(state));
  Apply(state, Store("request", 4, {}));
  MemoryState had = state;  // where it was applied before it was known to be one
  Apply(had, duplicate);
  Apply(had, duplicate, Effect::kDuplicate);
  Apply(state, duplicate, Effect::kDuplicate);
  EXPECT_EQ(Describe(state), "+request ");
  EXPECT_EQ(Describe(had), Describe(state));
}

TEST(MemoryState, StoredLinkFromBeforeOriginsIsReplacedByWhateverComes) {
  MemoryState state;
  LinkRecord old;
  old.to = MemoryId("t");
  state.links.push_back(old);
  Apply(state, LinkTo("t", "a", 5, {}));
  ASSERT_EQ(state.links.size(), 1u);
  EXPECT_EQ(state.links[0].weight, 0.5);
}

}  // namespace
}  // namespace engram::memory
