#include "simulation/model_store.h"

#include <functional>
#include <utility>

#include "engram/base/error.h"

namespace engram::simulation {

using replication::Change;
using replication::Entry;
using replication::EpochHistory;
using replication::HolderState;
using replication::ReadLimits;
using replication::SpaceLog;

absl::Status NoCopies() { return MakeError(ErrorCode::kUnimplemented, "the model has no copies"); }

class ModelStore final : public ReplicatedStore {
 public:
  explicit ModelStore(ModelDisk& disk) : disk_(disk) { disk_.open_ = true; }
  ~ModelStore() override { disk_.open_ = false; }

  void Write(SimWrite write, WriteDone done) override {
    waiting_.emplace_back(
        [write = std::move(write), done = std::move(done)](ModelSpace& space, WallMillis now) {
          auto written = space.Write(write, now);
          return Told([done, written](const absl::Status& failed) {
            done(failed.ok() || !written.ok() ? written : absl::StatusOr<SimWritten>(failed));
          });
        });
  }
  bool HasWork() const override { return !waiting_.empty(); }
  std::vector<std::function<void()>> Commit(size_t max, WallMillis now) override;

  std::vector<testing::Revision> Get(const MemoryId& id) const override;
  std::vector<MemoryId> List() const override;
  std::vector<std::string> Targets(const MemoryId& id) const override;
  size_t CountTombstones() const override;
  std::string Digest() const override { return space().Digest(); }

  void Bind(const SpaceId&, const HolderState& state, const std::vector<NodeId>& holders,
            Done done) override {
    Queue([state, holders](ModelSpace& s) { return s.Bind(state, holders); }, std::move(done));
  }
  void TakeOffice(const SpaceId&, const Epoch& epoch, Done done) override {
    Queue([epoch](ModelSpace& s) { return s.TakeOffice(epoch); }, std::move(done));
  }
  void Follow(const SpaceId&, const Epoch& epoch, const EpochHistory& history, Done done) override {
    Queue([epoch, history](ModelSpace& s) { return s.Follow(epoch, history); }, std::move(done));
  }
  void Append(const SpaceId&, const Epoch& epoch, const Version& previous,
              std::vector<Entry> entries, Done done) override {
    Queue([epoch, previous, entries = std::move(entries)](
              ModelSpace& s) { return s.Append(epoch, previous, entries); },
          std::move(done));
  }
  void Merge(const SpaceId&, const Epoch& epoch, std::vector<Change> changes, Done done) override {
    Queue([epoch, changes = std::move(changes)](ModelSpace& s) { return s.Merge(epoch, changes); },
          std::move(done));
  }
  void Collect(const SpaceId&, const Epoch& epoch, std::vector<replication::Tombstone> tombstones,
               Done done) override {
    Queue([epoch, tombstones = std::move(tombstones)](
              ModelSpace& s) { return s.Collect(epoch, tombstones); },
          std::move(done));
  }
  // The model keeps its whole log, so nobody has to take over a copy of it.
  void Restart(const SpaceId&, const Epoch&, replication::LogBase, Done done) override {
    done(NoCopies());
  }
  void Install(const SpaceId&, const Epoch&, replication::CopyPiece, Done done) override {
    done(NoCopies());
  }
  void Complete(const SpaceId&, const Epoch&, bool, Done done) override { done(NoCopies()); }
  void MayTrim(const SpaceId&, const Version&) override {}
  absl::StatusOr<replication::LogBase> ReadBase(const SpaceId&) const override {
    return NoCopies();
  }
  absl::StatusOr<replication::CopyPiece> ReadPiece(const SpaceId&, const std::string&,
                                                   const std::string&, Part,
                                                   const ReadLimits&) const override {
    return NoCopies();
  }

  std::optional<SpaceLog> FindLog(const SpaceId&) const override {
    return space().log() == SpaceLog() ? std::nullopt : std::optional(space().log());
  }
  std::vector<SpaceId> ListLogs() const override { return {}; }
  absl::StatusOr<std::vector<Entry>> ReadLog(const SpaceId&, const Version& after,
                                             const ReadLimits& limits) const override {
    return space().ReadLog(after, limits);
  }
  absl::StatusOr<replication::Tombstones> ReadTombstones(const SpaceId&, const std::string& after,
                                                         const VersionVector& confirmed,
                                                         const ReadLimits& limits) const override {
    return space().ReadTombstones(after, confirmed, limits);
  }
  absl::StatusOr<std::vector<Change>> ReadOutbox(const SpaceId&,
                                                 const ReadLimits& limits) const override {
    return space().ReadOutbox(limits);
  }

 private:
  // Given what the disk said of the batch.
  using Told = std::function<void(const absl::Status&)>;
  using Work = std::function<Told(ModelSpace&, WallMillis)>;

  const ModelSpace& space() const { return *disk_.space_; }

  void Queue(std::function<absl::Status(ModelSpace&)> command, Done done) {
    auto shared = std::make_shared<Done>(std::move(done));
    waiting_.emplace_back([command = std::move(command), shared](ModelSpace& space, WallMillis) {
      const absl::Status status = command(space);
      return Told([shared, status, log = space.log()](const absl::Status& failed) {
        const absl::Status& worst = failed.ok() ? status : failed;
        (*shared)(worst.ok() ? absl::StatusOr<SpaceLog>(log) : worst);
      });
    });
  }

  ModelDisk& disk_;
  std::deque<Work> waiting_;
};

std::unique_ptr<ReplicatedStore> ModelDisk::Open(const NodeId& self,
                                                 const std::vector<NodeId>& holders) {
  if (!space_) space_.emplace(self, holders);
  if (in_doubt_ && random_() % 2 == 0) space_ = std::move(in_doubt_);
  in_doubt_.reset();
  return std::make_unique<ModelStore>(*this);
}

// A store that is open goes on with what it shows.
void ModelDisk::AllowWrites() {
  error_ = absl::OkStatus();
  if (open_) in_doubt_.reset();
}

std::vector<std::function<void()>> ModelStore::Commit(size_t max, WallMillis now) {
  std::optional<ModelSpace> failed;
  if (!disk_.error_.ok()) failed = space();
  ModelSpace& space = failed ? *failed : *disk_.space_;
  std::vector<std::function<void()>> told;
  for (; max > 0 && !waiting_.empty(); --max) {
    told.emplace_back([tell = waiting_.front()(space, now), error = disk_.error_] { tell(error); });
    waiting_.pop_front();
  }
  if (failed && !disk_.in_doubt_) disk_.in_doubt_ = std::move(failed);
  return told;
}

std::vector<testing::Revision> ModelStore::Get(const MemoryId& id) const {
  std::vector<testing::Revision> shown;
  auto memory = space().memories().find(id);
  if (memory == space().memories().end()) return shown;
  for (const ModelChange* change : memory->second.Shown()) {
    shown.emplace_back(testing::Revision{change->value, change->origin});
  }
  return shown;
}

std::vector<MemoryId> ModelStore::List() const {
  std::vector<MemoryId> ids;
  for (const auto& [id, memory] : space().memories()) {
    if (!memory.Shown().empty()) ids.push_back(id);
  }
  return ids;
}

size_t ModelStore::CountTombstones() const {
  size_t count = 0;
  for (const auto& [id, memory] : space().memories()) count += memory.Tombstones().size();
  return count;
}

std::vector<std::string> ModelStore::Targets(const MemoryId& id) const {
  auto memory = space().memories().find(id);
  return memory == space().memories().end() ? std::vector<std::string>() : memory->second.Targets();
}

}  // namespace engram::simulation
