#include "engram/server/scatter_call.h"

#include <fmt/format.h>

#include <algorithm>

#include "engram/base/session_token.h"
#include "engram/memory/validate.h"
#include "engram/routing/route_names.h"
#include "engram/server/convert.h"
#include "engram/server/metadata_names.h"
#include "engram/server/request_metadata.h"
#include "engram/server/scatter_convert.h"

namespace engram::server {

using routing::ScatterPlan;

namespace {

TimePoint EndOfStep(TimePoint deadline) {
  const TimePoint now = Now();
  return now + std::max(Duration::zero(), deadline - now) * 2 / 3;
}

std::string_view LabelOf(ScatterStep step) {
  switch (step) {
    case ScatterStep::kSurvey:
      return "words counted";
    case ScatterStep::kFind:
      return "searched";
    case ScatterStep::kRead:
      return "read";
  }
  return "";
}

void Sum(const routing::CallStats& more, routing::CallStats& stats) {
  stats.hops += more.hops;
  stats.redirects += more.redirects;
  stats.look_ups += more.look_ups;
  stats.retries += more.retries;
  stats.retried_for.insert(stats.retried_for.end(), more.retried_for.begin(),
                           more.retried_for.end());
  stats.fallbacks += more.fallbacks;
  stats.breaker_refusals += more.breaker_refusals;
  stats.budget_refusals += more.budget_refusals;
}

}  // namespace

absl::StatusOr<ScatterCall::Request> ScatterCall::Parse(const std::string& body,
                                                        const net::Metadata& metadata,
                                                        TimePoint deadline) {
  Request request;
  if (!request.question.ParseFromString(body)) {
    return InvalidArgument("message", "the bytes are not a valid RecallManyRequest");
  }
  if (absl::Status known = CheckKnownFields(request.question); !known.ok()) return known;
  auto spaces = ParseSpaceNames(request.question.spaces());
  if (!spaces.ok()) return spaces.status();
  auto query = ToQuery(request.question);
  if (!query.ok()) return query.status();
  if (absl::Status valid = ValidateQuestion(*query); !valid.ok()) return valid;
  auto preference = ReadPreferenceFrom(metadata);
  if (!preference.ok()) return preference.status();
  auto sessions = ParseSessionTokens(kMdSession, metadata.Find(kMdSession).value_or(""), "");
  if (!sessions.ok()) return sessions.status();
  request.sessions = *std::move(sessions);
  request.spaces = *std::move(spaces);
  request.query = *std::move(query);
  request.strict = request.question.strict();
  request.deadline = deadline;
  request.preference = *preference;
  request.question.clear_spaces();
  request.question.clear_strict();
  return request;
}

ScatterCall::ScatterCall(NodeContext& context, LoopState& loop, ScatterService& service,
                         Request request, Done done)
    : context_(context),
      loop_(loop),
      service_(service),
      request_(std::move(request)),
      done_(std::move(done)),
      ranking_(request_.query) {
  options_.try_limit = context.config.read_try_limit;
  options_.backoff = {context.config.retry_delay, context.config.retry_delay_max};
  options_.self = context.self_index;
}

void ScatterCall::Start() {
  asked_ = request_.spaces.names;
  if (NeedsSurvey(WantedOfAsked())) return Survey();
  Find(request_.spaces.names);
}

void ScatterCall::Cancel() {
  auto self = shared_from_this();
  if (round_ != nullptr) round_->Cancel();
  if (done_) Finish(MakeError(ErrorCode::kCancelled, "the client cancelled the request"));
}

void ScatterCall::Ask(ScatterStep step, const std::vector<Wanted>& spaces,
                      std::string (ScatterCall::*request)(const Spaces&),
                      Answers (ScatterCall::*take)(const Spaces&, const std::string&),
                      void (ScatterCall::*done)(const Results&)) {
  reach_ = context_.reachability.Load();
  degraded_ = degraded_ || reach_.partitioned;
  options_.why = LabelOf(step);
  // Only `done` holds this call: the others are not used after it.
  ScatterRound::Question question{
      step, [this](Space space) { return SpaceId(asked_[space]); },
      [this, request](const Spaces& of) { return (this->*request)(of); },
      [this, take](const Spaces& of, const std::string& reply) { return (this->*take)(of, reply); },
      [self = shared_from_this(), done](ScatterRound::Outcome outcome) {
        self->Account(outcome);
        if (self->done_) ((*self).*done)(outcome.results);
      }};
  round_ = std::make_shared<ScatterRound>(context_, loop_, service_, std::move(question), spaces,
                                          EndOfStep(request_.deadline), options_);
  round_->Start();
}

void ScatterCall::Account(ScatterRound::Outcome& outcome) {
  attempts_.insert(attempts_.end(), outcome.attempts.begin(), outcome.attempts.end());
  Sum(outcome.stats, stats_);
  stale_ = stale_ || outcome.stats.redirects > 0;
}

// --- who holds what

routing::ReadPolicy ScatterCall::PolicyOf(std::string_view name) const {
  return ReadPolicyOf(context_.config, request_.preference, name);
}

ScatterCall::Wanted ScatterCall::WantedOf(const std::string& name) const {
  const routing::ReadPolicy policy = PolicyOf(name);
  return {DecideOneOfMany(policy, context_.KnowledgeOf(name), context_.view(), Now(), loop_.random),
          policy};
}

std::vector<ScatterCall::Wanted> ScatterCall::WantedOfAsked() const {
  std::vector<Wanted> wanted;
  for (const std::string& name : asked_) wanted.push_back(WantedOf(name));
  return wanted;
}

void ScatterCall::AddRouted(Space space, peer::v1::RoutedSpace* routed) const {
  const std::string& name = asked_[space];
  routed->set_name(name);
  const routing::RouteVersion& version = round_->version(space);
  if (version != routing::RouteVersion{}) {
    *routed->mutable_version() = ToProto(context_.nodes.ToVersion(version));
  }
  if (auto seen = request_.sessions.find(name); seen != request_.sessions.end()) {
    routed->set_session(ToSessionToken(seen->second));
  }
  routed->set_primary_only(PolicyOf(name).preference == routing::ReadPreference::kPrimary);
}

void ScatterCall::Learn(const std::string& name, const v1::Assignment& proto) {
  const placement::Assignment assignment = FromProto(proto);
  if (assignment.space.view() != name) return;
  if (context_.Learn(assignment)) stale_ = true;
}

void ScatterCall::Heed(const peer::v1::CopyStanding& standing) {
  degraded_ = degraded_ || standing.degraded();
  if (!standing.has_staleness_ms()) return;
  staleness_ms_ = std::max(staleness_ms_.value_or(0), standing.staleness_ms());
}

ScatterRound::Answer ScatterCall::AnswerTo(Space space, const peer::v1::SpaceRefusal* refusal) {
  if (refusal == nullptr) {
    return {MakeError(ErrorCode::kInternal, "the node said nothing of it"), std::nullopt};
  }
  ScatterRound::Answer answer{FromProto(*refusal), std::nullopt};
  if (CodeOf(answer.error) != ErrorCode::kWrongNode) return answer;
  Learn(asked_[space], refusal->assignment());
  if (refusal->assignment().space() == asked_[space]) {
    answer.elsewhere = ToRoute(FromProto(refusal->assignment()), context_.nodes);
  }
  return answer;
}

void ScatterCall::AddMissing(const std::string& space, const ScatterPlan::Result& result) {
  if (CodeOf(result.error) == ErrorCode::kNoAssignment) {
    missing_[space] = MakeError(ErrorCode::kNoAssignment, "no such space");
    return;
  }
  ErrorDetail detail = DetailOf(result.error);
  detail.space = space;
  std::string message(result.error.message());
  if (result.node != routing::kNoNode) {
    detail.node = context_.nodes.IdOf(result.node).value();
    message = fmt::format("{}: {}", detail.node, message);
  }
  missing_[space] = MakeError(detail, message);
}

// --- find

void ScatterCall::Find(std::vector<std::string> names) {
  names_ = std::move(names);
  findings_.assign(names_.size(), {});
  records_.assign(names_.size(), {});
  factors_.assign(names_.size(), 1);
  found_replies_ = 0;
  for (size_t i = 0; i < names_.size(); ++i) {
    findings_[i].space = SpaceId(names_[i]);
    findings_[i].status = absl::UnknownError("not searched");
  }
  asked_ = names_;
  Ask(ScatterStep::kFind, WantedOfAsked(), &ScatterCall::FindRequest, &ScatterCall::TakeFound,
      &ScatterCall::OnFound);
}

std::string ScatterCall::FindRequest(const Spaces& spaces) {
  peer::v1::FindInSpacesRequest request;
  *request.mutable_question() = request_.question;
  if (statistics_) *request.mutable_statistics() = ToProto(*statistics_);
  for (Space space : spaces) AddRouted(space, request.add_spaces());
  return request.SerializeAsString();
}

ScatterCall::Answers ScatterCall::TakeFound(const Spaces& spaces, const std::string& bytes) {
  peer::v1::FindInSpacesResponse reply;
  if (!reply.ParseFromString(bytes))
    return MakeError(ErrorCode::kInternal, "no FindInSpacesResponse");
  std::map<std::string, peer::v1::SpaceFindings*> by_name;
  for (peer::v1::SpaceFindings& found : *reply.mutable_spaces()) by_name[found.space()] = &found;
  std::vector<ScatterRound::Answer> answers;
  bool used = false;
  for (Space space : spaces) {
    ScatterRound::Answer& answer = answers.emplace_back();
    auto at = by_name.find(asked_[space]);
    peer::v1::SpaceFindings* found = at == by_name.end() ? nullptr : at->second;
    if (found == nullptr || found->has_refusal()) {
      answer = AnswerTo(space, RefusalIn(found));
      continue;
    }
    if (found->has_assignment()) Learn(asked_[space], found->assignment());
    if (findings_[space].status.ok()) continue;  // another holder was quicker
    Heed(found->standing());
    auto received = FromProto(std::move(*found));
    if (!received) return MakeError(ErrorCode::kInternal, "findings that contradict themselves");
    findings_[space] = std::move(received->findings);
    records_[space] = std::move(received->records);
    if (reply.has_confidence_factor()) factors_[space] = reply.confidence_factor();
    used = true;
  }
  degraded_ = degraded_ || (used && reply.has_confidence_factor());
  if (used && found_replies_++ == 0 && !statistics_) statistics_ = FromProto(reply.statistics());
  return answers;
}

void ScatterCall::OnFound(const Results& results) {
  // One node was to answer for everything, by its own statistics, and others had to help.
  const bool by_several = found_replies_ > 1 && !ranking_.text.terms.empty();
  if (by_several && !surveyed_) return Survey();
  for (size_t i = 0; i < names_.size(); ++i) {
    if (!results[i].answered) AddMissing(names_[i], results[i]);
  }
  if (!statistics_) statistics_.emplace();
  statistics_->with_term.resize(ranking_.text.terms.size());
  Merge();
}

}  // namespace engram::server
