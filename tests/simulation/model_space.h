// A space on one holder, as a model: the semantics of LogPort (replication/log_port.h) on vectors
// and maps, said as plainly as can be. The engine must come to the same (replicated_test.cc).
//
// A command that is refused leaves the space as it was. Value type; not thread-safe.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "simulation/model_memory.h"
#include "simulation/replicated_store.h"

namespace engram::simulation {

class ModelSpace {
 public:
  ModelSpace(NodeId self, std::vector<NodeId> ring)
      : self_(std::move(self)), ring_(std::move(ring)) {}

  absl::Status Bind(const replication::HolderState& state, const std::vector<NodeId>& holders);
  absl::Status TakeOffice(const Epoch& epoch);
  absl::Status Follow(const Epoch& epoch, const replication::EpochHistory& history);
  absl::Status Append(const Epoch& epoch, const Version& previous,
                      const std::vector<replication::Entry>& entries);
  absl::Status Merge(const Epoch& epoch, const std::vector<replication::Change>& changes);
  absl::Status Collect(const Epoch& epoch, const std::vector<replication::Tombstone>& tombstones);
  absl::StatusOr<SimWritten> Write(const SimWrite& write, WallMillis now);

  const replication::SpaceLog& log() const { return log_; }
  std::vector<replication::Entry> ReadLog(const Version& after,
                                          const replication::ReadLimits& limits) const;
  std::vector<replication::Change> ReadOutbox(const replication::ReadLimits& limits) const;
  replication::Tombstones ReadTombstones(const std::string& after, const VersionVector& confirmed,
                                         const replication::ReadLimits& limits) const;
  const std::map<MemoryId, ModelMemory>& memories() const { return memories_; }
  std::string Digest() const;

 private:
  struct Record {
    Version position;
    ModelChange change;
  };

  uint64_t Tick(WallMillis now);
  void ApplyChange(const ModelChange& change);
  void AppendToLog(const Version& position, ModelChange change);
  void MergeIntoLog(ModelChange change);
  void PutInOutbox(const ModelChange& change);
  void TakeFromOutbox(const Version& origin);
  void CountOutbox();
  void CutAfter(const Version& common);
  void LowerTo(const replication::EpochHistory& before);

  NodeId self_;
  std::vector<NodeId> ring_;
  replication::SpaceLog log_;
  std::vector<Record> entries_;
  std::vector<ModelChange> outbox_;  // causes before effects
  std::map<MemoryId, ModelMemory> memories_;
  std::map<std::string, Version> requests_;  // id -> origin of what took effect
  uint64_t clock_ = 0;                       // milliseconds and a counter below them
};

}  // namespace engram::simulation
