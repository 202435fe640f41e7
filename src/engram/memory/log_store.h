// replication::LogPort over a LocalStore: decodes and analyses what came from other nodes in its
// caller's thread, hands it over as a command to be committed, and reads logs and outboxes in
// place.
//
// Thread-safe if `submit` is. Owned by who owns the store.
#pragma once

#include "absl/functional/any_invocable.h"
#include "engram/memory/local_store.h"
#include "engram/replication/log_port.h"

namespace engram::memory {

class LogStore final : public replication::LogPort {
 public:
  // Takes a command to be committed, in the order of the calls, or calls its `done` with an error.
  using Submit = absl::AnyInvocable<void(PendingCommand)>;

  LogStore(const storage::Database& database, LocalStore& store, Submit submit)
      : database_(database), store_(store), submit_(std::move(submit)) {}

  void Bind(const SpaceId& space, const replication::HolderState& state,
            const std::vector<NodeId>& holders, Done done) override;
  void TakeOffice(const SpaceId& space, const Epoch& epoch, Done done) override;
  void Follow(const SpaceId& space, const Epoch& epoch, const replication::EpochHistory& history,
              Done done) override;
  void Append(const SpaceId& space, const Epoch& epoch, const Version& previous,
              std::vector<replication::Entry> entries, Done done) override;
  void Merge(const SpaceId& space, const Epoch& epoch, std::vector<replication::Change> changes,
             Done done) override;
  void Collect(const SpaceId& space, const Epoch& epoch,
               std::vector<replication::Tombstone> tombstones, Done done) override;
  void Restart(const SpaceId& space, const Epoch& epoch, replication::LogBase base,
               Done done) override;
  void Install(const SpaceId& space, const Epoch& epoch, replication::CopyPiece piece,
               Done done) override;
  void Complete(const SpaceId& space, const Epoch& epoch, bool settled, Done done) override;
  void MayTrim(const SpaceId& space, const Version& position) override;

  std::optional<replication::SpaceLog> FindLog(const SpaceId& space) const override;
  std::vector<SpaceId> ListLogs() const override;
  absl::StatusOr<std::vector<replication::Entry>> ReadLog(
      const SpaceId& space, const Version& after,
      const replication::ReadLimits& limits) const override;
  absl::StatusOr<replication::LogBase> ReadBase(const SpaceId& space) const override;
  absl::StatusOr<replication::CopyPiece> ReadPiece(
      const SpaceId& space, const std::string& after, const std::string& until, Part part,
      const replication::ReadLimits& limits) const override;
  absl::StatusOr<replication::Tombstones> ReadTombstones(
      const SpaceId& space, const std::string& after, const VersionVector& confirmed,
      const replication::ReadLimits& limits) const override;
  absl::StatusOr<std::vector<replication::Change>> ReadOutbox(
      const SpaceId& space, const replication::ReadLimits& limits) const override;

 private:
  const storage::Database& database_;
  LocalStore& store_;
  Submit submit_;
};

}  // namespace engram::memory
