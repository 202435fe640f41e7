#include "simulation/engine_store.h"

#include <fmt/format.h>

#include <deque>
#include <utility>

#include "absl/base/macros.h"
#include "engram/memory/keys.h"
#include "engram/memory/local_store.h"
#include "engram/memory/log_store.h"
#include "engram/memory/memory_reader.h"

namespace engram::simulation {
namespace {

using memory::LogStore;
using memory::Memory;
using memory::Pending;
using memory::PendingCommand;
using memory::PendingWrite;
using memory::WriteResult;
using replication::Change;
using replication::Entry;
using replication::EpochHistory;
using replication::HolderState;
using replication::ReadLimits;
using replication::SpaceLog;

const SpaceId& Space() {
  static const SpaceId kSpace("space");
  return kSpace;
}

memory::LocalStoreOptions OptionsOf(const NodeId& self) {
  memory::LocalStoreOptions options;
  options.node = self;
  // The clocks of a run are far apart, and what is refused for it is not what it is about.
  options.clock_ahead_max = std::chrono::hours(1);
  // So few that holders fall behind what is kept, and take over copies.
  options.housekeeping.log_entries_max = 30;
  return options;
}

memory::Branch BranchOf(const SimWrite& write) {
  return write.may_branch ? memory::Branch::kYes : memory::Branch::kNo;
}

PendingWrite PrepareStore(const SimWrite& write, memory::Engine::Done done) {
  memory::StoreCommand store;
  store.space = Space();
  store.id = write.id;
  store.content = write.value;
  store.identity = {*Ulid::Parse(write.request), 0};
  store.branch = BranchOf(write);
  return memory::Prepare(std::move(store), std::move(done));
}

PendingWrite Prepare(const SimWrite& write, memory::Engine::Done done) {
  const memory::WriteIdentity identity{*Ulid::Parse(write.request), 0};
  switch (write.kind) {
    case SimWrite::Kind::kStore:
      return PrepareStore(write, std::move(done));
    case SimWrite::Kind::kForget:
      return memory::Prepare(memory::ForgetCommand{Space(), write.id, identity, BranchOf(write)},
                             std::move(done));
    case SimWrite::Kind::kLink:
      break;
  }
  const MemoryId to(write.value);
  return memory::Prepare(memory::LinkCommand{Space(), write.id, to, 1.0, identity, BranchOf(write)},
                         std::move(done));
}

// What a link goes to must be there. The model does not ask for it, so clients do not store it.
SimWrite TargetOf(const SimWrite& link) {
  SimWrite target = link;
  target.kind = SimWrite::Kind::kStore;
  target.id = MemoryId(link.value);
  target.request = Ulid::Derive(*Ulid::Parse(link.request), 1).ToString();
  return target;
}

absl::StatusOr<SimWritten> Written(const absl::StatusOr<WriteResult>& result) {
  if (!result.ok()) return result.status();
  return SimWritten{result->version, result->branch, result->repeated};
}

}  // namespace

class EngineStore final : public ReplicatedStore {
 public:
  EngineStore(storage::MemoryDisk& disk, const NodeId& self)
      : database_(disk.Open()),
        store_(*database_, OptionsOf(self)),
        log_(*database_, store_,
             [this](PendingCommand command) { waiting_.emplace_back(std::move(command)); }) {
    ABSL_HARDENING_ASSERT(store_.Load().ok());
  }

  void Write(SimWrite write, WriteDone done) override {
    if (write.kind == SimWrite::Kind::kLink) {
      waiting_.emplace_back(Prepare(TargetOf(write), [](const auto& /*result*/) {}));
    }
    waiting_.emplace_back(
        Prepare(write, [this, done = std::move(done)](const absl::StatusOr<WriteResult>& result) {
          told_.emplace_back([done, written = Written(result)] { done(written); });
        }));
  }
  bool HasWork() const override { return !waiting_.empty(); }
  std::vector<std::function<void()>> Commit(size_t max, WallMillis now) override;

  std::vector<testing::Revision> Get(const MemoryId& id) const override;
  std::vector<MemoryId> List() const override;
  std::vector<std::string> Targets(const MemoryId& id) const override;
  size_t CountTombstones() const override { return store_.tombstones().there; }
  std::string Digest() const override;

  void Bind(const SpaceId& space, const HolderState& state, const std::vector<NodeId>& holders,
            Done done) override {
    log_.Bind(space, state, holders, Later(std::move(done)));
  }
  void TakeOffice(const SpaceId& space, const Epoch& epoch, Done done) override {
    log_.TakeOffice(space, epoch, Later(std::move(done)));
  }
  void Follow(const SpaceId& space, const Epoch& epoch, const EpochHistory& history,
              Done done) override {
    log_.Follow(space, epoch, history, Later(std::move(done)));
  }
  void Append(const SpaceId& space, const Epoch& epoch, const Version& previous,
              std::vector<Entry> entries, Done done) override {
    log_.Append(space, epoch, previous, std::move(entries), Later(std::move(done)));
  }
  void Merge(const SpaceId& space, const Epoch& epoch, std::vector<Change> changes,
             Done done) override {
    log_.Merge(space, epoch, std::move(changes), Later(std::move(done)));
  }
  void Collect(const SpaceId& space, const Epoch& epoch,
               std::vector<replication::Tombstone> tombstones, Done done) override {
    log_.Collect(space, epoch, std::move(tombstones), Later(std::move(done)));
  }
  void Restart(const SpaceId& space, const Epoch& epoch, replication::LogBase base,
               Done done) override {
    log_.Restart(space, epoch, std::move(base), Later(std::move(done)));
  }
  void Install(const SpaceId& space, const Epoch& epoch, replication::CopyPiece piece,
               Done done) override {
    log_.Install(space, epoch, std::move(piece), Later(std::move(done)));
  }
  void Complete(const SpaceId& space, const Epoch& epoch, bool settled, Done done) override {
    log_.Complete(space, epoch, settled, Later(std::move(done)));
  }
  absl::StatusOr<replication::LogBase> ReadBase(const SpaceId& space) const override {
    return log_.ReadBase(space);
  }
  absl::StatusOr<replication::CopyPiece> ReadPiece(
      const SpaceId& space, const std::string& after, const std::string& until, Part part,
      const replication::ReadLimits& limits) const override {
    return log_.ReadPiece(space, after, until, part, limits);
  }
  void MayTrim(const SpaceId& space, const Version& position) override {
    log_.MayTrim(space, position);
  }

  std::optional<SpaceLog> FindLog(const SpaceId& space) const override {
    return log_.FindLog(space);
  }
  std::vector<SpaceId> ListLogs() const override { return log_.ListLogs(); }
  absl::StatusOr<std::vector<Entry>> ReadLog(const SpaceId& space, const Version& after,
                                             const ReadLimits& limits) const override {
    return log_.ReadLog(space, after, limits);
  }
  absl::StatusOr<replication::Tombstones> ReadTombstones(const SpaceId& space,
                                                         const std::string& after,
                                                         const VersionVector& confirmed,
                                                         const ReadLimits& limits) const override {
    return log_.ReadTombstones(space, after, confirmed, limits);
  }
  absl::StatusOr<std::vector<Change>> ReadOutbox(const SpaceId& space,
                                                 const ReadLimits& limits) const override {
    return log_.ReadOutbox(space, limits);
  }

 private:
  std::optional<Memory> Find(const MemoryId& id) const {
    auto found = memory::ReadMemory(*database_, Space(), id, memory::WithEmbedding::kNo);
    ABSL_HARDENING_ASSERT(found.ok());
    return *std::move(found);
  }
  // The store tells at once what its caller is to be told when the node comes to it.
  Done Later(Done done) {
    auto shared = std::make_shared<Done>(std::move(done));
    return [this, shared](absl::StatusOr<SpaceLog> log) {
      told_.emplace_back([shared, log = std::move(log)] { (*shared)(log); });
    };
  }

  const std::unique_ptr<storage::Database> database_;
  memory::LocalStore store_;
  LogStore log_;
  std::deque<Pending> waiting_;
  std::vector<std::function<void()>> told_;
};

std::unique_ptr<ReplicatedStore> EngineDisk::Open(const NodeId& self,
                                                  const std::vector<NodeId>& /*holders*/) {
  return std::make_unique<EngineStore>(disk_, self);
}

std::vector<std::function<void()>> EngineStore::Commit(size_t max, WallMillis now) {
  std::vector<Pending> group;
  for (; max > 0 && !waiting_.empty(); --max) {
    group.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  store_.Commit(std::move(group), now);
  return std::exchange(told_, {});
}

std::vector<testing::Revision> EngineStore::Get(const MemoryId& id) const {
  std::vector<testing::Revision> shown;
  const std::optional<Memory> found = Find(id);
  if (!found) return shown;
  shown.push_back({found->content, found->revision.version});
  for (const Memory& sibling : found->siblings) {
    shown.push_back({sibling.content, sibling.revision.version});
  }
  return shown;
}

std::vector<MemoryId> EngineStore::List() const {
  const std::string prefix = memory::SpacePrefix(Space().view());
  std::vector<MemoryId> ids;
  for (auto cursor = database_->Scan(storage::Family::kMemories, prefix); cursor->valid();
       cursor->Next()) {
    MemoryId id(cursor->key().substr(prefix.size()));
    if (Find(id)) ids.push_back(std::move(id));
  }
  return ids;
}

std::vector<std::string> EngineStore::Targets(const MemoryId& id) const {
  std::vector<std::string> targets;
  const std::optional<Memory> found = Find(id);
  if (!found) return targets;
  for (const memory::Link& link : found->links) targets.push_back(link.to.value());
  return targets;
}

// With the totals, but for the clock: an assignment that was cut off has moved it on at its writer
// only.
std::string EngineStore::Digest() const {
  const auto space = store_.spaces().Find(Space().view());
  if (space == nullptr) return {};
  const auto digest = store_.Digest(Space());
  ABSL_HARDENING_ASSERT(digest.ok());
  memory::SpaceRecord totals = space->record();
  totals.clock = WallMillis();
  totals.clock_counter = 0;
  return fmt::format("{:x} {:x} ", digest->high, digest->low) + memory::EncodeSpace(totals);
}

}  // namespace engram::simulation
