#include "simulation/replicated_node.h"

#include <algorithm>
#include <utility>

#include "absl/base/macros.h"
#include "engram/base/error.h"

namespace engram::simulation {
namespace {

using replication::Replica;
using replication::SpaceLog;

constexpr TimePoint kBegin{std::chrono::seconds(1'000)};  // the scheduler's
constexpr size_t kGroupMax = 20;

const SpaceId& Space() {
  static const SpaceId kSpace("space");
  return kSpace;
}

bool IsOfTheDisk(const absl::Status& status) {
  const ErrorCode code = CodeOf(status);
  return code == ErrorCode::kStorageFailed || code == ErrorCode::kUndetermined;
}

Duration UpTo(Duration most, std::mt19937_64& random) {
  return Duration(std::uniform_int_distribution<Duration::rep>(1, most.count())(random));
}

}  // namespace

WallMillis WallTimeOf(TimePoint now) {
  constexpr int64_t kDay = 1'750'000'000'000;
  const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(now - kBegin);
  return WallMillis{kDay + passed.count()};
}

ReplicatedNode::ReplicatedNode(ReplicatedWorld& world, size_t index, std::unique_ptr<SimDisk> disk,
                               const ReplicatedClock& clock)
    : world_(world), index_(index), disk_(std::move(disk)), clock_(clock) {}

void ReplicatedNode::Start() {
  ABSL_HARDENING_ASSERT(!is_up());
  world_.network.Set(index_, Condition::kUp);
  store_ = disk_->Open(id(), world_.ids);
  machine_ = std::make_unique<Replica>(Space(), id(), StoredLog(), world_.ids, world_.replicas,
                                       *store_, world_.random, Local());
  GoOn();
}

void ReplicatedNode::Crash() {
  if (!is_up()) return;
  ++life_;
  world_.network.Set(index_, Condition::kDown);
  machine_.reset();
  store_.reset();
  awaited_.clear();
  tick_at_ = kNever;
  committing_ = false;
  outputs_left_ = SIZE_MAX;
  commit_crash_ = CommitCrash::kNo;
  stopped_until_ = TimePoint();
  world_.scheduler.Trace("crash " + id().value());
}

void ReplicatedNode::LosePower() {
  Crash();
  disk_->Crash();
}

void ReplicatedNode::Stop(TimePoint until) {
  stopped_until_ = until;
  world_.network.Stall(index_, until);
}

void ReplicatedNode::CalmDown() {
  outputs_left_ = SIZE_MAX;
  commit_crash_ = CommitCrash::kNo;
  disk_->AllowWrites();
}

bool ReplicatedNode::is_stopped() const { return world_.scheduler.now() < stopped_until_; }

SpaceLog ReplicatedNode::StoredLog() const { return store_->FindLog(Space()).value_or(SpaceLog()); }

void ReplicatedNode::Create() {
  machine_->Create(Local());
  GoOn();
}

void ReplicatedNode::HandOverTo(const NodeId& to) {
  machine_->HandOverTo(to, Local());
  GoOn();
}

void ReplicatedNode::Receive(const NodeId& from, const replication::ReplicaMessage& message) {
  machine_->Step(from, message, Local());
  GoOn();
}

void ReplicatedNode::Write(SimWrite write, ReplicatedStore::WriteDone done) {
  store_->Write(std::move(write), [this, done = std::move(done)](const auto& written) {
    if (IsOfTheDisk(written.status())) machine_->OnStoreFailed();
    done(written);
  });
  ScheduleCommit();
}

void ReplicatedNode::AwaitMajority(const Version& position, std::function<void()> done) {
  awaited_.emplace(position, std::move(done));
  TellWhoAwaitsMajority();
}

void ReplicatedNode::Later(Duration delay, std::function<void()> event) {
  world_.scheduler.After(delay,
                         [this, life = life_, event = std::move(event)] { Run(life, event); });
}

void ReplicatedNode::Run(uint64_t life, const std::function<void()>& event) {
  if (life != life_) return;
  if (!is_stopped()) return event();
  world_.scheduler.At(stopped_until_, [this, life, event] { Run(life, event); });
}

TimePoint ReplicatedNode::Local() const {
  const Duration passed = world_.scheduler.now() - kBegin;
  return kBegin + std::chrono::duration_cast<Duration>(passed * clock_.rate);
}

WallMillis ReplicatedNode::Wall() const {
  return WallMillis{ToInt(WallTimeOf(Local())) + clock_.wall_offset_ms};
}

void ReplicatedNode::Tick() {
  tick_at_ = kNever;
  if (machine_->NextWake() <= Local()) machine_->Tick(Local());
  GoOn();
}

void ReplicatedNode::ScheduleTick() {
  const TimePoint wake = machine_->NextWake();
  if (wake == kNever) return;
  const Duration wait = std::max(wake - Local(), Duration());
  const TimePoint at = world_.scheduler.now() + std::chrono::microseconds(1) +
                       std::chrono::duration_cast<Duration>(wait / clock_.rate);
  if (at >= tick_at_) return;  // an earlier one looks again
  tick_at_ = at;
  Later(at - world_.scheduler.now(), [this, at] {
    if (tick_at_ == at) Tick();
  });
}

void ReplicatedNode::ScheduleCommit() {
  if (committing_ || !store_->HasWork()) return;
  committing_ = true;
  Later(UpTo(world_.disk_max, world_.random), [this] { Commit(); });
}

void ReplicatedNode::Commit() {
  if (commit_crash_ == CommitCrash::kBefore) return LosePower();
  const size_t group = 1 + world_.random() % kGroupMax;
  auto told = store_->Commit(group, Wall());
  world_.scheduler.Trace("commit " + id().value());
  if (commit_crash_ == CommitCrash::kAfter) return LosePower();
  world_.on_step(index_);
  Later(UpTo(std::chrono::milliseconds(1), world_.random),
        [this, told = std::move(told)] { Tell(told); });
}

void ReplicatedNode::Tell(const std::vector<std::function<void()>>& told) {
  committing_ = false;
  const uint64_t life = life_;
  for (const auto& tell : told) {
    tell();
    CarryOut();
    if (life != life_) return;
  }
  machine_->OnCommitted(Local());
  GoOn();
}

void ReplicatedNode::GoOn() {
  CarryOut();
  if (!is_up()) return;
  TellWhoAwaitsMajority();
  world_.on_step(index_);
  ScheduleCommit();
  ScheduleTick();
}

void ReplicatedNode::CarryOut() {
  while (is_up()) {
    store_->MayTrim(Space(), machine_->MayTrim());
    std::vector<Replica::Output> outputs = machine_->TakeOutput();
    if (outputs.empty()) return;
    for (Replica::Output& output : outputs) {
      if (outputs_left_-- == 0) return Crash();
      std::visit([this](auto& o) { CarryOut(o); }, output);
    }
  }
}

void ReplicatedNode::CarryOut(Replica::Send& send) {
  const auto to = static_cast<size_t>(std::find(world_.ids.begin(), world_.ids.end(), send.to) -
                                      world_.ids.begin());
  auto message = std::make_shared<replication::ReplicaMessage>(std::move(send.message));
  const bool accepted = world_.network.Send(index_, to, [this, to, message] {
    world_.scheduler.Trace(id().value() + "->" + world_.ids[to].value());
    world_.deliver(to, id(), *message);
  });
  if (!accepted) machine_->OnPortRefused(send.to);
}

void ReplicatedNode::CarryOut(Replica::Run& run) {
  auto done = [this, id = run.id](const absl::StatusOr<SpaceLog>& result) {
    machine_->OnDone(id, result.status(), Local());
  };
  machine_->GiveTo(*store_, std::move(run.command), done);
}

void ReplicatedNode::TellWhoAwaitsMajority() {
  const Version held = machine_->HeldByMajority();
  for (auto at = awaited_.begin(); at != awaited_.end() && at->first <= held;) {
    auto waiting = awaited_.extract(at);
    at = awaited_.begin();
    if (waiting.key().epoch == held.epoch) waiting.mapped()();
  }
}

}  // namespace engram::simulation
