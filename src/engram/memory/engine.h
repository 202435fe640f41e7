// The memory engine of one node: stores, recalls, links and forgets memories of the spaces that the
// node holds, durably in one RocksDB database.
//
// Thread-safety: every public method may be called from any thread. Writes are asynchronous: they
// are validated in the caller, queued, and applied in queue order by one commit thread, many at a
// time in one synced write (group commit); `done` runs on that thread, after the batch is durable
// as EngineOptions::durability asks, and must not block. A request id that was used for another
// request is an InvalidArgument. A failed or invalid write stores nothing; one that
// the disk refused ends Undetermined, since the log may bring it back at the next start.
// A node that is not primary of the space answers a write with kWrongNode, or takes it into a
// branch of its own if the command says that it may. A write that is refused at once (invalid,
// queue full) has its `done` called by the caller's thread before the method returns. Once the disk
// has refused a write, every later one fails until the engine is opened anew; reads go on. Get()
// takes microseconds. Recall() is CPU-bound (up to milliseconds) and belongs on a worker.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "engram/memory/consolidation_plan.h"
#include "engram/memory/findings.h"
#include "engram/memory/tombstone_counts.h"
#include "engram/memory/types.h"
#include "engram/replication/log_port.h"
#include "engram/storage/database.h"

namespace engram::memory {

enum class Durability : uint8_t {
  kFsync,    // acknowledged when on disk: survives power loss
  kProcess,  // acknowledged when with the operating system: survives kill -9
};

struct EngineOptions {
  std::filesystem::path dir;
  std::string cluster_id;  // persisted at first open; another one later is refused
  NodeId node_id;          // likewise
  Durability durability = Durability::kFsync;
  size_t exact_vectors_max = 5'000;  // more in one space are searched through an HNSW graph
  Duration request_id_ttl = std::chrono::hours(1);  // how long a repeated request is recognised
  uint64_t log_entries_max = 10'000;  // kept per space; more while no majority has them
  // A write is refused whose clock would be further ahead of the wall clock (SPEC C9).
  Duration clock_ahead_max = std::chrono::seconds(60);
  size_t queue_max = 10'000;             // writes waiting; more are refused with Overloaded
  size_t queue_bytes_max = 64u << 20;    // likewise, about what they hold in memory
  size_t reply_cache_bytes = 32u << 20;  // encoded memories that are kept for GetEncoded
  // What GetEncoded answers with; required if that is called. Called from any thread.
  absl::AnyInvocable<std::string(Memory) const> encode;
  // Wall clock; a port so that tests decide the time. Required; called from any thread.
  absl::AnyInvocable<WallMillis() const> wall_clock;
  // Told which spaces have changed, after each group that was committed and before its `done`s, on
  // the commit thread. Must not block. May be null.
  absl::AnyInvocable<void(std::span<const SpaceId>)> on_committed;
  // Told once, before the `done`s of those whose write it was, that the disk has refused a write:
  // no more are taken until the directory is opened anew. On the commit thread; must not block. May
  // be null.
  absl::AnyInvocable<void()> on_failed;
};

struct FindOptions {
  const TextStatistics* statistics = nullptr;  // null: those of the spaces given
  size_t bytes_max = 1u << 20;                 // of the memories that are read with the search
};

class Engine {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<WriteResult>)>;

  // Opens or creates the database. Errors name the directory and what to do: in use by another
  // process, of another cluster or node, corrupt.
  static absl::StatusOr<std::unique_ptr<Engine>> Open(EngineOptions options);
  // Writes queued before are finished first.
  virtual ~Engine() = default;

  virtual void Store(StoreCommand command, Done done) = 0;
  virtual void Forget(ForgetCommand command, Done done) = 0;
  virtual void Link(LinkCommand command, Done done) = 0;

  // NoAssignment if the space is not held here, NotFound if the memory does not exist or was
  // forgotten.
  virtual absl::StatusOr<Memory> Get(const SpaceId& space, const MemoryId& id) const = 0;
  // The same as EngineOptions::encode makes it; of a memory that was asked for lately, as kept.
  virtual absl::StatusOr<std::shared_ptr<const std::string>> GetEncoded(
      const SpaceId& space, const MemoryId& id) const = 0;
  virtual absl::StatusOr<RecallResult> Recall(const RecallQuery& query) const = 0;

  // --- this node's part in a recall over several spaces (merge.h); query.space is not read. CPU-
  // bound like Recall(). Each space is there once; one that is not held here, or takes no such
  // embedding, says so by its own status.

  // What the text of the query is weighed by, in the order of `spaces`.
  virtual std::vector<absl::StatusOr<TextStatistics>> Survey(std::span<const SpaceId> spaces,
                                                             const RecallQuery& query) const = 0;
  virtual absl::StatusOr<Findings> Find(std::span<const SpaceId> spaces, const RecallQuery& query,
                                        const FindOptions& options) const = 0;
  // One that Find() found and did not read; nullopt if it is not what the query asks for any more.
  virtual absl::StatusOr<std::optional<Memory>> ReadFound(const SpaceId& space, const MemoryId& id,
                                                          const RecallQuery& query) const = 0;

  // CPU-bound, for seconds where a space is large. InvalidArgument if a similarity is out of its
  // range; NoAssignment if the space is not held here. See consolidation_plan.h.
  virtual absl::StatusOr<ConsolidationPlan> PlanConsolidation(
      const ConsolidationQuery& query) const = 0;

  virtual std::optional<SpaceSummary> FindSpace(std::string_view space) const = 0;
  // By name.
  virtual std::vector<SpaceSummary> ListSpaces() const = 0;

  // Equal for equal copies, once they have the same log and nothing waits in an outbox. Reads the
  // whole space: for a worker. NoAssignment if the space is not held here.
  virtual absl::StatusOr<SpaceDigest> Digest(const SpaceId& space) const = 0;

  virtual TombstoneCounts Tombstones() const = 0;

  // The logs of the spaces, for replication; its commands are queued with the writes.
  virtual replication::LogPort& log() = 0;

  // For what else a node keeps; of the family kCluster, all keys but those of keys.h.
  virtual storage::Database& database() = 0;

  // Nothing is being built in the background: every graph covers its vectors. For tests and
  // benches.
  virtual bool BackgroundIdle() const { return true; }
};

}  // namespace engram::memory
