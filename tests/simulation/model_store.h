// The model of a space behind the ports of a store, on a disk that keeps what was committed. See
// model_space.h.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "simulation/model_space.h"
#include "simulation/replicated_store.h"

namespace engram::simulation {

class ModelDisk final : public SimDisk {
 public:
  // Whether a write that failed is found later is drawn from `seed`.
  explicit ModelDisk(uint64_t seed) : random_(seed) {}

  std::unique_ptr<ReplicatedStore> Open(const NodeId& self,
                                        const std::vector<NodeId>& holders) override;
  void Crash() override {}  // everything is synced
  void FailWrites(absl::Status error) override { error_ = std::move(error); }
  void AllowWrites() override;

 private:
  friend class ModelStore;

  std::mt19937_64 random_;
  bool open_ = false;
  absl::Status error_;
  std::optional<ModelSpace> space_;
  std::optional<ModelSpace> in_doubt_;  // with the batch that failed
};

}  // namespace engram::simulation
