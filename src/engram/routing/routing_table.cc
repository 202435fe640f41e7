#include "engram/routing/routing_table.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "absl/base/macros.h"
#include "engram/base/planted.h"
#include "engram/base/read_section.h"
#include "engram/base/string_hash.h"

namespace engram::routing {

using placement::Assignment;

namespace {

template <class F>
void ForEachHolder(const Route& route, F f) {
  if (route.primary != kNoNode) f(route.primary);  // none: it is being replaced
  for (NodeIndex replica : route.replicas()) f(replica);
}

}  // namespace

RoutingTable::RoutingTable(NodeTable& nodes)
    : nodes_(nodes), owned_index_(std::make_unique<const Index>(kSlotsMin)) {
  index_.store(owned_index_.get(), std::memory_order_seq_cst);
}

RoutingTable::~RoutingTable() = default;

// --- Readers ---

uint32_t RoutingTable::HashOf(std::string_view space) {
  return static_cast<uint32_t>(StringHash{}(space));
}

RoutingTable::Place RoutingTable::Probe(const Index& index, uint32_t hash,
                                        std::string_view space) const {
  for (size_t i = hash & index.mask;; i = (i + 1) & index.mask) {
    std::atomic<Slot>& at = index.slots[i];
    const Slot slot = at.load(std::memory_order_seq_cst);
    if (slot == 0) return {&at, slot};
    if (HashIn(slot) == hash && RecordAt(RefOf(slot)).space() == space) return {&at, slot};
  }
}

std::optional<Route> RoutingTable::Find(std::string_view space) const {
  const uint32_t hash = HashOf(space);
  ReadSection section;
  const Place place = Probe(*index_.load(std::memory_order_seq_cst), hash, space);
  std::optional<Route> route;
  if (place.slot != 0) RecordAt(RefOf(place.slot)).CopyTo(route.emplace());
  return route;
}

std::optional<Assignment> RoutingTable::FindAssignment(std::string_view space) const {
  ReadSection section;
  const Place place = Probe(*index_.load(std::memory_order_seq_cst), HashOf(space), space);
  if (place.slot == 0) return std::nullopt;
  return ToAssignment(RecordAt(RefOf(place.slot)));
}

Assignment RoutingTable::ToAssignment(const RouteRecord& record) const {
  const Route route = record.route();
  Assignment named{SpaceId(record.space()), {}, {}, nodes_.ToVersion(route.version)};
  if (route.primary != kNoNode) named.primary = nodes_.IdOf(route.primary);
  for (NodeIndex replica : route.replicas()) named.replicas.push_back(nodes_.IdOf(replica));
  return named;
}

std::vector<SpaceId> RoutingTable::SpacesOf(const NodeId& node) const {
  const std::optional<NodeIndex> number = nodes_.Find(node.view());
  if (!number.has_value()) return {};
  std::vector<SpaceId> spaces;
  {
    ReadSection section;  // keeps the records while the names are copied, without the lock
    std::vector<Ref> held;
    {
      WriterLock lock(&writer_);
      auto found = held_by_.find(*number);
      if (found != held_by_.end()) held.assign(found->second.begin(), found->second.end());
    }
    spaces.reserve(held.size());
    for (Ref ref : held) spaces.emplace_back(RecordAt(ref).space());
  }
  std::sort(spaces.begin(), spaces.end());
  return spaces;
}

std::vector<Assignment> RoutingTable::All() const {
  std::vector<Assignment> all;
  {
    ReadSection section;
    const Index& index = *index_.load(std::memory_order_seq_cst);
    for (size_t i = 0; i < index.capacity(); ++i) {
      const Slot slot = index.slots[i].load(std::memory_order_seq_cst);
      if (slot != 0) all.push_back(ToAssignment(RecordAt(RefOf(slot))));
    }
  }
  std::sort(all.begin(), all.end(),
            [](const Assignment& a, const Assignment& b) { return a.space < b.space; });
  return all;
}

void RoutingTable::VisitVersions(
    const VersionDigest::Buckets& buckets,
    absl::FunctionRef<void(std::string_view space, const RouteVersion&)> visit) const {
  ReadSection section;
  const Index& index = *index_.load(std::memory_order_seq_cst);
  for (size_t i = 0; i < index.capacity(); ++i) {
    const Slot slot = index.slots[i].load(std::memory_order_seq_cst);
    // The bucket first: whether a slot is empty nobody can foresee, and a branch on it costs more
    // than the rest.
    if (!buckets[VersionDigest::BucketOfHash(HashIn(slot))] || slot == 0) continue;
    const RouteRecord& record = RecordAt(RefOf(slot));
    visit(record.space(), record.version());
  }
}

VersionDigest RoutingTable::Digest() const {
  WriterLock lock(&writer_);
  ABSL_HARDENING_ASSERT(digest_ != nullptr);
  return *digest_;
}

std::string_view RoutingTable::NameOf(NodeIndex node) const {
  return node == kNoNode ? std::string_view() : nodes_.IdOf(node).view();
}

size_t RoutingTable::bytes() const {
  WriterLock lock(&writer_);
  size_t total = sizeof(*this) + (digest_ == nullptr ? 0 : sizeof(*digest_)) + arena_.bytes() +
                 owned_index_->capacity() * sizeof(Slot);
  for (const auto& [node, spaces] : held_by_) {
    total += sizeof(node) + sizeof(spaces) + spaces.capacity() * (sizeof(Ref) + 1);
  }
  for (const Retired& retired : limbo_) {
    total += retired.records.capacity() * sizeof(Ref);
    for (const auto& index : retired.indexes) total += index->capacity() * sizeof(Slot);
  }
  return total;
}

// --- The writer ---

std::vector<size_t> RoutingTable::ApplyNewer(std::span<const Assignment> diff) {
  WriterLock lock(&writer_);
  std::vector<size_t> newer;
  for (size_t i = 0; i < diff.size(); ++i) {
    if (ApplyOne(diff[i])) newer.push_back(i);
  }
  Reclaim();
  return newer;
}

void RoutingTable::KeepDigest() {
  WriterLock lock(&writer_);
  if (digest_ != nullptr) return;
  digest_ = std::make_unique<VersionDigest>();
  for (size_t i = 0; i < owned_index_->capacity(); ++i) {
    const Slot slot = owned_index_->slots[i].load(std::memory_order_relaxed);
    if (slot != 0) ToggleInDigest(RefOf(slot));
  }
}

void RoutingTable::ToggleInDigest(Ref ref) {
  const RouteRecord& record = RecordAt(ref);
  const RouteVersion version = record.version();
  digest_->Toggle(record.space(),
                  {version.epoch_counter, NameOf(version.epoch_primary), version.sequence});
}

bool RoutingTable::ApplyOne(const Assignment& assignment) {
  if (!Acceptable(assignment)) return false;
  const std::string_view space = assignment.space.view();
  const uint32_t hash = HashOf(space);
  GrowIfFull();
  const Place place = Probe(*owned_index_, hash, space);
  if (place.slot != 0 && !IsNewer(assignment.version, RecordAt(RefOf(place.slot)).version())) {
    return false;
  }
  Put(place, hash, NewRecord(assignment));
  return true;
}

bool RoutingTable::Acceptable(const Assignment& assignment) {
  if (assignment.replicas.size() <= Route::kReplicasMax &&
      assignment.space.view().size() <= RouteRecord::kNameMax) {
    return true;
  }
  refused_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

// By the ids, so that nodes of assignments that lose get no number.
bool RoutingTable::IsNewer(const Version& version, const RouteVersion& known) const {
  if (IsPlanted(Bug::kOlderAssignmentAccepted)) return true;
  if (version.epoch.counter != known.epoch_counter) {
    return version.epoch.counter > known.epoch_counter;
  }
  return version > nodes_.ToVersion(known);
}

Route RoutingTable::Intern(const Assignment& assignment) {
  const Version& version = assignment.version;
  Route route;
  route.version = {version.epoch.counter, version.sequence, kNoNode};
  if (!version.epoch.primary.empty()) {
    route.version.epoch_primary = nodes_.Intern(version.epoch.primary);
  }
  if (!assignment.primary.empty()) route.primary = nodes_.Intern(assignment.primary);
  for (const NodeId& replica : assignment.replicas) {
    route.replica[route.replica_count++] = nodes_.Intern(replica);
  }
  return route;
}

RoutingTable::Ref RoutingTable::NewRecord(const Assignment& assignment) {
  const Route route = Intern(assignment);
  const std::string_view space = assignment.space.view();
  const Ref ref = arena_.Allocate(RouteRecord::BytesFor(route, space));
  RouteRecord::Write(arena_.At(ref), route, space);
  return ref;
}

void RoutingTable::Put(const Place& place, uint32_t hash, Ref record) {
  version_.fetch_add(1, std::memory_order_release);
  place.at->store(SlotFor(hash, record), std::memory_order_seq_cst);
  AddToHolders(record);
  if (digest_ != nullptr) {
    ToggleInDigest(record);
    if (place.slot != 0) ToggleInDigest(RefOf(place.slot));
  }
  if (place.slot == 0) {
    size_.fetch_add(1, std::memory_order_relaxed);
  } else {
    RemoveFromHolders(RefOf(place.slot));
    retired_.records.push_back(RefOf(place.slot));
  }
}

void RoutingTable::AddToHolders(Ref ref) {
  ForEachHolder(RecordAt(ref).route(),
                [&](NodeIndex node) ABSL_NO_THREAD_SAFETY_ANALYSIS { held_by_[node].insert(ref); });
}

void RoutingTable::RemoveFromHolders(Ref ref) {
  ForEachHolder(RecordAt(ref).route(), [&](NodeIndex node) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    auto found = held_by_.find(node);
    if (found == held_by_.end()) return;  // named twice by the assignment
    absl::flat_hash_set<Ref>& spaces = found->second;
    spaces.erase(ref);
    if (spaces.empty()) {
      held_by_.erase(found);
    } else if (spaces.size() * 8 < spaces.capacity()) {
      spaces.rehash(0);  // a drained node's set is walked, and kept, in its present size
    }
  });
}

// The slots hold their hashes: no record is read, and the order nearly stays.
void RoutingTable::GrowIfFull() {
  const Index& old = *owned_index_;
  if ((size() + 1) * 4 <= old.capacity() * 3) return;
  auto grown = std::make_unique<const Index>(old.capacity() * 2);
  for (size_t i = 0; i < old.capacity(); ++i) {
    const Slot slot = old.slots[i].load(std::memory_order_relaxed);
    if (slot == 0) continue;
    size_t to = HashIn(slot) & grown->mask;
    while (grown->slots[to].load(std::memory_order_relaxed) != 0) to = (to + 1) & grown->mask;
    grown->slots[to].store(slot, std::memory_order_relaxed);
  }
  index_.store(grown.get(), std::memory_order_seq_cst);
  retired_.indexes.push_back(std::exchange(owned_index_, std::move(grown)));
}

void RoutingTable::Reclaim() {
  if (retired_.records.size() >= kReclaimBatch || !retired_.indexes.empty()) {
    retired_.stamp = RetireStamp();
    limbo_.push_back(std::exchange(retired_, {}));
  }
  if (limbo_.empty()) return;
  const uint64_t oldest = OldestReader();
  while (!limbo_.empty() && limbo_.front().stamp < oldest) {
    Free(limbo_.front());
    limbo_.pop_front();
  }
}

void RoutingTable::Free(const Retired& retired) {
  for (Ref ref : retired.records) arena_.Free(ref, RecordAt(ref).bytes());
}

// Filled before readers see it, and made so large that it does not grow meanwhile.
void RoutingTable::ReplaceForTest(std::span<const Assignment> assignments) {
  WriterLock lock(&writer_);
  const Index& old = *owned_index_;
  for (size_t i = 0; i < old.capacity(); ++i) {
    const Slot slot = old.slots[i].load(std::memory_order_relaxed);
    if (slot != 0) retired_.records.push_back(RefOf(slot));
  }
  held_by_.clear();
  if (digest_ != nullptr) *digest_ = {};
  size_.store(0, std::memory_order_relaxed);
  version_.fetch_add(1, std::memory_order_release);
  const size_t slots = std::max(kSlotsMin, std::bit_ceil(assignments.size() * 2));
  retired_.indexes.push_back(std::exchange(owned_index_, std::make_unique<const Index>(slots)));
  for (const Assignment& assignment : assignments) ApplyOne(assignment);
  index_.store(owned_index_.get(), std::memory_order_seq_cst);
  Reclaim();
}

}  // namespace engram::routing
