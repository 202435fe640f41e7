// The engine put together: database, spaces, commit queue, keeper. See engine.h for what it
// promises.
#pragma once

#include <memory>

#include "engram/memory/commit_queue.h"
#include "engram/memory/engine.h"
#include "engram/memory/keeper.h"
#include "engram/memory/local_store.h"
#include "engram/memory/log_store.h"
#include "engram/memory/ranking.h"
#include "engram/memory/validate.h"
#include "engram/storage/database.h"

namespace engram::memory {

class EngineImpl final : public Engine {
 public:
  EngineImpl(EngineOptions options, std::unique_ptr<storage::Database> database);

  // Reads the records of all spaces. Called once, before anything else.
  [[nodiscard]] absl::Status LoadSpaces();

  void Store(StoreCommand command, Done done) override;
  void Forget(ForgetCommand command, Done done) override;
  void Link(LinkCommand command, Done done) override;
  absl::StatusOr<Memory> Get(const SpaceId& space, const MemoryId& id) const override;
  absl::StatusOr<std::shared_ptr<const std::string>> GetEncoded(const SpaceId& space,
                                                                const MemoryId& id) const override;
  absl::StatusOr<RecallResult> Recall(const RecallQuery& query) const override;
  std::vector<absl::StatusOr<TextStatistics>> Survey(std::span<const SpaceId> spaces,
                                                     const RecallQuery& query) const override;
  absl::StatusOr<Findings> Find(std::span<const SpaceId> spaces, const RecallQuery& query,
                                const FindOptions& options) const override;
  absl::StatusOr<std::optional<Memory>> ReadFound(const SpaceId& space, const MemoryId& id,
                                                  const RecallQuery& query) const override;
  absl::StatusOr<ConsolidationPlan> PlanConsolidation(
      const ConsolidationQuery& query) const override;
  std::optional<SpaceSummary> FindSpace(std::string_view space) const override;
  std::vector<SpaceSummary> ListSpaces() const override;
  absl::StatusOr<SpaceDigest> Digest(const SpaceId& space) const override;
  TombstoneCounts Tombstones() const override { return store_.tombstones(); }
  replication::LogPort& log() override { return log_; }
  storage::Database& database() override { return *database_; }
  bool BackgroundIdle() const override { return keeper_.Idle(); }

 private:
  RequestWindow Window() const { return {options_.wall_clock(), options_.request_id_ttl}; }
  void Committed(const CommitGroup& group);
  // One that has a change; null if there is none.
  std::shared_ptr<SpaceState> FindReadable(std::string_view space) const;
  // A space whose index is loaded and takes an embedding of so many numbers.
  absl::StatusOr<std::shared_ptr<SpaceState>> Searchable(const SpaceId& id, size_t dimension) const;
  [[nodiscard]] absl::Status Read(const RecallQuery& query, size_t bytes_max,
                                  Findings& findings) const;
  absl::StatusOr<RecallResult> ReadHits(const RecallQuery& query,
                                        std::vector<RankedMemory> ranked) const;

  EngineOptions options_;
  const std::unique_ptr<storage::Database> database_;
  LocalStore store_;
  // In this order: the queue's thread, gone first, uses the keeper.
  mutable Keeper keeper_;  // a recall may ask it to look after a space
  CommitQueue queue_;
  LogStore log_;
};

}  // namespace engram::memory
