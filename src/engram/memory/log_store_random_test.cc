// Three holders under random writes, retries, failovers, restarts and copies taken over in pieces,
// in any order that LogPort allows: when all follow one primary and no outbox is left, all copies
// are equal, byte by byte, and every request that was acknowledged has one effect.
#include <algorithm>
#include <array>
#include <map>
#include <random>

#include "engram/memory/testing/log_node.h"

namespace engram::memory {
namespace {

constexpr uint64_t kRuns = 300;
constexpr int kSteps = 80;

class RandomHolders {
 public:
  explicit RandomHolders(uint64_t seed) : random_(seed), commands_(seed) {
    replication::HolderState creating;
    creating.Promise(counter_, node(0).id());
    for (LogNode& node : nodes_) EXPECT_TRUE(node.Bind(creating).ok());
    EXPECT_TRUE(node(0).TakeOffice(counter_).ok());
  }

  void Step() {
    LogNode& node = nodes_[Below(3)];
    node.now += static_cast<int64_t>(Below(3));
    switch (Below(9)) {
      case 0:
      case 1:
      case 2:
        return Write(node);
      case 3:
        return Retry(node);
      case 4:
        if (Below(3) == 0) return FailOver();
        return node.Open();
      case 5:
        return Collect();
      default:
        return Sync(node, 1 + Below(4));
    }
  }

  // Until nothing is left to be done.
  void Heal() {
    primary_writes_ = false;
    for (int round = 0; round < 200; ++round) {
      for (LogNode& node : nodes_) Sync(node, 100);
    }
    // All have what each was restarted from.
    for (LogNode& node : nodes_) {
      EXPECT_TRUE(node.Complete(primary().Log().holder.epoch(), true).ok());
    }
  }

  // What all holders have in a log that is a piece of the primary's.
  void Collect() {
    const LogNode* least = &primary();
    for (const LogNode& node : nodes_) {
      const replication::SpaceLog log = node.Log();
      if (log.incomplete || !primary().Log().history.Contains(log.last())) return;
      if (log.last() < least->Log().last()) least = &node;
    }
    const uint64_t before = primary().Record().tombstones;
    ASSERT_TRUE(primary().Collect(least->Log().logged).ok());
    collected_ += before - primary().Record().tombstones;
  }

  LogNode& node(size_t index) { return nodes_[index]; }
  LogNode& primary() { return nodes_[primary_]; }
  const std::map<RequestId, bool>& acknowledged() const { return acknowledged_; }
  size_t failovers() const { return counter_ - 1; }
  size_t copies() const { return copies_; }
  size_t collected() const { return collected_; }

 private:
  size_t Below(size_t bound) {
    return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
  }
  std::string Id() { return "m" + std::to_string(Below(3)); }

  void Write(LogNode& node) {
    const size_t kind = Below(6);
    if (kind == 0) return Forget(node, commands_.Forget(Id()));
    if (kind == 1) {
      return Note(node.Write(commands_.Link("m0", "m1", 0.1 * static_cast<double>(1 + Below(9)))),
                  RequestId());
    }
    StoreCommand command = commands_.Store(Id(), "text " + std::to_string(Below(1000)));
    if (Below(3) == 0) command.embedding.assign(1 + Below(2), 1.0F);
    if (Below(3) == 0) command.links = {{MemoryId("m9"), 0.5}};
    stores_.push_back(command);
    Note(node.Write(command), command.identity.request_id);
  }
  void Forget(LogNode& node, const ForgetCommand& command) {
    Note(node.Write(command), command.identity.request_id);
  }
  void Retry(LogNode& node) {
    if (stores_.empty()) return;
    const StoreCommand& command = stores_[Below(stores_.size())];
    Note(node.Write(command), command.identity.request_id);
  }
  void Note(const absl::StatusOr<WriteResult>& result, const RequestId& id) {
    if (result.ok() && !id.is_zero()) acknowledged_[id] = true;
  }

  void FailOver() {
    const size_t next = Below(3);
    const replication::SpaceLog log = nodes_[next].Log();
    // As if a majority had confirmed each copy: every later primary has what it began with.
    const bool has_all = std::all_of(bases_.begin(), bases_.end(), [&](const Version& base) {
      return log.history.Contains(base);
    });
    if (log.incomplete || !has_all) return;
    primary_ = next;
    ASSERT_TRUE(primary().TakeOffice(++counter_).ok());
  }

  // A refusal is as good as a lost message.
  void Sync(LogNode& node, size_t entries_max) {
    if (&node == &primary()) return;
    if (!node.Follow(primary()).ok()) return;
    const bool beyond = CodeOf(node.Take(primary(), entries_max)) == ErrorCode::kNotFound;
    if (beyond || node.Log().incomplete || Below(8) == 0) Copy(node);
    (void)primary().Merge(node, entries_max);
  }

  // Meanwhile the primary goes on, and its entries come beside the pieces.
  void Copy(LogNode& node) {
    if (node.Log().last() >= primary().Log().last() && !node.Log().incomplete) return;
    ++copies_;
    bases_.push_back(primary().Log().last());
    absl::Status copied = node.CopyFrom(primary(), 1 + Below(3), [&] {
      if (primary_writes_ && Below(3) == 0) Write(primary());
      if (Below(3) == 0) (void)node.Take(primary(), 1 + Below(3));
      if (Below(5) == 0) node.Open();
    });
    EXPECT_TRUE(copied.ok()) << copied;
  }

  std::mt19937_64 random_;
  bool primary_writes_ = true;
  size_t copies_ = 0;
  size_t collected_ = 0;
  std::vector<Version> bases_;  // where logs were restarted
  const std::vector<NodeId> holders_{NodeId("a"), NodeId("b"), NodeId("c")};
  std::array<LogNode, 3> nodes_{LogNode("a", holders_), LogNode("b", holders_),
                                LogNode("c", holders_)};
  Commands commands_;
  uint64_t counter_ = 1;
  size_t primary_ = 0;
  std::vector<StoreCommand> stores_;
  std::map<RequestId, bool> acknowledged_;
};

// The clock may differ: an assignment that was cut off has moved it on at its writer only.
std::string Totals(const LogNode& node) {
  SpaceRecord record = node.Record();
  record.clock = WallMillis();
  record.clock_counter = 0;
  return EncodeSpace(record);
}

TEST(LogStoreRandom, CopiesBecomeEqualAndEveryRequestHasOneEffect) {
  size_t failovers = 0;
  size_t copies = 0;
  size_t duplicates = 0;
  size_t siblings = 0;
  size_t collected = 0;
  for (uint64_t seed = 1; seed <= kRuns; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomHolders holders(seed);
    for (int step = 0; step < kSteps; ++step) holders.Step();
    holders.Heal();
    holders.Collect();
    holders.Heal();
    ASSERT_EQ(holders.primary().Record().tombstones, 0u);
    collected += holders.collected();
    failovers += holders.failovers();

    copies += holders.copies();
    if (holders.primary().HasWholeLog()) {
      std::map<RequestId, int> effects;
      for (const LogEntry& entry : holders.primary().Entries()) {
        if (entry.duplicate) ++duplicates;
        if (!entry.duplicate) ++effects[entry.revision.request_id];
      }
      for (const auto& [id, yes] : holders.acknowledged()) ASSERT_EQ(effects[id], 1);
    }
    for (size_t i = 0; i < 3; ++i) {
      ASSERT_FALSE(holders.node(i).Log().incomplete);
      ASSERT_EQ(holders.node(i).Log().outbox_entries, 0u);
      ASSERT_EQ(holders.node(i).Log().history, holders.primary().Log().history);
      ASSERT_EQ(holders.node(i).Log().logged, holders.primary().Log().logged);
      ASSERT_EQ(holders.node(i).Digest(), holders.primary().Digest());
      ASSERT_EQ(Totals(holders.node(i)), Totals(holders.primary()));
    }
    siblings += holders.primary().Record().siblings;
  }
  EXPECT_GT(failovers, kRuns) << "the runs do not reach what is tested";
  EXPECT_GT(copies, kRuns);
  EXPECT_GT(duplicates, kRuns / 10);
  EXPECT_GT(siblings, kRuns / 10);
  EXPECT_GT(collected, kRuns);
}

}  // namespace
}  // namespace engram::memory
