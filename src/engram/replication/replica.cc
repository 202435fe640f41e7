#include "engram/replication/replica.h"

#include <algorithm>
#include <utility>

#include "engram/base/error.h"
#include "engram/base/planted.h"

namespace engram::replication {
namespace {

bool Blocks(const Replica::Command& command) {
  return std::holds_alternative<Replica::Bind>(command) ||
         std::holds_alternative<Replica::TakeOffice>(command);
}

// A refusal of the log changes nothing; after an error of the disk nobody knows what is stored.
bool IsOfTheDisk(const absl::Status& status) {
  const ErrorCode code = CodeOf(status);
  return code == ErrorCode::kStorageFailed || code == ErrorCode::kUndetermined;
}

}  // namespace

Replica::Replica(SpaceId space, NodeId self, const SpaceLog& log,
                 const std::vector<NodeId>& proposed, const ReplicaOptions& options,
                 const LogPort& port, std::mt19937_64& random, TimePoint now)
    : space_(std::move(space)),
      self_(std::move(self)),
      options_(options),
      port_(port),
      random_(random),
      failover_(self_, log.holders.empty() ? proposed : log.holders, log.holder, options.failover,
                random, now),
      log_(log),
      tombstones_(options.tombstones),
      expected_(log.last()) {
  for (const NodeId& other : failover_.others()) {
    followers_.emplace(other, Follower(options_.shipping));
  }
  failover_.SetCopy(log_.copy());
  PlanComparison(now);
  tombstones_.Restart(NextTombstoneSweep(now));
}

void Replica::Create(TimePoint now) {
  failover_.Create(now);
  TakeFailoverOutput();
}

void Replica::Step(const NodeId& from, const ReplicaMessage& message, TimePoint now) {
  if (failed_ || !followers_.contains(from)) return;
  std::visit([&](const auto& m) { On(from, m, now); }, message);
  TakeFailoverOutput();
}

void Replica::Tick(TimePoint now) {
  if (failed_) return;
  failover_.Tick(now);
  TakeFailoverOutput();
  if (Leads()) {
    for (auto& [id, follower] : followers_) follower.Tick(now);
    ShipToAll(now);
    if (now >= next_hand_over_) GoOnHandingOver(now);
    SweepTombstones(now);
  } else {
    OfferOutbox(now);
    GoOnSweeping(now);
  }
}

TimePoint Replica::NextWake() const {
  if (failed_) return kNever;
  TimePoint wake = failover_.NextWake();
  if (Leads()) {
    for (const auto& [id, follower] : followers_) {
      wake = std::min(wake, follower.NextWake(log_.last()));
    }
    if (failover_.handing_over_to()) wake = std::min(wake, next_hand_over_);
    if (IsPrimary() && !collecting_) {
      wake = std::min(wake, tombstones_.NextWake(log_.last(), HeldByAll()));
    }
  } else if (InStep()) {
    if (log_.outbox_entries > 0 && !log_.incomplete) wake = std::min(wake, next_offer_);
    wake = std::min(wake, NextSweep());
  }
  return wake;
}

void Replica::OnPortRefused(const NodeId& node) {
  if (node == failover_.state().epoch().primary) failover_.OnPortRefused();
}

void Replica::ReadLog() {
  if (std::optional<SpaceLog> log = port_.FindLog(space_)) log_ = *std::move(log);
  failover_.SetCopy(log_.copy());
}

void Replica::OnCommitted(TimePoint now) {
  if (failed_) return;
  ReadLog();
  ShipNews(now);
  OfferOutbox(now);
}

// An only holder cannot be replaced: it goes on to answer reads, and says of each write what is
// wrong.
void Replica::OnStoreFailed() {
  if (failover_.others().empty()) return;
  failed_ = true;
  queue_.clear();
}

void Replica::OnDone(uint64_t id, const absl::Status& status, TimePoint now) {
  auto running = running_.extract(id);
  if (failed_ || running.empty()) return;
  if (!status.ok() && IsOfTheDisk(status)) return OnStoreFailed();
  ReadLog();
  if (awaited_ == id) awaited_.reset();
  std::visit([&](const auto& command) { Done(command, status.ok(), now); }, running.mapped());
  TakeFailoverOutput();
}

std::vector<Replica::Output> Replica::TakeOutput() {
  std::vector<Output> taken;
  while (!awaited_ && !queue_.empty()) {
    Output& next = queue_.front();
    if (auto* run = std::get_if<Run>(&next)) {
      if (Blocks(run->command)) awaited_ = run->id;
      running_.emplace(run->id, run->command);
    } else if (auto* said = std::get_if<FailoverMessage>(&std::get<Send>(next).message)) {
      FillIn(std::get<Send>(next).to, *said);
    }
    taken.push_back(std::move(next));
    queue_.pop_front();
  }
  return taken;
}

namespace {

// Each command as the call of LogPort that it is named after.
struct Giver {
  LogPort& store;
  const SpaceId& space;
  const std::vector<NodeId>& holders;
  LogPort::Done done;

  void operator()(const Replica::Bind& c) { store.Bind(space, c.state, holders, std::move(done)); }
  void operator()(const Replica::TakeOffice& c) {
    store.TakeOffice(space, c.epoch, std::move(done));
  }
  void operator()(const Replica::Follow& c) {
    store.Follow(space, c.epoch, c.history, std::move(done));
  }
  void operator()(Replica::Append& c) {
    store.Append(space, c.epoch, c.previous, std::move(c.entries), std::move(done));
  }
  void operator()(Replica::Merge& c) {
    store.Merge(space, c.epoch, std::move(c.changes), std::move(done));
  }
  void operator()(Replica::Collect& c) {
    store.Collect(space, c.epoch, std::move(c.tombstones), std::move(done));
  }
  void operator()(Replica::Restart& c) {
    store.Restart(space, c.epoch, std::move(c.base), std::move(done));
  }
  void operator()(Replica::Install& c) {
    store.Install(space, c.epoch, std::move(c.piece), std::move(done));
  }
  void operator()(const Replica::Complete& c) {
    store.Complete(space, c.epoch, c.settled, std::move(done));
  }
};

}  // namespace

void Replica::GiveTo(LogPort& store, Command command, LogPort::Done done) const {
  std::visit(Giver{store, space_, failover_.holders(), std::move(done)}, command);
}

// What is said of the log is as of when it is sent.
void Replica::FillIn(const NodeId& to, FailoverMessage& message) {
  if (auto* heartbeat = std::get_if<Heartbeat>(&message)) {
    heartbeat->last = log_.last();
    heartbeat->held = HeldByMajority();
    Follower& follower = followers_.at(to);
    if (follower.Beats() || !follower.in_step()) heartbeat->holders = failover_.holders();
  } else if (auto* answer = std::get_if<HeartbeatAnswer>(&message)) {
    answer->in_step = InStep() && answer->epoch == in_step_with_;
    if (answer->in_step) answer->position = log_.last();
    answer->copy = log_.copy();
  }
}

void Replica::TakeFailoverOutput() {
  for (Failover::Output& output : failover_.TakeOutput()) {
    if (auto* send = std::get_if<Failover::Send>(&output)) {
      SendTo(send->to, std::move(send->message));
    } else if (auto* persist = std::get_if<Failover::Persist>(&output)) {
      RunCommand(Bind{persist->state});
    } else if (auto* office = std::get_if<Failover::TookOffice>(&output)) {
      RunCommand(TakeOffice{office->epoch});
    }
  }
}

void Replica::SendTo(const NodeId& to, ReplicaMessage message) {
  queue_.emplace_back(Send{to, std::move(message)});
}

void Replica::RunCommand(Command command) {
  queue_.emplace_back(Run{next_command_++, std::move(command)});
}

void Replica::On(const NodeId& from, const FailoverMessage& message, TimePoint now) {
  failover_.Step(from, message, now);
  if (const auto* answer = std::get_if<HeartbeatAnswer>(&message)) OnAnswer(from, *answer, now);
  if (const auto* heartbeat = std::get_if<Heartbeat>(&message)) {
    if (heartbeat->epoch != in_step_with_) return;
    primary_last_ = heartbeat->last;
    primary_held_ = heartbeat->held;
    primary_last_at_ = now;
    NoteCaughtUp();
    if (log_.base != Version()) SettleOutbox();
  }
}

void Replica::NoteCaughtUp() {
  if (InStep() && !log_.incomplete && log_.last() >= primary_last_) {
    caught_up_at_ = std::max(caught_up_at_, primary_last_at_);
  }
}

// --- primary

Version Replica::HeldBy(size_t count) const {
  if (!IsPrimary()) return {};
  std::vector<Version> ends{log_.last()};
  for (const auto& [id, follower] : followers_) {
    ends.push_back(follower.complete() ? follower.confirmed() : Version());
  }
  std::sort(ends.begin(), ends.end(), std::greater<>());
  const Version& end = ends[count - 1];
  return end.epoch == log_.holder.epoch() ? end : Version();
}

void Replica::OnAnswer(const NodeId& from, const HeartbeatAnswer& answer, TimePoint now) {
  if (!Leads() || answer.epoch != log_.holder.epoch()) return;
  followers_.at(from).Answered();
  if (answer.in_step) {
    return On(from,
              Confirm{answer.epoch, answer.position, false, answer.copy != CopyState::kComplete},
              now);
  }
  followers_.at(from).FellOut();
  SendTo(from, Lineage{answer.epoch, log_.history});
}

void Replica::On(const NodeId& from, const Confirm& confirm, TimePoint now) {
  if (!Leads() || confirm.epoch != log_.holder.epoch()) return;
  if (confirm.position != Version() && !log_.history.Contains(confirm.position)) return;
  Follower& follower = followers_.at(from);
  // One that was overtaken may be of before its log was restarted, which raised its position.
  if (confirm.incomplete || confirm.position >= follower.confirmed()) {
    follower.SetComplete(!confirm.incomplete);
  }
  follower.Confirmed(confirm.position, confirm.gap, log_.last(), now);
  SettleOwnOutbox();
  Ship(from, follower, now);
  GoOnHandingOver(now);
}

void Replica::On(const NodeId& from, const Offer& offer, TimePoint /*now*/) {
  if (!IsPrimary() || offer.epoch != log_.holder.epoch() || offer.changes.empty()) return;
  if (merging_.insert(from).second) RunCommand(Merge{from, offer.epoch, offer.changes});
}

void Replica::ShipNews(TimePoint now) {
  if (!Leads()) return;
  for (auto& [id, follower] : followers_) follower.Grew(now);
  ShipToAll(now);
}

void Replica::ShipToAll(TimePoint now) {
  for (auto& [id, follower] : followers_) Ship(id, follower, now);
}

void Replica::Ship(const NodeId& to, Follower& follower, TimePoint now) {
  const Version last = log_.last();
  while (follower.MaySend(last, now)) {
    const bool has_nothing = !follower.complete() && follower.confirmed() == Version();
    if (has_nothing) SendBase(to, now);
    if (has_nothing) return follower.Postpone(now);
    auto entries = port_.ReadLog(space_, follower.sent(), options_.shipping.batch);
    if (CodeOf(entries.status()) == ErrorCode::kNotFound) SendBase(to, now);
    if (!entries.ok() || entries->empty()) return follower.Postpone(now);
    const Version previous = follower.sent();
    follower.Sent(*entries, last, now);
    sent_entries_ += entries->size();
    for (const Entry& entry : *entries) sent_bytes_ += entry.bytes.size();
    SendTo(to, Entries{log_.holder.epoch(), previous, *std::move(entries)});
  }
}

void Replica::SendBase(const NodeId& to, TimePoint now) {
  if (!failover_.MayGiveCopies(now)) return;
  auto base = port_.ReadBase(space_);
  if (base.ok()) SendTo(to, Base{log_.holder.epoch(), *std::move(base)});
}

void Replica::HandOverTo(const NodeId& to, TimePoint now) {
  const auto follower = followers_.find(to);
  if (failed_ || !IsPrimary() || follower == followers_.end()) return;
  if (!follower->second.in_step() || !follower->second.complete()) return;
  failover_.HandOverTo(to, now);
  next_hand_over_ = now;
  TakeFailoverOutput();
}

// The log grows no more once the promise is durable; who has all of it may take over.
void Replica::GoOnHandingOver(TimePoint now) {
  const std::optional<NodeId>& to = failover_.handing_over_to();
  if (!to) return;
  next_hand_over_ = now + options_.failover.heartbeat;
  if (log_.holder != failover_.state() || followers_.at(*to).confirmed() != log_.last()) return;
  failover_.CompleteHandOver(log_.last());
  TakeFailoverOutput();
}

void Replica::SweepTombstones(TimePoint now) {
  if (!IsPrimary() || collecting_ || !tombstones_.IsDue(log_, HeldByAll(), now)) return;
  auto found = port_.ReadTombstones(space_, tombstones_.after(), tombstones_.confirmed(),
                                    options_.tombstones.piece);
  if (!found.ok()) return tombstones_.Restart(NextTombstoneSweep(now));
  collecting_ = !found->items.empty() && !IsPlanted(Bug::kNeverCollected);
  if (collecting_) RunCommand(Collect{log_.holder.epoch(), std::move(found->items)});
  if (!found->until.empty()) return tombstones_.GoOnAfter(found->until, now);
  tombstones_.End(NextTombstoneSweep(now));
}

TimePoint Replica::NextTombstoneSweep(TimePoint now) {
  const Duration period = options_.tombstones.period;
  std::uniform_int_distribution<Duration::rep> extra(0, period.count());
  return now + period / 2 + Duration(extra(random_));
}

// --- follower

void Replica::On(const NodeId& from, const Lineage& lineage, TimePoint now) {
  if (!failover_.Hears(from, lineage.epoch, now)) return;
  if (in_step_with_ == lineage.epoch) return SendConfirm(false);
  if (following_) return;
  following_ = true;
  RunCommand(Follow{lineage.epoch, lineage.history});
}

void Replica::On(const NodeId& from, const Entries& entries, TimePoint now) {
  if (!failover_.Hears(from, entries.epoch, now) || in_step_with_ != entries.epoch) return;
  if (entries.entries.empty()) return;
  if (entries.previous > expected_) return SendConfirm(true);
  const Version& end = entries.entries.back().position;
  if (end <= expected_) return SendConfirm(false);
  std::vector<Entry> news;
  for (const Entry& entry : entries.entries) {
    if (entry.position > expected_) news.push_back(entry);
  }
  RunCommand(Append{entries.epoch, expected_, std::move(news)});
  expected_ = end;
  if (IsPlanted(Bug::kConfirmBeforeCommit)) SendConfirm(false);
}

void Replica::SendConfirm(bool gap) {
  if (!InStep()) return;
  const Version& end = IsPlanted(Bug::kConfirmBeforeCommit) ? expected_ : log_.last();
  SendTo(in_step_with_.primary, Confirm{in_step_with_, end, gap, log_.incomplete});
}

void Replica::OfferOutbox(TimePoint now) {
  if (!InStep() || log_.outbox_entries == 0) return;
  if (log_.incomplete || restarting_) return;
  const bool came_back = offered_ && log_.logged.Covers(*offered_);
  if (!came_back && now < next_offer_) return;
  auto changes = port_.ReadOutbox(space_, options_.shipping.batch);
  if (changes.ok() && changes->empty()) {
    next_offer_ = now + options_.shipping.resend;
    offered_.reset();
    SettleOutbox();
  }
  if (!changes.ok() || changes->empty()) return;
  offered_ = changes->back().origin;
  next_offer_ = now + options_.shipping.resend;
  if (IsPlanted(Bug::kBranchNotSent)) return;
  SendTo(in_step_with_.primary, Offer{in_step_with_, *std::move(changes)});
}

// --- the store has carried it out

void Replica::Done(const Bind& bind, bool ok, TimePoint now) {
  if (!ok) return RunAgain(bind);
  failover_.Persisted(bind.state, log_.ConfirmedTo(), now);
  GoOnHandingOver(now);
}

void Replica::Done(const TakeOffice& office, bool ok, TimePoint now) {
  if (!ok) return RunAgain(office);
  tombstones_.Restart(NextTombstoneSweep(now));
  for (auto& [id, follower] : followers_) follower.FellOut();
}

// There was no room for it; nothing else may go before it.
void Replica::RunAgain(Command command) {
  queue_.emplace_front(Run{next_command_++, std::move(command)});
}

void Replica::Done(const Follow& follow, bool ok, TimePoint now) {
  following_ = restarting_ = settling_ = false;
  sweep_.reset();
  if (!ok || follow.epoch != log_.holder.epoch()) return;
  in_step_with_ = follow.epoch;
  expected_ = log_.last();
  offered_.reset();
  next_offer_ = now;
  SendConfirm(false);
  OfferOutbox(now);
  GoOnSweeping(now);
}

void Replica::Done(const Append& append, bool ok, TimePoint now) {
  if (append.epoch != in_step_with_) return;
  if (!ok) expected_ = log_.last();
  NoteCaughtUp();
  SendConfirm(!ok);
  OfferOutbox(now);
}

void Replica::Done(const Merge& merge, bool /*ok*/, TimePoint now) {
  merging_.erase(merge.from);
  ShipNews(now);
}

// What was refused is found again.
void Replica::Done(const Collect& /*collect*/, bool ok, TimePoint now) {
  collecting_ = false;
  if (!ok) tombstones_.Restart(NextTombstoneSweep(now));
  ShipNews(now);
}

}  // namespace engram::replication
