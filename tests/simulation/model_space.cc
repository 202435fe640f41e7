#include "simulation/model_space.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "engram/base/error.h"

namespace engram::simulation {
namespace {

using replication::Change;
using replication::Entry;
using replication::EpochHistory;
using replication::HolderState;
using replication::ReadLimits;

constexpr int kClockShift = 16;

absl::Status Refused(std::string_view why) { return MakeError(ErrorCode::kWrongNode, why); }

bool Earlier(const ModelChange& a, const ModelChange& b) {
  return std::tie(a.clock, a.origin) < std::tie(b.clock, b.origin);
}

ModelChange::Kind KindOf(SimWrite::Kind kind) {
  switch (kind) {
    case SimWrite::Kind::kStore:
      return ModelChange::Kind::kStore;
    case SimWrite::Kind::kForget:
      return ModelChange::Kind::kForget;
    case SimWrite::Kind::kLink:
      break;
  }
  return ModelChange::Kind::kLink;
}

}  // namespace

absl::Status ModelSpace::Bind(const HolderState& state, const std::vector<NodeId>& holders) {
  log_.holder = state;
  if (log_.holders.empty()) log_.holders = holders;
  return absl::OkStatus();
}

absl::Status ModelSpace::TakeOffice(const Epoch& epoch) {
  HolderState& holder = log_.holder;
  if (epoch.primary != self_ || epoch.counter != holder.promised() ||
      !holder.MayTakeOffice(epoch.counter, holder.promised_to())) {
    return Refused("bound to something newer");
  }
  holder.TakeOffice(self_);
  ModelChange assignment;
  assignment.origin = log_.NextPosition();
  assignment.holders = log_.holders.empty() ? ring_ : log_.holders;
  AppendToLog(assignment.origin, assignment);
  for (ModelChange& change : std::exchange(outbox_, {})) MergeIntoLog(std::move(change));
  CountOutbox();
  return absl::OkStatus();
}

absl::Status ModelSpace::Follow(const Epoch& epoch, const EpochHistory& history) {
  if (!log_.holder.Accepts(epoch)) return Refused("bound to something newer");
  log_.holder.Follow(epoch);
  CutAfter(log_.history.CommonWith(history));
  return absl::OkStatus();
}

absl::Status ModelSpace::Append(const Epoch& epoch, const Version& previous,
                                const std::vector<Entry>& entries) {
  if (!log_.holder.Accepts(epoch)) return Refused("fenced");
  if (previous > log_.last()) return Refused("a gap");
  if (previous != Version() && !log_.history.Contains(previous)) return Refused("another log");
  for (const Entry& entry : entries) {
    if (log_.history.Contains(entry.position)) continue;
    AppendToLog(entry.position, ModelChange::Decode(entry.bytes));
  }
  return absl::OkStatus();
}

absl::Status ModelSpace::Merge(const Epoch& epoch, const std::vector<Change>& changes) {
  if (!log_.holder.IsPrimary(self_) || log_.holder.epoch() != epoch) return Refused("not primary");
  for (const Change& change : changes) {
    const uint64_t has = log_.logged.SequenceOf(change.origin.epoch);
    if (has >= change.origin.sequence) continue;
    if (has < change.previous) break;  // what comes after a gap may have seen what is missing
    MergeIntoLog(ModelChange::Decode(change.bytes));
  }
  return absl::OkStatus();
}

absl::Status ModelSpace::Collect(const Epoch& epoch,
                                 const std::vector<replication::Tombstone>& tombstones) {
  if (!log_.holder.IsPrimary(self_) || log_.holder.epoch() != epoch) return Refused("not primary");
  ModelChange change;
  change.kind = ModelChange::Kind::kCollect;
  change.origin = log_.NextPosition();
  change.clock = clock_ + 1;
  change.collected = tombstones;
  AppendToLog(change.origin, change);
  return absl::OkStatus();
}

absl::StatusOr<SimWritten> ModelSpace::Write(const SimWrite& write, WallMillis now) {
  const bool primary = log_.holder.IsPrimary(self_);
  const bool branch = !primary && write.may_branch && log_.holder.epoch() != Epoch();
  if (auto done = requests_.find(write.request); done != requests_.end()) {
    if (primary || branch) return SimWritten{done->second, branch, true};
  }
  if (!primary && !branch) return Refused("not primary of the space");
  ModelChange change;
  change.kind = KindOf(write.kind);
  change.id = write.id;
  change.value = write.value;
  change.request = write.request;
  change.origin = primary ? log_.NextPosition() : log_.NextOfBranch(self_);
  change.seen = memories_[write.id].Seen(change);
  change.clock = Tick(now);
  if (primary) {
    AppendToLog(change.origin, change);
  } else {
    requests_[change.request] = change.origin;
    ApplyChange(change);
    PutInOutbox(change);
  }
  return SimWritten{change.origin, branch, false};
}

std::vector<Entry> ModelSpace::ReadLog(const Version& after, const ReadLimits& limits) const {
  std::vector<Entry> read;
  auto at = std::partition_point(entries_.begin(), entries_.end(),
                                 [&](const Record& record) { return record.position <= after; });
  for (; at != entries_.end() && read.size() < limits.entries_max; ++at) {
    read.push_back({at->position, at->change.Encode()});
  }
  return read;
}

std::vector<Change> ModelSpace::ReadOutbox(const ReadLimits& limits) const {
  std::vector<Change> read;
  VersionVector before = log_.logged;
  for (const ModelChange& change : outbox_) {
    if (read.size() == limits.entries_max) break;
    read.push_back({change.origin, before.SequenceOf(change.origin.epoch), change.Encode()});
    before.Add(change.origin);
  }
  return read;
}

// In one piece, whatever the limits.
replication::Tombstones ModelSpace::ReadTombstones(const std::string& after,
                                                   const VersionVector& confirmed,
                                                   const ReadLimits& /*limits*/) const {
  replication::Tombstones found;
  for (const auto& [id, memory] : memories_) {
    if (id.value() <= after) continue;
    for (const ModelChange* tombstone : memory.Tombstones()) {
      const bool settled = confirmed.Covers(tombstone->origin) && confirmed.Covers(tombstone->seen);
      if (settled) found.items.push_back({id.value(), tombstone->origin});
    }
  }
  return found;
}

std::string ModelSpace::Digest() const {
  std::string digest;
  for (const auto& [id, memory] : memories_) {
    const std::string elements = memory.Digest();
    if (!elements.empty()) digest += id.value() + "=" + elements + "\n";
  }
  for (const auto& [request, origin] : requests_) {
    digest += request + "=" + std::to_string(origin.epoch.counter) + origin.epoch.primary.value() +
              std::to_string(origin.sequence) + "\n";
  }
  return digest;
}

uint64_t ModelSpace::Tick(WallMillis now) {
  clock_ = std::max(clock_ + 1, static_cast<uint64_t>(ToInt(now)) << kClockShift);
  return clock_;
}

void ModelSpace::ApplyChange(const ModelChange& change) {
  clock_ = std::max(clock_, change.clock);
  if (change.kind == ModelChange::Kind::kAssign) return;
  if (change.kind != ModelChange::Kind::kCollect) return memories_[change.id].Apply(change);
  for (const replication::Tombstone& tombstone : change.collected) {
    memories_[MemoryId(tombstone.name)].Collect(tombstone.origin);
  }
}

// What stands in the main log is in no outbox any more.
void ModelSpace::AppendToLog(const Version& position, ModelChange change) {
  log_.history.Append(position);
  log_.logged.Add(position);
  log_.logged.Add(change.origin);
  if (change.kind == ModelChange::Kind::kAssign) {
    log_.assignment = position;
    log_.holders = change.holders;
  } else if (!change.duplicate && !change.request.empty()) {
    requests_[change.request] = change.origin;
  }
  ApplyChange(change);
  TakeFromOutbox(change.origin);
  entries_.push_back({position, std::move(change)});
}

void ModelSpace::MergeIntoLog(ModelChange change) {
  change.previous = log_.logged.SequenceOf(change.origin.epoch);
  const auto done = requests_.find(change.request);
  change.duplicate =
      done != requests_.end() && done->second != change.origin && log_.logged.Covers(done->second);
  AppendToLog(log_.NextPosition(), std::move(change));
}

void ModelSpace::PutInOutbox(const ModelChange& change) {
  outbox_.insert(std::upper_bound(outbox_.begin(), outbox_.end(), change, Earlier), change);
  CountOutbox();
}

void ModelSpace::TakeFromOutbox(const Version& origin) {
  if (log_.outbox_entries == 0) return;
  std::erase_if(outbox_, [&](const ModelChange& change) { return change.origin == origin; });
  CountOutbox();
}

void ModelSpace::CountOutbox() {
  log_.outbox = VersionVector();
  for (const ModelChange& change : outbox_) log_.outbox.Add(change.origin);
  log_.outbox_entries = outbox_.size();
}

void ModelSpace::CutAfter(const Version& common) {
  const EpochHistory before = log_.history;
  std::vector<ModelChange> tail;
  for (; !entries_.empty() && entries_.back().position > common; entries_.pop_back()) {
    ModelChange& change = entries_.back().change;
    if (change.origin != entries_.back().position) {
      log_.logged.Set({change.origin.epoch, change.previous});
    }
    if (change.kind != ModelChange::Kind::kAssign) tail.push_back(std::move(change));
  }
  log_.history.CutAfter(common);
  LowerTo(before);
  for (ModelChange& change : tail) {
    // In the log that it goes to now it may be the one that counts.
    if (std::exchange(change.duplicate, false)) ApplyChange(change);
    PutInOutbox(change);
  }
}

// Positions that are cut off are not logged any more.
void ModelSpace::LowerTo(const EpochHistory& before) {
  VersionVector left(log_.history.rows());
  for (const Version& row : before.rows()) {
    const uint64_t last = left.SequenceOf(row.epoch);
    if (last < row.sequence) log_.logged.Set({row.epoch, last});
  }
}

}  // namespace engram::simulation
