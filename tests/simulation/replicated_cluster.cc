#include "simulation/replicated_cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "support/checker.h"

namespace engram::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kHealMax = seconds(60);
constexpr size_t kViolationsMax = 20;

std::vector<NodeId> Ids(size_t nodes) {
  std::vector<NodeId> ids;
  for (size_t i = 0; i < nodes; ++i) ids.emplace_back(std::string(1, static_cast<char>('a' + i)));
  return ids;
}

std::string ToText(const Version& version) {
  return fmt::format("({}, {}) {}", version.epoch.counter, version.epoch.primary.value(),
                     version.sequence);
}

}  // namespace

ReplicatedCluster::ReplicatedCluster(const ReplicatedOptions& options)
    : random_(options.seed),
      network_(scheduler_, options.nodes, options.links, options.seed),
      world_{scheduler_, network_, random_, Ids(options.nodes), options.disk_max, {}, {}, {}},
      clients_(*this) {
  // Nothing may hang on the turns in which holders try to take over.
  if (options.seed % 4 == 1) world_.replicas.failover.turn = {};
  // So often that faults meet it, a few tombstones at a time.
  world_.replicas.tombstones = {seconds(1), milliseconds(100), {3, 1u << 20}};
  world_.replicas.compare.piece = {5, 1u << 20};
  world_.on_step = [this](size_t i) { HoldEveryMoment(i); };
  world_.deliver = [this](size_t to, const NodeId& from,
                          const replication::ReplicaMessage& message) {
    nodes_[to]->Receive(from, message);
  };
  for (size_t i = 0; i < options.nodes; ++i) {
    const double apart = options.clock_rates_apart * (Share() - 0.5);
    const auto span = static_cast<size_t>(options.wall_offset_max_ms) * 2 + 1;
    const ReplicatedClock clock{1 + apart,
                                static_cast<int64_t>(Below(span)) - options.wall_offset_max_ms};
    nodes_.push_back(
        std::make_unique<ReplicatedNode>(world_, i, options.make_disk(random_()), clock));
    nodes_[i]->Start();
  }
}

bool ReplicatedCluster::Create() {
  nodes_[0]->Create();
  for (int second = 0; second < 60; ++second) {
    RunFor(seconds(1));
    if (AllEqual()) return true;
  }
  Blame("the space is not made");
  return false;
}

void ReplicatedCluster::LoseDisk(size_t i) {
  nodes_[i]->Crash();
  lost_.insert(i);
  clients_.history().lost_disks.push_back({0, world_.ids[i]});
}

bool ReplicatedCluster::IsCutOff(size_t i) const {
  size_t reached = 1;
  for (size_t j = 0; j < nodes_.size(); ++j) {
    if (j == i || !nodes_[j]->is_up() || nodes_[j]->is_stopped()) continue;
    if (!network_.IsCut(i, j) && !network_.IsCut(j, i)) ++reached;
  }
  return reached <= nodes_.size() / 2;
}

std::optional<size_t> ReplicatedCluster::Primary() const {
  if (offices_.empty()) return std::nullopt;
  return offices_.rbegin()->second;
}

void ReplicatedCluster::Blame(std::string what) {
  if (violations_.size() < kViolationsMax) violations_.push_back(std::move(what));
}

void ReplicatedCluster::HoldEveryMoment(size_t i) {
  ReplicatedNode& node = *nodes_[i];
  const replication::SpaceLog log = node.StoredLog();
  const uint64_t counter = log.holder.epoch().counter;
  if (log.holder.IsPrimary(node.id())) {
    const auto [office, is_new] = offices_.emplace(counter, i);
    if (office->second != i) {
      Blame(fmt::format("{} and {} are both primary by counter {}", NameOf(office->second),
                        NameOf(i), counter));
    }
    const bool settled = log.base == Version();
    if (settled && log.outbox_entries > 0)
      Blame(fmt::format("primary {} has an outbox", NameOf(i)));
  }
  if (node.HasLease() && !offices_.empty() && counter < offices_.rbegin()->first) {
    Blame(fmt::format("{} answers without the flag in {} while there is {}", NameOf(i), counter,
                      offices_.rbegin()->first));
  }
}

void ReplicatedCluster::Settle() {
  clients_.Stop();
  network_.Heal();
  network_.SetLinks({});
  const TimePoint end = scheduler_.now() + kHealMax;
  do {
    CalmDown();
    RunFor(seconds(1));
  } while (scheduler_.now() < end && !(AllEqual() && AllCollected()));
  HoldTheEnd();
}

// A disk that failed before may be heard of later.
void ReplicatedCluster::CalmDown() {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!has_disk(i)) continue;
    nodes_[i]->CalmDown();
    if (nodes_[i]->is_up() && nodes_[i]->machine().failed()) nodes_[i]->Crash();
    if (!nodes_[i]->is_up()) nodes_[i]->Start();
  }
}

bool ReplicatedCluster::AllEqual() {
  std::optional<size_t> first;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!has_disk(i)) continue;
    const replication::SpaceLog log = nodes_[i]->StoredLog();
    if (log.incomplete || log.outbox_entries > 0 || log.last() == Version()) return false;
    if (!first) {
      first = i;
    } else if (log.history != nodes_[*first]->StoredLog().history ||
               log.holder.epoch() != nodes_[*first]->StoredLog().holder.epoch()) {
      return false;
    }
  }
  return true;
}

// A holder that is gone for good confirms nothing any more.
bool ReplicatedCluster::AllCollected() const {
  return !lost_.empty() || std::all_of(nodes_.begin(), nodes_.end(), [](const auto& node) {
    return node->is_up() && node->store().CountTombstones() == 0;
  });
}

void ReplicatedCluster::HoldEqual(size_t first, size_t other) {
  const replication::SpaceLog a = nodes_[first]->StoredLog();
  const replication::SpaceLog b = nodes_[other]->StoredLog();
  const std::string names = NameOf(first) + " and " + NameOf(other);
  if (a.holder.epoch() != b.holder.epoch()) Blame(names + " follow different epochs");
  if (a.history != b.history) {
    Blame(fmt::format("{} have different logs: {}, {}", names, ToText(a.last()), ToText(b.last())));
  }
  if (a.logged != b.logged) Blame(names + " differ in the origins that they have logged");
  if (nodes_[first]->store().Digest() != nodes_[other]->store().Digest()) {
    Blame(names + " hold different content");
  }
}

void ReplicatedCluster::HoldTheEnd() {
  std::optional<size_t> first;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!has_disk(i)) continue;
    if (!first) first = i;
    HoldEqual(*first, i);
    if (nodes_[i]->StoredLog().incomplete) Blame(NameOf(i) + " has no complete copy");
    if (nodes_[i]->StoredLog().outbox_entries > 0) Blame(NameOf(i) + " still has an outbox");
    if (!lost_.empty()) continue;  // a link may have been on that disk only
    for (const std::string& link : clients_.MissingLinks(nodes_[i]->store())) {
      Blame(fmt::format("{} has lost the link {}", NameOf(i), link));
    }
  }
  if (!AllCollected()) Blame("tombstones are left");
  RecordCopies(clients_.history());
  const testing::Verdict verdict = testing::Judge(
      clients_.history(), {.listed_max = 5, .copies = nodes_.size(), .late = Duration()});
  if (!verdict.ok()) Blame(verdict.ToString());
}

void ReplicatedCluster::RecordCopies(testing::History& history) {
  const SpaceId space("space");
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!has_disk(i)) continue;
    history.copies.push_back({0, space, world_.ids[i]});
    for (const MemoryId& id : nodes_[i]->store().List()) {
      if (id.value()[0] == 'l') continue;  // not recorded
      history.held.push_back({0, space, world_.ids[i], id, nodes_[i]->store().Get(id)});
    }
  }
}

}  // namespace engram::simulation
