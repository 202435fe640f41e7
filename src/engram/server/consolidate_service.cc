#include "engram/server/consolidate_service.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "engram/base/names.h"
#include "engram/memory/state_tag.h"
#include "engram/net/event_loop.h"
#include "engram/routing/route_names.h"
#include "engram/server/consolidate_convert.h"
#include "engram/server/convert.h"
#include "engram/server/look_ups.h"
#include "engram/server/metadata_names.h"
#include "engram/server/replication_port.h"
#include "engram/server/request_metadata.h"

namespace engram::server {
namespace {

using memory::ConsolidationPlan;
using memory::ConsolidationStep;

constexpr std::string_view kMethod = "/engram.v1.MemoryService/Consolidate";

// Of a call whose client sets no earlier deadline.
constexpr Duration kLimit = std::chrono::hours(1);
constexpr Duration kBusyPause = std::chrono::seconds(1);

// Nodes that are asked within this part of the time for which request ids are remembered derive
// the same ones (memory/consolidation.h, ChangeTime).
constexpr int kGrains = 4;

absl::StatusOr<v1::ConsolidateRequest> Parse(const std::string& body) {
  v1::ConsolidateRequest request;
  if (!request.ParseFromString(body)) {
    return InvalidArgument("message", "the bytes are not a valid ConsolidateRequest");
  }
  if (absl::Status known = CheckKnownFields(request); !known.ok()) return known;
  if (absl::Status name = CheckSpaceName("space", request.space()); !name.ok()) return name;
  return request;
}

// Of a node that does not hold the space.
absl::Status NotHeld(const NodeContext& context, const placement::Assignment& known) {
  ErrorDetail detail{ErrorCode::kNoLocalData, "", known.space.value(), context.self.value(), {}};
  const std::string who = known.primary.empty() ? "it has no primary at the moment"
                                                : fmt::format("{} does", known.primary.value());
  absl::Status status = MakeError(
      detail, fmt::format("only a holder of space '{}' consolidates it: {} does not hold it, {}",
                          known.space.value(), context.self.value(), who));
  AttachAssignment(known, status);
  return status;
}

absl::Status NobodyHolds(const NodeContext& context, const SpaceId& space,
                         const routing::LookUp& look_up) {
  const bool all_answered = look_up.answered == look_up.asked;
  ErrorDetail detail{all_answered ? ErrorCode::kNoAssignment : ErrorCode::kNoLocalData,
                     "",
                     space.value(),
                     context.self.value(),
                     {}};
  if (all_answered) return MakeError(detail, fmt::format("there is no space '{}'", space.value()));
  return MakeError(detail, fmt::format("{} does not hold space '{}', and {} of {} nodes did not "
                                       "say whether they do",
                                       context.self.value(), space.value(),
                                       look_up.asked - look_up.answered, look_up.asked));
}

absl::Status Stops() { return MakeError(ErrorCode::kShuttingDown, "this node stops"); }

}  // namespace

// Belongs to the call's loop; alive while a plan, a write or a look-up of it is under way.
class ConsolidateService::Call : public std::enable_shared_from_this<Call> {
 public:
  Call(ConsolidateService& service, net::ServerCall call)
      : service_(service),
        context_(service.context_),
        call_(std::move(call)),
        loop_(context_.StateOf(call_.loop())),
        deadline_(OperationDeadline(call_.deadline(), kLimit, Now())),
        stalled_(*loop_.loop) {}
  ~Call() {
    if (counted_ != nullptr) counted_->fetch_sub(1);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  void Start() {
    call_.Read([self = shared_from_this()](std::optional<std::string> message) {
      if (message.has_value()) return self->Take(*message);
      self->Finish(InvalidArgument("message", "the call has no request"));
    });
  }

 private:
  // What is under way of one group.
  struct Group {
    v1::ConsolidatedGroup told;
    std::optional<memory::StoreCommand> store;
    std::vector<memory::ForgetCommand> forgets;  // the last one is the next
  };
  using GroupPtr = std::shared_ptr<Group>;

  void Take(const std::string& body);
  bool Enter();
  void SayWhoHolds();

  // --- a round: a plan, and its writes
  void Plan();
  void OnPlanned(absl::StatusOr<ConsolidationPlan> plan);
  void HeedStanding();
  void OnNoPlan(const absl::Status& status);
  void Continue();
  void EndRound();
  // Any thread.
  bool MustEnd() const {
    return call_.cancelled() || service_.leaving_.load() || Now() >= deadline_;
  }

  // --- a group
  void Store(const GroupPtr& group);
  void ForgetNext(const GroupPtr& group);
  void Route(routing::Operation op, const google::protobuf::Message& request,
             const memory::WriteIdentity& identity, Router::Done done);
  void Wrote(const v1::Version& version, v1::ConsolidatedGroup& group);
  void LeaveAlone(const GroupPtr& group);
  static void Keep(const memory::ForgetCommand& forget, v1::ConsolidatedGroup& group);
  void Fail(const GroupPtr& group, const absl::Status& status);
  void End(const GroupPtr& group);
  void Tell(v1::ConsolidatedGroup group);
  void GiveUp();

  void Finish(const absl::Status& status);

  ConsolidateService& service_;
  NodeContext& context_;
  net::ServerCall call_;
  LoopState& loop_;
  const TimePoint deadline_;
  std::shared_ptr<std::atomic<int>> counted_;  // null: not among those that are served
  net::EventLoop::Timer stalled_;

  SpaceId space_;
  v1::ConsolidateRequest request_;
  routing::Ack ack_ = routing::Ack::kPrimary;

  std::deque<ConsolidationStep> steps_;     // that are not begun
  absl::flat_hash_set<std::string> begun_;  // in any round, by the ids of their memories
  int rounds_ = 0;                          // that had a plan
  bool advanced_ = false;                   // this round had groups that none before it had
  bool planning_ = false;
  int in_flight_ = 0;
  bool writable_ = true;
  bool degraded_ = false;
  bool finished_ = false;
  v1::ConsolidateTotals totals_;
  Version newest_;
  absl::Status failure_;  // the first; nothing is begun after it
};

void ConsolidateService::Call::Take(const std::string& body) {
  auto request = Parse(body);
  if (!request.ok()) return Finish(request.status());
  request_ = *std::move(request);
  space_ = SpaceId(request_.space());
  auto ack = AckFrom(call_.metadata());
  if (!ack.ok()) return Finish(ack.status());
  ack_ = AckOf(context_.config, *ack, space_.view());
  const routing::Decision decision =
      Decide(routing::Operation::kConsolidate, {}, context_.KnowledgeOf(space_.view()),
             context_.view(), Now(), loop_.random);
  if (decision.candidates.empty()) return SayWhoHolds();
  if (Enter()) return Plan();
  ErrorDetail detail{ErrorCode::kOverloaded, "", space_.value(), context_.self.value(), kBusyPause};
  Finish(MakeError(detail, fmt::format("this node is at {} other consolidations", kCallsMax)));
}

// Whether there is room for this one, which it then takes for its lifetime.
bool ConsolidateService::Call::Enter() {
  if (service_.calls_->fetch_add(1) >= kCallsMax) {
    service_.calls_->fetch_sub(1);
    return false;
  }
  counted_ = service_.calls_;
  return true;
}

void ConsolidateService::Call::SayWhoHolds() {
  const routing::Knowledge knowledge = context_.KnowledgeOf(space_.view());
  if (knowledge.known.has_value()) {
    return Finish(NotHeld(context_, ToAssignment(space_, *knowledge.known, context_.nodes)));
  }
  if (context_.reachability.Load().partitioned) return Finish(CutOffError(context_, space_));
  loop_.look_ups->Ask(space_, {}, [self = shared_from_this()](const routing::LookUp& look_up) {
    const auto& holders = look_up.claim.has_value() ? look_up.claim : look_up.heard;
    if (!holders.has_value()) {
      return self->Finish(NobodyHolds(self->context_, self->space_, look_up));
    }
    self->Finish(
        NotHeld(self->context_, ToAssignment(self->space_, *holders, self->context_.nodes)));
  });
}

void ConsolidateService::Call::Plan() {
  planning_ = true;
  memory::ConsolidationQuery query = ToQuery(request_);
  query.time = {WallNow(), context_.config.request_id_ttl / kGrains};
  query.stop = [this] { return MustEnd(); };  // the task holds this call
  // Let go of on the loop, to which the call belongs.
  auto task = [self = shared_from_this(), query = std::move(query)]() mutable {
    auto plan = self->service_.engine_.PlanConsolidation(query);
    net::EventLoop& loop = *self->loop_.loop;
    loop.Post([self = std::move(self), plan = std::move(plan)]() mutable {
      self->OnPlanned(std::move(plan));
    });
  };
  if (service_.planner_.Submit(std::move(task))) return;
  ErrorDetail detail{ErrorCode::kOverloaded, "", space_.value(), context_.self.value(), kBusyPause};
  OnPlanned(MakeError(detail, "too many consolidations wait for their plan"));
}

void ConsolidateService::Call::OnPlanned(absl::StatusOr<ConsolidationPlan> plan) {
  planning_ = false;
  HeedStanding();
  if (!plan.ok()) return OnNoPlan(plan.status());
  totals_.set_episodes(plan->episodes);
  totals_.set_skipped(plan->skipped);
  totals_.set_remaining(plan->remaining);
  advanced_ = false;
  ++rounds_;
  for (ConsolidationStep& step : plan->steps) {
    if (!begun_.insert(step.id.value()).second) continue;
    advanced_ = true;
    steps_.push_back(std::move(step));
  }
  Continue();
}

// Of the copy that has been read, also if nothing is written.
void ConsolidateService::Call::HeedStanding() {
  degraded_ = degraded_ || context_.reachability.Load().partitioned;
  if (context_.replication == nullptr) return;
  degraded_ = degraded_ || context_.replication->StandingOf(space_).degraded;
}

// What earlier rounds have written is told.
void ConsolidateService::Call::OnNoPlan(const absl::Status& status) {
  failure_ = service_.leaving_.load() ? Stops() : status;
  // Of a copy that is not complete: another holder has one.
  const auto known = context_.table.FindAssignment(space_.view());
  if (CodeOf(failure_) == ErrorCode::kNoLocalData && known) AttachAssignment(*known, failure_);
  if (rounds_ > 0) return EndRound();
  Finish(failure_);
}

void ConsolidateService::Call::Continue() {
  if (planning_ || finished_) return;  // the client has read on meanwhile
  while (!steps_.empty() && failure_.ok() && !MustEnd()) {
    if (!writable_ || in_flight_ >= kInFlightMax) return;
    ConsolidationStep step = std::move(steps_.front());
    steps_.pop_front();
    auto group = std::make_shared<Group>(
        Group{ToProto(step), std::move(step.store), std::move(step.forgets)});
    if (request_.dry_run() || (!group->store.has_value() && group->forgets.empty())) {
      Tell(std::move(group->told));
      continue;
    }
    ++in_flight_;
    Store(group);
  }
  // A write that ended at once may have ended the round already.
  if (in_flight_ == 0 && !planning_ && !finished_) EndRound();
}

void ConsolidateService::Call::EndRound() {
  totals_.set_remaining(totals_.remaining() + steps_.size());
  steps_.clear();
  const bool more = totals_.remaining() > 0 && advanced_ && !request_.dry_run();
  if (more && failure_.ok() && !MustEnd()) return Plan();
  if (newest_ != Version{}) *totals_.mutable_version() = ToProto(newest_);
  v1::ConsolidateResponse last;
  *last.mutable_totals() = totals_;
  call_.Send(last.SerializeAsString());
  spdlog::info("consolidated '{}': {} created, {} updated, {} superseded, {} failed, {} remain",
               space_.view(), totals_.created(), totals_.updated(), totals_.superseded(),
               totals_.failed(), totals_.remaining());
  if (failure_.ok() && service_.leaving_.load()) failure_ = Stops();
  Finish(failure_);
}

void ConsolidateService::Call::Store(const GroupPtr& group) {
  if (!group->store.has_value()) return ForgetNext(group);
  memory::StoreCommand store = *std::exchange(group->store, std::nullopt);
  const memory::WriteIdentity identity = store.identity;
  Route(routing::Operation::kStore, ToRequest(std::move(store)), identity,
        [self = shared_from_this(), group](const RoutedReply& reply) {
          if (memory::IsChangedMeanwhile(reply.message.status())) return self->LeaveAlone(group);
          if (!reply.message.ok()) return self->Fail(group, reply.message.status());
          v1::StoreResponse stored;
          stored.ParseFromString(*reply.message);
          self->Wrote(stored.version(), group->told);
          self->ForgetNext(group);
        });
}

void ConsolidateService::Call::ForgetNext(const GroupPtr& group) {
  if (group->forgets.empty()) return End(group);
  const memory::ForgetCommand forget = std::move(group->forgets.back());
  group->forgets.pop_back();
  Route(routing::Operation::kForget, ToRequest(forget), forget.identity,
        [self = shared_from_this(), group, forget](const RoutedReply& reply) {
          const absl::Status& status = reply.message.status();
          const bool gone = status.ok() || CodeOf(status) == ErrorCode::kNotFound;
          if (!gone) Keep(forget, group->told);
          if (!gone && !memory::IsChangedMeanwhile(status)) return self->Fail(group, status);
          v1::ForgetResponse forgot;
          if (status.ok() && forgot.ParseFromString(*reply.message)) {
            self->Wrote(forgot.version(), group->told);
          }
          self->ForgetNext(group);
        });
}

void ConsolidateService::Call::Route(routing::Operation op,
                                     const google::protobuf::Message& request,
                                     const memory::WriteIdentity& identity, Router::Done done) {
  const TimePoint deadline = std::min(deadline_, Now() + context_.config.deadline);
  service_.router_.Route(
      loop_, {op, space_, request.SerializeAsString(), identity, deadline, {}, ack_},
      [self = shared_from_this(), done = std::move(done)](RoutedReply reply) mutable {
        self->degraded_ = self->degraded_ || reply.degraded;
        done(std::move(reply));
      });
}

void ConsolidateService::Call::Wrote(const v1::Version& version, v1::ConsolidatedGroup& group) {
  *group.mutable_version() = version;
  newest_ = std::max(newest_, FromProto(version));
}

// Somebody has changed its memory since it was planned.
void ConsolidateService::Call::LeaveAlone(const GroupPtr& group) {
  group->told.set_outcome(v1::CONSOLIDATE_OUTCOME_TAKEN_OVER);
  group->told.clear_content();
  group->told.clear_confidence();
  group->told.clear_superseded();
  End(group);
}

// It was to be superseded, and was not.
void ConsolidateService::Call::Keep(const memory::ForgetCommand& forget,
                                    v1::ConsolidatedGroup& group) {
  auto& superseded = *group.mutable_superseded();
  superseded.erase(std::remove(superseded.begin(), superseded.end(), forget.id.value()),
                   superseded.end());
}

void ConsolidateService::Call::Fail(const GroupPtr& group, const absl::Status& status) {
  if (failure_.ok()) failure_ = status;
  group->told.set_outcome(v1::CONSOLIDATE_OUTCOME_FAILED);
  for (const memory::ForgetCommand& forget : group->forgets) Keep(forget, group->told);
  v1::ErrorCodeText* error = group->told.mutable_error();
  error->set_code(std::string(InfoOf(CodeOf(status)).name));
  error->set_message(std::string(status.message()));
  End(group);
}

void ConsolidateService::Call::End(const GroupPtr& group) {
  Tell(std::move(group->told));
  --in_flight_;
  Continue();
}

void ConsolidateService::Call::Tell(v1::ConsolidatedGroup group) {
  Count(group, totals_);
  v1::ConsolidateResponse part;
  *part.mutable_group() = std::move(group);
  if (call_.Send(part.SerializeAsString()) || !writable_) return;
  writable_ = false;
  stalled_.RunAt(Now() + kStallMax, [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->GiveUp();
  });
  call_.OnWritable([self = shared_from_this()] {
    self->writable_ = true;
    self->stalled_.Cancel();
    self->Continue();
  });
}

void ConsolidateService::Call::GiveUp() {
  if (failure_.ok()) {
    failure_ =
        MakeError(ErrorCode::kDeadlineExceeded, "the client has not read the answer for too long");
  }
  Continue();
}

void ConsolidateService::Call::Finish(const absl::Status& status) {
  if (std::exchange(finished_, true)) return;
  call_.AddTrailer(kMdServedBy, context_.self.view(), net::Recurrence::kRepeated);
  if (degraded_) call_.AddTrailer(kMdDegraded, "1");
  call_.Finish(status);
}

void ConsolidateService::AddTo(net::Server& server) {
  server.AddStream(kMethod, [this](net::ServerCall call) {
    std::make_shared<Call>(*this, std::move(call))->Start();
  });
}

}  // namespace engram::server
