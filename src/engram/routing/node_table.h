// What this node knows of every node: the "view of the nodes" that decisions are made from (SPEC
// R2, R3, R9).
//
// Thread-safety: everything from any thread. Of() takes no lock and never waits; Intern() takes one
// when the node is new. A number is never given to another node while the process lives, and a
// node's state stays where it is as long as the table.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "engram/base/mutex.h"
#include "engram/base/string_hash.h"
#include "engram/base/strong_id.h"
#include "engram/base/version.h"
#include "engram/routing/circuit_breaker.h"
#include "engram/routing/latency_quantile.h"
#include "engram/routing/node_index.h"
#include "engram/routing/peak_ewma.h"
#include "engram/routing/retry_budget.h"
#include "engram/routing/route.h"

namespace engram::routing {

// What membership holds of a node.
enum class Liveness : uint8_t { kAlive, kSuspect, kDead, kLeft };

// How far a node is from this one; nearer is smaller (SPEC R3).
enum class Distance : uint8_t { kSelf, kSameRack, kSameZone, kElsewhere };

// Of every node alike.
struct NodeOptions {
  BreakerOptions breaker;
  RetryBudgetOptions budget;
  PeakEwmaOptions latency;
};

// One node, as this one sees it. Each part is thread-safe by itself.
struct NodeState {
  NodeState(NodeId node, const NodeOptions& options)
      : id(std::move(node)),
        reads(options.breaker),
        writes(options.breaker),
        budget(options.budget),
        latency(options.latency) {}

  // The node has asked not to be sent more before `until`.
  void PushBack(TimePoint until) {
    push_back_until.store(until.time_since_epoch().count(), std::memory_order_relaxed);
  }
  bool PushedBack(TimePoint now) const {
    return now.time_since_epoch().count() < push_back_until.load(std::memory_order_relaxed);
  }

  // It may not answer a question. Failures of writes say nothing about that.
  bool InDoubt() const {
    return reads.InDoubt() || liveness.load(std::memory_order_relaxed) != Liveness::kAlive;
  }

  const NodeId id;
  // Where to dial it, host:port; null: not known. As long-lived as the table.
  std::atomic<const std::string*> address{nullptr};
  std::atomic<Liveness> liveness{Liveness::kAlive};
  std::atomic<Distance> distance{Distance::kElsewhere};
  // Until when the node has asked to be left alone (SPEC R7), in nanoseconds of the steady clock.
  std::atomic<int64_t> push_back_until{0};
  // Judged apart (SPEC R9): a node whose disk is full still answers reads.
  CircuitBreaker reads;
  CircuitBreaker writes;

  // Written by every call, and so kept off the cache lines of the above, which every decision
  // reads.
  alignas(64) RetryBudget budget;
  PeakEwma latency;
  LatencyQuantile quantile;
};

class NodeTable {
 public:
  // More nodes than this in the life of a process abort it.
  static constexpr size_t kNodesMax = size_t{1} << 16;

  explicit NodeTable(const NodeOptions& options = {}) : options_(options) {}
  ~NodeTable();
  NodeTable(const NodeTable&) = delete;
  NodeTable& operator=(const NodeTable&) = delete;

  NodeIndex Intern(const NodeId& node);
  std::optional<NodeIndex> Find(std::string_view node) const;
  // REQUIRES: `node` came from this table.
  NodeState& Of(NodeIndex node) const;
  const NodeId& IdOf(NodeIndex node) const { return Of(node).id; }
  // Takes effect on the next request. Former addresses are kept: requests may still use them.
  void SetAddress(NodeIndex node, std::string_view address);
  size_t size() const { return size_.load(std::memory_order_acquire); }

  // `a` > `b` in the order of base/version.h.
  bool Newer(const RouteVersion& a, const RouteVersion& b) const;
  Version ToVersion(const RouteVersion& version) const;

 private:
  static constexpr size_t kChunk = 64;
  using Chunk = std::array<std::unique_ptr<NodeState>, kChunk>;

  const NodeOptions options_;
  std::atomic<size_t> size_{0};
  std::array<std::atomic<Chunk*>, kNodesMax / kChunk> chunks_{};
  mutable Mutex mutex_;
  StringMap<NodeIndex> by_id_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::string> addresses_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace engram::routing
