#include "engram/cluster/replicator.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "engram/base/error.h"
#include "engram/cluster/boot_clock.h"

namespace engram::cluster {

using replication::Replica;
using replication::SpaceLog;

namespace {

// So that nothing which a machine cannot do now is tried without a pause.
constexpr Duration kPaceMin = std::chrono::milliseconds(1);

constexpr Duration kLagsPeriod = std::chrono::milliseconds(500);

absl::Status NotPrimary(const SpaceId& space, const NodeId& self) {
  return MakeError(
      {ErrorCode::kWrongNode, "", space.value(), self.value(), {}},
      fmt::format("node {} is not primary of space '{}'", self.value(), space.value()));
}

absl::Status NotHeldYet(const SpaceId& space, const NodeId& self, std::string_view why) {
  return MakeError({ErrorCode::kUndetermined, "", space.value(), self.value(), {}},
                   fmt::format("the write is durable at node {}, but not at as many holders of "
                               "space '{}' as was asked for: {}",
                               self.value(), space.value(), why));
}

absl::Status NoMajority(const SpaceId& space, const NodeId& self) {
  return MakeError(
      {ErrorCode::kNoLocalData, "", space.value(), self.value(), {}},
      fmt::format("no majority of those who are to hold space '{}' has answered", space.value()));
}

placement::Assignment LoggedAssignment(const SpaceId& space, const SpaceLog& log) {
  placement::Assignment assignment{space, log.assignment.epoch.primary, {}, log.assignment};
  for (const NodeId& holder : log.holders) {
    if (holder != assignment.primary) assignment.replicas.push_back(holder);
  }
  return assignment;
}

}  // namespace

Replicator::Replicator(NodeId self, const replication::ReplicaOptions& options,
                       ReplicatorPorts ports, uint64_t seed)
    : self_(std::move(self)),
      options_(options),
      ports_(std::move(ports)),
      random_(seed),
      timer_(ports_.loop) {}

void Replicator::Load() {
  for (const SpaceId& id : ports_.log.ListLogs()) Publish(Make(id, {}));
  // Nobody may have anything to say to a node whose cluster was down.
  ports_.loop.Post([this] {
    for (auto& [name, space] : spaces_) Arm(*space);
  });
}

Replicator::Space* Replicator::Find(const SpaceId& space) {
  const auto found = spaces_.find(space.view());
  return found == spaces_.end() ? nullptr : found->second.get();
}

Replicator::Space& Replicator::Make(const SpaceId& id, const std::vector<NodeId>& proposed,
                                    bool is_new) {
  SpaceLog log = ports_.log.FindLog(id).value_or(SpaceLog());
  if (log.holders.empty()) log.incomplete = log.forgetful = !is_new;
  auto space = std::make_unique<Space>(
      Replica(id, self_, log, proposed, options_, ports_.log, random_, BootNow()));
  // Of a space without other holders from the first moment: it has been answered for already.
  space->view = &ports_.views.Make(id, space->replica.LeaseUntil());
  Space& made = *space;
  spaces_.emplace(id.value(), std::move(space));
  return made;
}

Replicator::Space* Replicator::FindOrMakeFor(const SpaceId& id,
                                             const replication::ReplicaMessage& message) {
  if (Space* space = Find(id)) return space;
  if (ports_.log.FindLog(id).has_value()) return &Make(id, {});
  const auto [holders, is_new] = replication::ProposedBy(message);
  if (std::find(holders.begin(), holders.end(), self_) == holders.end()) return nullptr;
  if (!is_new) spdlog::info("space {}: nothing of it is here, takes a copy", id.value());
  return &Make(id, holders, is_new);
}

void Replicator::OnMessage(const NodeId& from, const SpaceId& id,
                           const replication::ReplicaMessage& message) {
  Space* space = FindOrMakeFor(id, message);
  if (space == nullptr) return;
  space->replica.Step(from, message, BootNow());
  Settle(*space);
}

void Replicator::OnPortRefused(const NodeId& node) {
  for (auto& [name, space] : spaces_) {
    if (space->replica.log().holder.epoch().primary != node) continue;
    space->replica.OnPortRefused(node);
    Settle(*space);
  }
}

void Replicator::OnCommitted(std::span<const SpaceId> spaces) {
  bool first = false;
  {
    WriterLock lock(&mutex_);
    first = committed_.empty();
    committed_.insert(committed_.end(), spaces.begin(), spaces.end());
  }
  if (!first) return;
  ports_.loop.Post([this] {
    std::vector<SpaceId> committed;
    {
      WriterLock lock(&mutex_);
      committed.swap(committed_);
    }
    std::sort(committed.begin(), committed.end());
    committed.erase(std::unique(committed.begin(), committed.end()), committed.end());
    for (const SpaceId& id : committed) {
      Space* space = Find(id);
      if (space == nullptr) space = &Make(id, {});  // the store has made it
      space->replica.OnCommitted(BootNow());
      Settle(*space);
    }
  });
}

void Replicator::OnStoreFailed() {
  ports_.loop.Post([this] {
    for (auto& [name, space] : spaces_) {
      space->replica.OnStoreFailed();
      Settle(*space);
    }
  });
}

// --- carrying out

void Replicator::Settle(Space& space) {
  for (;;) {
    std::vector<Replica::Output> outputs = space.replica.TakeOutput();
    if (outputs.empty()) break;
    for (Replica::Output& output : outputs) {
      std::visit([&](auto& o) { Do(space, o); }, output);
    }
  }
  Publish(space);
  Trim(space);
  CountPieces(space);
  CountMended(space);
  Answer(space, net::EventLoop::Now());
  Arm(space);
}

void Replicator::Do(Space& space, Replica::Send& send) {
  ports_.send(send.to, space.replica.space(), std::move(send.message));
}

void Replicator::Do(Space& space, Replica::Run& run) {
  const SpaceId& id = space.replica.space();
  auto done = [this, id, command = run.id](const absl::StatusOr<SpaceLog>& result) {
    ports_.loop.Post([this, id, command, status = result.status()] {
      Space& there = *Find(id);
      there.replica.OnDone(command, status, BootNow());
      Settle(there);
    });
  };
  space.replica.GiveTo(ports_.log, std::move(run.command), std::move(done));
}

// --- publishing

// What this node is of the space as far as it is bound now, which may be ahead of what stands in
// its log: a primary that has promised the office away, or whose disk has failed, is a holder among
// others.
placement::Assignment Replicator::RoleOf(const Space& space) const {
  const SpaceLog& log = space.replica.log();
  placement::Assignment logged = LoggedAssignment(space.replica.space(), log);
  const Epoch& epoch = log.holder.epoch();
  if (logged.primary == self_ ? space.replica.IsPrimary() : epoch == log.assignment.epoch) {
    return logged;
  }
  const bool vacant = epoch.primary == self_;
  placement::Assignment role{logged.space, vacant ? NodeId() : epoch.primary, {}, {epoch, 0}};
  // Newer than what is logged, and older than what a next primary logs.
  if (vacant) {
    role.version = space.replica.failed() ? Version{epoch, log.last().sequence + 1}
                                          : Version{{log.holder.promised(), NodeId()}, 0};
  }
  for (const NodeId& holder : log.holders) {
    if (holder != role.primary) role.replicas.push_back(holder);
  }
  return role;
}

void Replicator::Publish(Space& space) {
  const Replica& replica = space.replica;
  space.view->lease_until.store(replica.LeaseUntil(), std::memory_order_relaxed);
  space.view->caught_up_at.store(replica.caught_up_at(), std::memory_order_relaxed);
  const SpaceLog& log = replica.log();
  if (log.assignment == Version()) return;  // nothing that anybody could be told of yet
  // Nor if it may only become a copy. One that was a copy before goes on to answer, with the flag.
  if (log.incomplete && space.role.version == Version()) return;
  const bool same = space.published == log.assignment && space.bound == log.holder;
  if (same && replica.IsPrimary() == (space.role.primary == self_)) return;
  space.bound = log.holder;
  ReplicatorPorts::Held held{RoleOf(space), std::nullopt};
  if (space.published != log.assignment) held.logged = LoggedAssignment(replica.space(), log);
  if (held.role == space.role && !held.logged) return;
  if (held.role.primary != space.role.primary && space.role.version != Version()) {
    spdlog::info("space {}: primary={} epoch={} role={} position={}", replica.space().value(),
                 held.role.primary.value(), log.holder.epoch().counter,
                 replica.IsPrimary() ? "primary" : "replica", log.last().sequence);
  }
  space.published = log.assignment;
  space.role = held.role;
  ports_.publish(held);
}

void Replicator::Trim(Space& space) {
  const Version may_trim = space.replica.MayTrim();
  if (may_trim == space.may_trim) return;
  space.may_trim = may_trim;
  ports_.log.MayTrim(space.replica.space(), may_trim);
}

void Replicator::CountPieces(Space& space) {
  const Replica& replica = space.replica;
  if (replica.pieces_compared() == space.pieces_compared) return;
  ports_.counters.pieces_compared.Add(replica.pieces_compared() - space.pieces_compared);
  space.pieces_compared = replica.pieces_compared();
}

void Replicator::CountMended(Space& space) {
  const Replica& replica = space.replica;
  if (replica.pieces_mended() == space.pieces_mended) return;
  ports_.counters.pieces_mended.Add(replica.pieces_mended() - space.pieces_mended);
  space.pieces_mended = replica.pieces_mended();
  spdlog::warn("event=copy_mended space={}: a piece differed from the primary's of the same log",
               replica.space().value());
}

// --- waiting

void Replicator::Create(const SpaceId& id, std::vector<NodeId> holders, TimePoint deadline,
                        Done done) {
  ports_.loop.Post(
      [this, id, holders = std::move(holders), deadline, done = std::move(done)]() mutable {
        Space* space = Find(id);
        if (space == nullptr) {
          space = &Make(id, holders, true);
          if (space->replica.log().holder.promised() == 0) space->replica.Create(BootNow());
        }
        Waiting waiting{Waiting::For::kOffice,
                        {},
                        space->replica.log().holder.epoch().counter,
                        deadline,
                        std::move(done)};
        space->waiting.push_back(std::move(waiting));
        Settle(*space);
      });
}

void Replicator::WaitFor(const SpaceId& id, const Version& origin, routing::Ack ack,
                         TimePoint deadline, Done done) {
  const auto what = ack == routing::Ack::kAll ? Waiting::For::kAll : Waiting::For::kMajority;
  ports_.loop.Post([this, id, what, origin, deadline, done = std::move(done)]() mutable {
    Space* space = Find(id);
    if (space == nullptr) return done(NotHeldYet(id, self_, "the node holds it no more"));
    const uint64_t counter = space->replica.log().holder.epoch().counter;
    space->waiting.push_back({what, origin, counter, deadline, std::move(done)});
    Settle(*space);
  });
}

void Replicator::HandOver(const SpaceId& id, const NodeId& to, TimePoint deadline, Done done) {
  ports_.loop.Post([this, id, to, deadline, done = std::move(done)]() mutable {
    Space* space = Find(id);
    if (space == nullptr || !space->replica.IsPrimary()) return done(NotPrimary(id, self_));
    const auto& followers = space->replica.followers();
    const auto follower = followers.find(to);
    if (follower == followers.end()) {
      return done(InvalidArgument(
          "primary", fmt::format("node {} does not hold space '{}'", to.value(), id.value())));
    }
    if (!follower->second.in_step() || !follower->second.complete()) {
      return done(MakeError(
          {ErrorCode::kOverloaded, "", id.value(), to.value(), std::chrono::seconds(1)},
          fmt::format("node {} does not follow space '{}' at the moment", to.value(), id.value())));
    }
    const uint64_t counter = space->replica.log().holder.epoch().counter;
    space->replica.HandOverTo(to, BootNow());
    space->waiting.push_back({Waiting::For::kNewEpoch, {}, counter, deadline, std::move(done)});
    Settle(*space);
  });
}

void Replicator::HandOverAll(TimePoint deadline, absl::AnyInvocable<void()> done) {
  ports_.loop.Post([this, deadline, done = std::move(done)]() mutable {
    auto left = std::make_shared<absl::AnyInvocable<void()>>(std::move(done));
    // Called when the last of the copies of `left` is gone.
    auto all = std::shared_ptr<void>(nullptr, [left](void*) { (*left)(); });
    for (auto& [name, space] : spaces_) {
      const Replica& replica = space->replica;
      if (!replica.IsPrimary()) continue;
      const auto& followers = replica.followers();
      const auto closest = std::max_element(
          followers.begin(), followers.end(),
          [](const auto& a, const auto& b) { return a.second.confirmed() < b.second.confirmed(); });
      if (closest == followers.end() || !closest->second.in_step()) continue;
      if (!closest->second.complete()) continue;
      HandOver(replica.space(), closest->first, deadline, [all](const absl::Status&) {});
    }
  });
}

std::optional<absl::Status> Replicator::StateOf(const Space& space, const Waiting& waiting,
                                                TimePoint now) const {
  const Replica& replica = space.replica;
  const SpaceId& id = replica.space();
  const bool late = now >= waiting.deadline;
  if (waiting.what == Waiting::For::kOffice) {
    if (replica.IsPrimary() && replica.log().assignment != Version()) return absl::OkStatus();
    if (replica.log().holder.epoch().counter > 0) return NotPrimary(id, self_);
    return late ? std::optional(NoMajority(id, self_)) : std::nullopt;
  }
  if (waiting.what == Waiting::For::kNewEpoch) {
    const Epoch& epoch = replica.log().holder.epoch();
    if (epoch.counter > waiting.counter) {
      return epoch.primary == self_ ? NotPrimary(id, self_) : absl::OkStatus();
    }
    return late ? std::optional(NoMajority(id, self_)) : std::nullopt;
  }
  if (!replica.IsPrimary()) return NotHeldYet(id, self_, "the space has another primary now");
  const Version held =
      waiting.what == Waiting::For::kAll ? replica.HeldByAll() : replica.HeldByMajority();
  // What they have of this epoch comes after everything of an older one.
  const bool older = waiting.origin.epoch != replica.log().holder.epoch();
  if (held != Version() && (older || held >= waiting.origin)) return absl::OkStatus();
  return late ? std::optional(NotHeldYet(id, self_, "they have not confirmed it in time"))
              : std::nullopt;
}

void Replicator::Answer(Space& space, TimePoint now) {
  // Answering may bring new ones.
  std::vector<Waiting> waiting = std::exchange(space.waiting, {});
  std::vector<Waiting> left;
  for (Waiting& one : waiting) {
    if (auto status = StateOf(space, one, now)) {
      one.done(*std::move(status));
    } else {
      left.push_back(std::move(one));
    }
  }
  for (Waiting& one : space.waiting) left.push_back(std::move(one));
  space.waiting = std::move(left);
}

// --- time

// The machines live by the clock of leases, timers by the monotonic one.
void Replicator::Arm(Space& space) {
  const TimePoint now = net::EventLoop::Now();
  TimePoint wake = space.replica.NextWake();
  if (wake != kNever) wake = now + std::max<Duration>(kPaceMin, wake - BootNow());
  for (const Waiting& waiting : space.waiting) wake = std::min(wake, waiting.deadline);
  if (wake != space.armed) {
    if (space.armed != kNever) wakes_.erase({space.armed, &space});
    space.armed = wake;
    if (wake != kNever) wakes_.emplace(wake, &space);
  }
  if (wakes_.empty() || wakes_.begin()->first >= timer_at_) return;
  timer_at_ = wakes_.begin()->first;
  timer_.RunAt(timer_at_, [this] { OnTimer(); });
}

void Replicator::OnTimer() {
  timer_at_ = kNever;
  const TimePoint now = net::EventLoop::Now();
  while (!wakes_.empty() && wakes_.begin()->first <= now) {
    Space& space = *wakes_.begin()->second;
    wakes_.erase(wakes_.begin());
    space.armed = kNever;
    space.replica.Tick(BootNow());
    Settle(space);
  }
  MeasureLags();
  if (wakes_.empty()) return;
  timer_at_ = wakes_.begin()->first;
  timer_.RunAt(timer_at_, [this] { OnTimer(); });
}

void Replicator::MeasureLags() {
  const TimePoint now = BootNow();
  if (now < lags_at_ + kLagsPeriod) return;
  lags_at_ = now;
  ReplicaLags lags;
  for (const auto& [name, space] : spaces_) {
    const Replica& replica = space->replica;
    if (!replica.IsPrimary()) continue;
    const Version last = replica.log().last();
    for (const auto& [holder, follower] : replica.followers()) {
      ReplicaLag& lag = lags[holder];
      const Version& has = follower.confirmed();
      if (has == last) continue;
      const uint64_t entries =
          has.epoch == last.epoch ? last.sequence - has.sequence : last.sequence;
      ++lag.spaces;
      lag.entries += entries;
      lag.bytes += entries * replica.bytes_per_entry();
      lag.time = std::max(lag.time, follower.BehindFor(last, now));
    }
  }
  WriterLock lock(&mutex_);
  lags_ = std::move(lags);
}

}  // namespace engram::cluster
