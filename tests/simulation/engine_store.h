// The real engine (memory/local_store.h) behind the ports of a simulated store: on a disk in
// memory, which loses what was not synced, and without the thread, so that a run repeats exactly.
#pragma once

#include <memory>
#include <vector>

#include "engram/storage/testing/memory_database.h"
#include "simulation/replicated_store.h"

namespace engram::simulation {

class EngineDisk final : public SimDisk {
 public:
  // What a crash leaves is drawn from `seed`.
  explicit EngineDisk(uint64_t seed) : disk_(seed) {}

  std::unique_ptr<ReplicatedStore> Open(const NodeId& self,
                                        const std::vector<NodeId>& holders) override;
  void Crash() override { disk_.Crash(); }
  void FailWrites(absl::Status error) override { disk_.FailWrites(std::move(error)); }
  void AllowWrites() override { disk_.AllowWrites(); }

 private:
  storage::MemoryDisk disk_;
};

}  // namespace engram::simulation
