// A node's view of who holds what: space -> route, and the reverse, node -> spaces (SPEC R1).
//
// How it works: an array of 64-bit slots (32 bits of the name's hash, 32 bits that say where the
// record is) searched by linear probing, and immutable records. A change writes a new record and
// swaps one slot, which is what makes a look-up atomic per space; the array is replaced when it is
// three quarters full. Old records and arrays are used again once no reader can be in them
// (base/read_section.h). Spaces are never taken out.
//
// Thread-safety: everything from any thread. Find() takes no lock, waits for nobody and writes
// nothing that threads share; it keeps nothing between calls, so a thread may read any number of
// tables in turn, and one that never reads again holds nothing up. Writers take turns.
//
// Memory: of the replaced records at most kReclaimBatch and those of one diff wait for the next
// change to free them; more only while a reader stands still in the middle of a Find().
//
// Merge rule: of two assignments of one space the larger version wins, whatever the source; so
// nothing ever goes backwards.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "absl/base/optimization.h"
#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "engram/base/mutex.h"
#include "engram/base/version_digest.h"
#include "engram/placement/assignment.h"
#include "engram/routing/node_table.h"
#include "engram/routing/route.h"
#include "engram/routing/route_arena.h"
#include "engram/routing/route_record.h"

namespace engram::routing {

class RoutingTable {
 public:
  static constexpr size_t kReclaimBatch = 256;

  // `nodes` gives numbers to the nodes of assignments that are taken over; it must outlive the
  // table.
  explicit RoutingTable(NodeTable& nodes);
  ~RoutingTable();
  RoutingTable(const RoutingTable&) = delete;
  RoutingTable& operator=(const RoutingTable&) = delete;

  // Nothing if the space is not known.
  std::optional<Route> Find(std::string_view space) const;
  // The same by names, for the control plane and for what travels.
  std::optional<placement::Assignment> FindAssignment(std::string_view space) const;

  // Takes over each assignment that is newer than the one known; returns how many were. Readers see
  // the changes one by one, each of them whole. Refuses, and counts, what no node can have sent in
  // good faith: more than Route::kReplicasMax replicas, a name of more than 255 bytes.
  size_t Apply(std::span<const placement::Assignment> diff) { return ApplyNewer(diff).size(); }
  // The same; says which were newer, by their places in `diff`.
  std::vector<size_t> ApplyNewer(std::span<const placement::Assignment> diff);

  // Grows by one with every change, before readers can see the change. What was read of several
  // spaces between two equal versions was all true at one moment.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }

  size_t size() const { return size_.load(std::memory_order_relaxed); }
  // Assignments that Apply() refused.
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

  // Spaces that the node is primary or replica of, by name. Its time depends on their number alone.
  std::vector<SpaceId> SpacesOf(const NodeId& node) const;

  // Every assignment, by space name.
  std::vector<placement::Assignment> All() const;

  // From now on a digest of all spaces' versions is kept, to compare this table with another
  // node's; 8 KB, and two hashes for each change.
  void KeepDigest();
  // Of one moment: a copy, for which writers wait well below a microsecond. REQUIRES:
  // KeepDigest().
  VersionDigest Digest() const;

  // The version of every space in one of `buckets`, in no order; what changes meanwhile is seen as
  // it was or as it is. One pass over the slots, however many the buckets; other spaces' records
  // are not touched. `buckets` is read anew for each space: what `visit` takes out of it is not
  // visited any further. Holds no lock; frees no replaced record meanwhile. `visit` must not use a
  // table (sections do not nest).
  void VisitVersions(
      const VersionDigest::Buckets& buckets,
      absl::FunctionRef<void(std::string_view space, const RouteVersion&)> visit) const;

  // Resident memory of the table, reverse index included; an estimate, for the metric.
  size_t bytes() const;

  // Installs exactly these, whatever was known, older versions too. For tests only: it breaks the
  // merge rule.
  void ReplaceForTest(std::span<const placement::Assignment> assignments);

 private:
  using Ref = RouteArena::Ref;
  using Slot = uint64_t;  // hash << 32 | ref; 0 = empty
  static constexpr size_t kSlotsMin = 16;

  struct Index {
    explicit Index(size_t capacity)
        : mask(capacity - 1), slots(std::make_unique<std::atomic<Slot>[]>(capacity)) {}
    size_t capacity() const { return mask + 1; }

    const size_t mask;
    const std::unique_ptr<std::atomic<Slot>[]> slots;
  };

  struct Place {
    std::atomic<Slot>* at;
    Slot slot;
  };

  // What readers may still be in.
  struct Retired {
    uint64_t stamp = 0;  // of base/read_section.h
    std::vector<Ref> records;
    std::vector<std::unique_ptr<const Index>> indexes;
  };

  static uint32_t HashOf(std::string_view space);
  static Slot SlotFor(uint32_t hash, Ref ref) { return Slot{hash} << 32 | ref; }
  static Ref RefOf(Slot slot) { return static_cast<Ref>(slot); }
  static uint32_t HashIn(Slot slot) { return static_cast<uint32_t>(slot >> 32); }

  const RouteRecord& RecordAt(Ref ref) const {
    return *reinterpret_cast<const RouteRecord*>(arena_.At(ref));
  }
  // Where the space is in `index`, or the empty place that it would take. REQUIRES: within a
  // ReadSection, or the writer.
  Place Probe(const Index& index, uint32_t hash, std::string_view space) const;
  placement::Assignment ToAssignment(const RouteRecord& record) const;

  bool ApplyOne(const placement::Assignment& assignment) ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_);
  bool Acceptable(const placement::Assignment& assignment) ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_);
  bool IsNewer(const Version& version, const RouteVersion& known) const;
  void ToggleInDigest(Ref ref) ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_);
  std::string_view NameOf(NodeIndex node) const;  // empty for none
  Route Intern(const placement::Assignment& assignment);
  Ref NewRecord(const placement::Assignment& assignment) ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_);
  // Puts a record in place of the one there, if any.
  void Put(const Place& place, uint32_t hash, Ref record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_);
  void AddToHolders(Ref ref) ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_);
  void RemoveFromHolders(Ref ref) ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_);
  void GrowIfFull() ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_);
  // Frees what readers have left, if it is worth the trouble.
  void Reclaim() ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_);
  void Free(const Retired& retired) ABSL_EXCLUSIVE_LOCKS_REQUIRED(writer_);

  // What readers read: nothing in here changes often.
  NodeTable& nodes_;
  std::atomic<const Index*> index_;
  RouteArena arena_;

  alignas(ABSL_CACHELINE_SIZE) std::atomic<uint64_t> version_{0};
  std::atomic<size_t> size_{0};
  std::atomic<uint64_t> refused_{0};

  mutable Mutex writer_;
  std::unique_ptr<const Index> owned_index_ ABSL_GUARDED_BY(writer_);
  absl::flat_hash_map<NodeIndex, absl::flat_hash_set<Ref>> held_by_ ABSL_GUARDED_BY(writer_);
  std::unique_ptr<VersionDigest> digest_ ABSL_GUARDED_BY(writer_);  // if it is kept
  Retired retired_ ABSL_GUARDED_BY(writer_);                        // since the last stamp
  std::deque<Retired> limbo_ ABSL_GUARDED_BY(writer_);              // in the order of their stamps
};

}  // namespace engram::routing
