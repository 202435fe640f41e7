// One holder of one space, without threads or network: a LocalStore on a disk in memory, whose
// commands are carried out at once.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engram/base/error.h"
#include "engram/memory/local_store.h"
#include "engram/memory/log_store.h"
#include "engram/memory/memory_reader.h"
#include "engram/storage/testing/memory_database.h"

namespace engram::memory {

class LogNode {
 public:
  static inline const SpaceId kSpace{"space"};

  LogNode(const std::string& id, std::vector<NodeId> holders)
      : id_(id), holders_(std::move(holders)), disk_(1) {
    Open();
  }

  // Again, as after the end of the process.
  void Open() {
    log_.reset();
    store_.reset();
    database_.reset();
    database_ = disk_.Open();
    LocalStoreOptions options;
    options.node = id_;
    options.housekeeping.log_entries_max = log_entries_max;
    store_ = std::make_unique<LocalStore>(*database_, std::move(options));
    ASSERT_TRUE(store_->Load().ok());
    log_ = std::make_unique<LogStore>(*database_, *store_, [this](PendingCommand command) {
      std::vector<Pending> group;
      group.emplace_back(std::move(command));
      store_->Commit(std::move(group), WallMillis{now});
    });
  }

  template <class Command>
  absl::StatusOr<WriteResult> Write(Command command) {
    absl::StatusOr<WriteResult> result;
    std::vector<Pending> group;
    group.emplace_back(Prepare(std::move(command), [&](auto done) { result = std::move(done); }));
    store_->Commit(std::move(group), WallMillis{now});
    return result;
  }

  // --- commands of LogPort, for their status

  absl::Status Bind(const replication::HolderState& state) {
    return Await([&](auto done) { log_->Bind(kSpace, state, holders_, std::move(done)); });
  }
  absl::Status TakeOffice(uint64_t counter) {
    replication::HolderState state = Log().holder;
    if (state.MayPromise(counter)) state.Promise(counter, id_);
    if (absl::Status bound = Bind(state); !bound.ok()) return bound;
    return Await([&](auto done) { log_->TakeOffice(kSpace, {counter, id_}, std::move(done)); });
  }
  absl::Status Follow(const LogNode& primary) {
    const replication::SpaceLog log = primary.Log();
    return Await(
        [&](auto done) { log_->Follow(kSpace, log.holder.epoch(), log.history, std::move(done)); });
  }
  absl::Status Append(const Epoch& epoch, const Version& previous,
                      std::vector<replication::Entry> entries) {
    return Await([&](auto done) {
      log_->Append(kSpace, epoch, previous, std::move(entries), std::move(done));
    });
  }
  // The next entries of the primary that it follows.
  absl::Status Take(const LogNode& primary, size_t entries_max = 100) {
    const Version end = Log().last();
    auto entries = primary.port().ReadLog(kSpace, end, {entries_max, 1u << 20});
    if (!entries.ok()) return entries.status();
    return Append(primary.Log().holder.epoch(), end, *std::move(entries));
  }
  // The head of the outbox of a holder that follows this one.
  absl::Status Merge(const LogNode& holder, size_t changes_max = 100) {
    auto changes = holder.port().ReadOutbox(kSpace, {changes_max, 1u << 20});
    if (!changes.ok()) return changes.status();
    return Await([&](auto done) {
      log_->Merge(kSpace, Log().holder.epoch(), *std::move(changes), std::move(done));
    });
  }

  // Has all tombstones collected that may be, once all holders have `confirmed`, in one entry.
  absl::Status Collect(const VersionVector& confirmed) {
    auto found = log_->ReadTombstones(kSpace, "", confirmed, {1'000, 1u << 20});
    if (!found.ok()) return found.status();
    return Await([&](auto done) {
      log_->Collect(kSpace, Log().holder.epoch(), std::move(found->items), std::move(done));
    });
  }

  // Takes over the copy of the primary that it follows, in pieces of so many items; `between` is
  // called before each.
  absl::Status CopyFrom(
      const LogNode& primary, size_t items_max, const std::function<void()>& between = [] {}) {
    const Epoch epoch = primary.Log().holder.epoch();
    absl::Status done = RestartFrom(primary);
    std::string after;
    do {
      between();
      auto piece = primary.port().ReadPiece(kSpace, after, "", replication::LogPort::Part::kAll,
                                            {items_max, 1u << 20});
      if (!piece.ok()) return piece.status();
      after = piece->until;
      if (done.ok()) {
        done = Await(
            [&](auto told) { log_->Install(kSpace, epoch, *std::move(piece), std::move(told)); });
      }
    } while (done.ok() && !after.empty());
    return done.ok() ? Complete(epoch, false) : done;
  }
  // The beginning of that.
  absl::Status RestartFrom(const LogNode& primary) {
    const Epoch epoch = primary.Log().holder.epoch();
    auto base = primary.port().ReadBase(kSpace);
    if (!base.ok()) return base.status();
    return Await(
        [&](auto told) { log_->Restart(kSpace, epoch, *std::move(base), std::move(told)); });
  }
  absl::Status Complete(const Epoch& epoch, bool settled) {
    return Await([&](auto done) { log_->Complete(kSpace, epoch, settled, std::move(done)); });
  }
  // Whether no entry was trimmed, or never there because a copy was taken over.
  bool HasWholeLog() const { return log_->ReadLog(kSpace, {}, {1'000'000, size_t{1} << 40}).ok(); }

  replication::SpaceLog Log() const {
    return log_->FindLog(kSpace).value_or(replication::SpaceLog());
  }
  SpaceRecord Record() const { return store_->spaces().Find(kSpace.view())->record(); }
  SpaceDigest Digest() const { return *store_->Digest(kSpace); }
  std::optional<Memory> Get(const std::string& id) const {
    return *ReadMemory(*database_, kSpace, MemoryId(id), WithEmbedding::kYes);
  }
  // What the main log says.
  std::vector<LogEntry> Entries() const {
    const auto read = log_->ReadLog(kSpace, {}, {1'000'000, size_t{1} << 40});
    EXPECT_TRUE(read.ok()) << read.status();
    std::vector<LogEntry> entries;
    if (!read.ok()) return entries;
    for (const replication::Entry& entry : *read) {
      entries.push_back(*DecodeLogEntry(entry.bytes));
    }
    return entries;
  }
  const replication::LogPort& port() const { return *log_; }
  replication::LogPort& port() { return *log_; }
  const NodeId& id() const { return id_; }
  storage::MemoryDisk& disk() { return disk_; }

  int64_t now = 1'700'000'000'000;
  uint64_t log_entries_max = 10'000;

 private:
  template <class Call>
  static absl::Status Await(Call call) {
    absl::Status status = absl::UnknownError("nobody has answered");
    call([&](const absl::StatusOr<replication::SpaceLog>& log) { status = log.status(); });
    return status;
  }

  const NodeId id_;
  const std::vector<NodeId> holders_;
  storage::MemoryDisk disk_;
  std::unique_ptr<storage::Database> database_;
  std::unique_ptr<LocalStore> store_;
  std::unique_ptr<LogStore> log_;
};

// What clients send, each with a request id of its own.
class Commands {
 public:
  explicit Commands(uint64_t seed) : random_(seed) {}

  StoreCommand Store(const std::string& id, const std::string& content,
                     std::vector<float> embedding = {}) {
    StoreCommand command;
    command.space = LogNode::kSpace;
    command.id = MemoryId(id);
    command.content = content;
    command.embedding = std::move(embedding);
    command.identity = NewIdentity();
    command.branch = Branch::kYes;
    return command;
  }
  ForgetCommand Forget(const std::string& id) {
    return {LogNode::kSpace, MemoryId(id), NewIdentity(), Branch::kYes};
  }
  LinkCommand Link(const std::string& from, const std::string& to, double weight) {
    return {LogNode::kSpace, MemoryId(from), MemoryId(to), weight, NewIdentity(), Branch::kYes};
  }
  WriteIdentity NewIdentity() { return {Ulid::Make(WallMillis{1'700'000'000'000}, random_), 0}; }

 private:
  std::mt19937_64 random_;
};

}  // namespace engram::memory
