#include "engram/memory/log_store.h"

#include <fmt/format.h>

#include "engram/base/error.h"
#include "engram/memory/errors.h"
#include "engram/memory/keys.h"

namespace engram::memory {
namespace {

using replication::Change;
using replication::Entry;
using replication::ReadLimits;
using replication::SpaceLog;
using storage::Family;

absl::Status Unreadable(const SpaceId& space) {
  return MakeError(
      ErrorCode::kInternal,
      fmt::format("another holder of the space '{}' has sent what is no log entry", space.view()));
}

absl::StatusOr<ReceivedEntry> Receive(const SpaceId& space, std::string bytes) {
  auto entry = DecodeLogEntry(bytes);
  // Not a fault of this node's disk.
  if (!entry.ok()) return Unreadable(space);
  ReceivedEntry received;
  if (entry->operation == LogOperation::kStore) {
    auto content = DecodeContent(entry->body);
    if (!content.ok()) return Unreadable(space);
    received.text = Analyze(content->memory.content);
  }
  received.entry = *std::move(entry);
  received.bytes = std::move(bytes);
  return received;
}

// About what it holds in memory, decoded and as bytes.
size_t BytesOf(const std::vector<ReceivedEntry>& entries) {
  size_t bytes = 0;
  for (const ReceivedEntry& entry : entries) bytes += sizeof(entry) + 3 * entry.bytes.size();
  return bytes;
}

class Reading {
 public:
  explicit Reading(const ReadLimits& limits) : limits_(limits) {}
  // Whether there is room for one more, of so many bytes.
  bool Take(size_t bytes) {
    if (entries_ == limits_.entries_max) return false;
    if (entries_ > 0 && bytes_ + bytes > limits_.bytes_max) return false;
    ++entries_;
    bytes_ += bytes;
    return true;
  }

 private:
  const ReadLimits limits_;
  size_t entries_ = 0;
  size_t bytes_ = 0;
};

absl::Status NotThere(const SpaceId& space, const Version& after) {
  ErrorDetail detail;
  detail.code = ErrorCode::kNotFound;
  detail.space = space.value();
  return MakeError(detail, fmt::format("the log of the space '{}' has no entry after ({}, {}) {}: "
                                       "it was trimmed or cut back",
                                       space.view(), after.epoch.counter,
                                       after.epoch.primary.view(), after.sequence));
}

}  // namespace

void LogStore::Bind(const SpaceId& space, const replication::HolderState& state,
                    const std::vector<NodeId>& holders, Done done) {
  submit_({{space, BindCommand{state, holders}}, std::move(done), sizeof(PendingCommand)});
}

void LogStore::TakeOffice(const SpaceId& space, const Epoch& epoch, Done done) {
  submit_({{space, TakeOfficeCommand{epoch}}, std::move(done), sizeof(PendingCommand)});
}

void LogStore::Follow(const SpaceId& space, const Epoch& epoch,
                      const replication::EpochHistory& history, Done done) {
  submit_({{space, FollowCommand{epoch, history}}, std::move(done), sizeof(PendingCommand)});
}

void LogStore::Append(const SpaceId& space, const Epoch& epoch, const Version& previous,
                      std::vector<Entry> entries, Done done) {
  AppendCommand command{epoch, previous, {}};
  command.entries.reserve(entries.size());
  for (Entry& entry : entries) {
    auto received = Receive(space, std::move(entry.bytes));
    if (!received.ok()) return done(received.status());
    received->position = entry.position;
    command.entries.push_back(*std::move(received));
  }
  const size_t bytes = BytesOf(command.entries);
  submit_({{space, std::move(command)}, std::move(done), bytes});
}

void LogStore::Merge(const SpaceId& space, const Epoch& epoch, std::vector<Change> changes,
                     Done done) {
  MergeCommand command{epoch, {}};
  command.changes.reserve(changes.size());
  for (Change& change : changes) {
    auto received = Receive(space, std::move(change.bytes));
    if (!received.ok()) return done(received.status());
    const LogEntry& entry = received->entry;
    if (entry.operation == LogOperation::kAssign || entry.revision.version != change.origin) {
      return done(Unreadable(space));
    }
    received->previous = change.previous;
    command.changes.push_back(*std::move(received));
  }
  const size_t bytes = BytesOf(command.changes);
  submit_({{space, std::move(command)}, std::move(done), bytes});
}

void LogStore::Collect(const SpaceId& space, const Epoch& epoch,
                       std::vector<replication::Tombstone> tombstones, Done done) {
  size_t bytes = sizeof(PendingCommand);
  for (const auto& tombstone : tombstones) bytes += sizeof(tombstone) + tombstone.name.size();
  submit_({{space, CollectCommand{epoch, std::move(tombstones)}}, std::move(done), bytes});
}

void LogStore::Restart(const SpaceId& space, const Epoch& epoch, replication::LogBase base,
                       Done done) {
  auto totals = DecodeSpace(base.totals);
  if (!totals.ok()) return done(Unreadable(space));
  RestartCommand command{epoch, std::move(base), *std::move(totals)};
  submit_({{space, std::move(command)}, std::move(done), sizeof(PendingCommand)});
}

void LogStore::Install(const SpaceId& space, const Epoch& epoch, replication::CopyPiece piece,
                       Done done) {
  InstallCommand command{epoch, std::move(piece), {}, {}};
  size_t bytes = sizeof(PendingCommand);
  for (const std::string& item : command.piece.items) {
    auto decoded = DecodeItem(item);
    if (!decoded.ok()) return done(Unreadable(space));
    bytes += 2 * item.size();
    if (auto* memory = std::get_if<MemoryItem>(&*decoded)) {
      command.memories.emplace_back(memory->id, item);
    } else {
      command.requests.push_back(std::get<RequestItem>(*std::move(decoded)));
    }
  }
  submit_({{space, std::move(command)}, std::move(done), bytes});
}

void LogStore::Complete(const SpaceId& space, const Epoch& epoch, bool settled, Done done) {
  submit_({{space, CompleteCommand{epoch, settled}}, std::move(done), sizeof(PendingCommand)});
}

void LogStore::MayTrim(const SpaceId& space, const Version& position) {
  store_.AllowTrim(space, position);
}

std::optional<SpaceLog> LogStore::FindLog(const SpaceId& space) const {
  std::shared_ptr<SpaceState> state = store_.spaces().Find(space.view());
  if (state == nullptr) return std::nullopt;
  return state->log();
}

std::vector<SpaceId> LogStore::ListLogs() const {
  std::vector<SpaceId> spaces;
  for (const auto& space : store_.spaces().List()) spaces.push_back(space->id());
  return spaces;
}

// The database may be ahead of what is shown: an entry that is not in the history as shown has been
// committed just now, and is read the next time.
absl::StatusOr<std::vector<Entry>> LogStore::ReadLog(const SpaceId& space, const Version& after,
                                                     const ReadLimits& limits) const {
  const bool from_start = after == Version();
  auto cursor = database_.Scan(Family::kLog, SpacePrefix(space.view()));
  if (!from_start) cursor->Seek(LogKey(space, after));
  if (!from_start && cursor->valid() && cursor->key() == LogKey(space, after)) cursor->Next();
  const std::optional<SpaceLog> log = FindLog(space);
  if (!log || (!from_start && !log->history.Contains(after))) return NotThere(space, after);
  std::optional<Version> next = log->history.After(after);
  std::vector<Entry> entries;
  for (Reading reading(limits); cursor->valid(); cursor->Next()) {
    const auto position = PositionOf(space, cursor->key());
    if (!position || !log->history.Contains(*position)) break;
    if (position != next) return NotThere(space, after);
    if (!reading.Take(cursor->value().size())) break;
    next = log->history.After(*position);
    entries.push_back({*position, std::string(cursor->value())});
  }
  if (absl::Status status = cursor->status(); !status.ok()) return status;
  if (entries.empty() && log->last() != after) return NotThere(space, after);
  return entries;
}

absl::StatusOr<replication::LogBase> LogStore::ReadBase(const SpaceId& space) const {
  std::shared_ptr<SpaceState> state = store_.spaces().Find(space.view());
  if (state == nullptr) return NoSuchSpace(space);
  // The totals may be ahead of the log: they only grow.
  SpaceLog log = state->log();
  return replication::LogBase{std::move(log.history), std::move(log.logged), std::move(log.holders),
                              log.assignment, EncodeSpace(state->record())};
}

// The content may be ahead of `logged`, which says what is certainly in it.
absl::StatusOr<replication::CopyPiece> LogStore::ReadPiece(const SpaceId& space,
                                                           const std::string& after,
                                                           const std::string& until, Part part,
                                                           const ReadLimits& limits) const {
  const std::optional<SpaceLog> log = FindLog(space);
  if (!log) return NoSuchSpace(space);
  const auto snapshot = database_.TakeSnapshot();
  auto piece = memory::ReadPiece(SourceOf(database_, *snapshot), space, after, until, part, limits);
  if (piece.ok()) piece->logged = log->logged;
  return piece;
}

// A memory that has just changed is met with or without its tombstone; the command looks again.
absl::StatusOr<replication::Tombstones> LogStore::ReadTombstones(const SpaceId& space,
                                                                 const std::string& after,
                                                                 const VersionVector& confirmed,
                                                                 const ReadLimits& limits) const {
  replication::Tombstones found;
  const std::string prefix = SpacePrefix(space.view());
  auto cursor = database_.Scan(Family::kTombstones, prefix);
  if (!after.empty()) cursor->Seek(prefix + after);
  if (cursor->valid() && cursor->key() == prefix + after) cursor->Next();
  for (Reading reading(limits); cursor->valid(); cursor->Next()) {
    auto bytes = database_.Get(Family::kMemories, cursor->key());
    if (!bytes.ok()) return bytes.status();
    if (!reading.Take(bytes->value_or("").size())) return found;
    found.until = cursor->key().substr(prefix.size());
    if (!bytes->has_value()) continue;
    auto memory = DecodeMemory(**bytes);
    if (!memory.ok()) return memory.status();
    for (const RevisionRecord& revision : memory->revisions) {
      if (!MayBeCollected(revision, confirmed)) continue;
      found.items.push_back({found.until, revision.origin()});
    }
  }
  if (absl::Status status = cursor->status(); !status.ok()) return status;
  found.until.clear();
  return found;
}

absl::StatusOr<std::vector<Change>> LogStore::ReadOutbox(const SpaceId& space,
                                                         const ReadLimits& limits) const {
  const std::optional<SpaceLog> log = FindLog(space);
  if (!log) return NoSuchSpace(space);
  VersionVector seen = log->logged;
  std::vector<Change> changes;
  auto cursor = database_.Scan(Family::kOutbox, SpacePrefix(space.view()));
  for (Reading reading(limits); cursor->valid(); cursor->Next()) {
    auto entry = DecodeLogEntry(cursor->value());
    if (!entry.ok()) return entry.status();
    const Version& origin = entry->revision.version;
    if (seen.Covers(origin)) continue;  // it is about to leave
    if (!reading.Take(cursor->value().size())) break;
    changes.push_back({origin, seen.SequenceOf(origin.epoch), std::string(cursor->value())});
    seen.Add(origin);
  }
  if (absl::Status status = cursor->status(); !status.ok()) return status;
  return changes;
}

}  // namespace engram::memory
