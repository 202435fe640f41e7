#include "support/random_history.h"

#include <absl/container/flat_hash_map.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace engram::testing {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(10);
constexpr Duration kJitter = std::chrono::milliseconds(40);  // so that operations overlap
constexpr size_t kNodes = 3;
constexpr size_t kClients = 5;

NodeId Node(size_t number) { return NodeId(fmt::format("n{}", number % kNodes)); }

// What is known of one memory on one side.
struct MemoryState {
  std::vector<Revision> revisions;
  std::set<Version> seen;  // of all changes to it so far
};

// The effect of a request, for the other side.
struct Change {
  std::string request;
  std::string id;
  Version place;
  std::vector<Revision> content;  // none: deleted
  std::set<Version> replaced;     // what was seen when it was made
};

// What one side of the cluster has.
struct Side {
  std::map<std::string, MemoryState> memories;
  absl::flat_hash_map<std::string, Version> applied;  // request -> place of its effect
  std::vector<Change> changes;                        // since both sides were the same
  Version position;
};

class ClusterModel {
 public:
  ClusterModel(const RandomHistoryOptions& options, std::mt19937_64& random)
      : options_(options), random_(random) {
    main_.position = {{1, Node(0)}, 1};
  }

  History Run() {
    while (out_.operations.size() < options_.operations) Step();
    if (split_) Heal();
    Finish();
    return std::move(out_);
  }

 private:
  size_t Below(size_t bound) {
    return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
  }
  bool Chance(int percent) { return Below(100) < static_cast<size_t>(percent); }
  Duration Jitter() { return Duration(1 + static_cast<int64_t>(Below(kJitter.count()))); }

  void Step() {
    now_ += kTick;
    if (Chance(options_.trouble_percent)) return Trouble();
    if (!again_.empty() && Chance(30)) return AskAgain();
    Operation op = NewOperation();
    Ask(op, AnySide());
  }

  void Trouble() {
    if (split_) return Heal();
    switch (Below(3)) {
      case 0:
        main_.changes.clear();
        shipped_ = main_;
        lagging_ = true;
        return;
      case 1:
        return FailOver();
      default:
        return CutReplicaOff();
    }
  }

  // What had not been shipped stays with the old primary, which goes on by itself.
  void FailOver() {
    if (lagging_) {
      other_ = main_;
      main_ = shipped_;
      split_ = true;
    }
    lagging_ = false;
    main_.position = {{++counter_, Node(++primary_)}, 1};
  }

  void CutReplicaOff() {
    if (lagging_) return;
    main_.changes.clear();
    other_ = main_;
    const Epoch branch{counter_, Node(primary_ + 1)};
    other_.position = {branch, branches_[branch]};
    split_ = true;
  }

  void Heal() {
    branches_[other_.position.epoch] = other_.position.sequence;
    for (const Change& change : other_.changes) {
      const bool is_new = main_.applied.try_emplace(change.request, change.place).second;
      if (is_new) {
        Carry(change, main_);
      } else {
        Replace(change, main_);
      }
      ++main_.position.sequence;  // a merge stands in the log
    }
    split_ = false;
  }

  // All that a duplicate does.
  static MemoryState& Replace(const Change& change, Side& side) {
    MemoryState& memory = side.memories[change.id];
    std::erase_if(memory.revisions, [&](const Revision& revision) {
      return change.replaced.contains(revision.version);
    });
    return memory;
  }

  // New revisions of both sides stand beside each other: neither has seen the other.
  static void Carry(const Change& change, Side& side) {
    MemoryState& memory = Replace(change, side);
    memory.revisions.insert(memory.revisions.begin(), change.content.begin(), change.content.end());
    memory.seen.insert(change.replaced.begin(), change.replaced.end());
    memory.seen.insert(change.place);
  }

  Operation NewOperation() {
    Operation op;
    const size_t kind = Below(10);
    op.kind = kind < 4   ? OperationKind::kStore
              : kind < 5 ? OperationKind::kForget
                         : OperationKind::kGet;
    op.client = fmt::format("c{}", Below(kClients));
    op.request = fmt::format("r{}", ++requests_);
    op.space = SpaceId("space");
    op.id = MemoryId(fmt::format("m{}", Below(options_.memories)));
    if (op.kind == OperationKind::kStore) op.revisions = {{"v" + op.request, {}}};
    if (op.kind != OperationKind::kGet && !lagging_ && !split_ && Chance(40)) {
      op.ack = AckLevel::kQuorum;
    }
    return op;
  }

  void AskAgain() {
    Operation op = std::move(again_.back());
    again_.pop_back();
    if (split_ || lagging_) op.ack = AckLevel::kPrimary;
    Ask(op, AnySide());
  }

  // Anywhere: a request may take effect on both sides, and is one when they are merged.
  Side& AnySide() { return split_ && Chance(30) ? other_ : main_; }

  // Asks `side` for `op` and records how it looked to its client.
  void Ask(Operation op, Side& side) {
    op.begin = now_ - Jitter();
    op.deadline = op.begin + std::chrono::seconds(10);
    if (Chance(3)) return Record(Failed(std::move(op)));
    const Operation asked = op;
    if (Chance(options_.lost_replies_percent)) {
      if (Chance(70)) Apply(op, side);
      if (op.kind != OperationKind::kGet) again_.push_back(asked);
      return Record(asked);
    }
    Apply(op, side);
    op.outcome = Outcome::kOk;
    op.end = now_ + Jitter();
    Record(std::move(op));
  }

  Operation Failed(Operation op) {
    op.outcome = Outcome::kFail;
    op.end = now_ + Jitter();
    return op;
  }

  void Apply(Operation& op, Side& side) {
    op.served_by = side.position.epoch.primary;
    op.flagged = &side == &other_;
    op.hops = static_cast<int>(Below(4));
    if (op.kind == OperationKind::kGet) return Show(op, side);
    const auto [applied, is_new] = side.applied.try_emplace(op.request);
    if (is_new) Make(op, side, applied->second);
    op.first_effect = is_new;
    op.version = applied->second;
    tokens_[op.client] = op.version;
  }

  static void Make(const Operation& op, Side& side, Version& place) {
    ++side.position.sequence;
    place = side.position;
    Change change{op.request, op.id.value(), place, op.revisions,
                  side.memories[op.id.value()].seen};
    for (Revision& revision : change.content) revision.version = place;
    Carry(change, side);
    side.changes.push_back(std::move(change));
  }

  void Show(Operation& op, Side& side) {
    op.token = tokens_[op.client];
    const bool missing = split_ && op.token.epoch == other_.position.epoch;
    op.flagged = op.flagged || missing;
    op.version = side.position;
    op.revisions = side.memories[op.id.value()].revisions;
    if (!op.flagged) tokens_[op.client] = op.version;
  }

  void Record(Operation op) { out_.operations.push_back(std::move(op)); }

  void Finish() {
    size_t line = 1;
    for (Operation& op : out_.operations) op.line = ++line;
    for (size_t n = 0; n < kNodes; ++n) {
      out_.copies.push_back({++line, SpaceId("space"), Node(n)});
    }
    for (size_t n = 0; n < kNodes; ++n) {
      for (const auto& [id, memory] : main_.memories) {
        if (memory.revisions.empty()) continue;
        out_.held.push_back({++line, SpaceId("space"), Node(n), MemoryId(id), memory.revisions});
      }
    }
  }

  const RandomHistoryOptions& options_;
  std::mt19937_64& random_;
  History out_;
  TimePoint now_ = TimePoint(std::chrono::seconds(1));
  Side main_;
  Side other_;    // while split_: who is cut off
  Side shipped_;  // while lagging_: what the replicas have
  bool lagging_ = false;
  bool split_ = false;
  uint64_t counter_ = 1;
  size_t primary_ = 0;
  size_t requests_ = 0;
  std::map<Epoch, uint64_t> branches_;  // how far each branch was written
  std::map<std::string, Version> tokens_;
  std::vector<Operation> again_;
};

}  // namespace

History RandomHistory(const RandomHistoryOptions& options, std::mt19937_64& random) {
  return ClusterModel(options, random).Run();
}

}  // namespace engram::testing
