#include "engram/server/scatter_call.h"

#include <fmt/format.h>

#include <algorithm>

#include "engram/memory/term_weights.h"
#include "engram/memory/validate.h"
#include "engram/routing/route_names.h"
#include "engram/server/convert.h"
#include "engram/server/request_metadata.h"
#include "engram/server/scatter_convert.h"

namespace engram::server {

using routing::NodeIndex;
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

template <class Outcome>
const peer::v1::SpaceRefusal* RefusalIn(const Outcome* outcome) {
  return outcome == nullptr || !outcome->has_refusal() ? nullptr : &outcome->refusal();
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
  routed->set_primary_only(PolicyOf(name).preference == routing::ReadPreference::kPrimary);
}

void ScatterCall::Learn(const std::string& name, const v1::Assignment& proto) {
  const placement::Assignment assignment = FromProto(proto);
  if (assignment.space.view() != name) return;
  if (context_.table.Apply(std::span(&assignment, 1)) > 0) stale_ = true;
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

// --- survey

bool ScatterCall::NeedsSurvey(const std::vector<Wanted>& spaces) const {
  if (!request_.spaces.patterns.empty()) return true;
  if (ranking_.text.terms.empty()) return false;
  // Who is asked first for all of them; nobody is known for a space that has to be looked up.
  std::optional<NodeIndex> first;
  for (const Wanted& space : spaces) {
    const routing::Decision& decision = space.decision;
    const bool nobody = decision.candidates.empty();
    if (nobody && decision.strategy == routing::Strategy::kLocalOnly) continue;
    const NodeIndex node = nobody ? routing::kNoNode : decision.candidates.front();
    if (nobody || first.value_or(node) != node) return true;
    first = node;
  }
  return false;
}

void ScatterCall::Survey() {
  surveyed_ = true;
  statistics_.reset();
  survey_.clear();
  matched_.clear();
  asked_ = request_.spaces.names;
  std::vector<Wanted> spaces = WantedOfAsked();
  if (!request_.spaces.patterns.empty()) AddPatterns(spaces);
  Ask(ScatterStep::kSurvey, spaces, &ScatterCall::SurveyRequest, &ScatterCall::TakeSurvey,
      &ScatterCall::OnSurveyed);
}

// The patterns are asked of each node as one more space that it alone could hold. Who is not asked
// may hold more than anybody knows.
void ScatterCall::AddPatterns(std::vector<Wanted>& spaces) {
  pattern_nodes_.clear();
  unreached_.clear();
  nodes_for_patterns_ = 0;
  const bool cut_off = context_.reachability.Load().partitioned;
  for (NodeIndex node : context_.members()) {
    const routing::NodeState& state = context_.nodes.Of(node);
    const routing::Liveness liveness = state.liveness.load();
    if (liveness == routing::Liveness::kLeft) continue;
    ++nodes_for_patterns_;
    if (cut_off && node != context_.self_index) {
      unreached_[state.id] =
          MakeError(ErrorCode::kNoLocalData, "this node is cut off from the cluster");
    } else if (liveness == routing::Liveness::kDead) {
      unreached_[state.id] = MakeError(ErrorCode::kConnectionFailed, "the node is held dead");
    } else {
      routing::Decision there;
      there.candidates.push_back(node);
      spaces.push_back({there, {}, true});
      pattern_nodes_.push_back(state.id);
    }
  }
}

std::string ScatterCall::SurveyRequest(const Spaces& spaces) {
  peer::v1::SurveySpacesRequest request;
  *request.mutable_question() = request_.question;
  for (Space space : spaces) {
    if (space < asked_.size()) {
      AddRouted(space, request.add_spaces());
    } else {
      for (const std::string& pattern : request_.spaces.patterns) request.add_patterns(pattern);
    }
  }
  return request.SerializeAsString();
}

// The primary's counts before those of a replica, which may be behind.
void ScatterCall::TakeStatistics(const peer::v1::SpaceSurvey& survey) {
  const bool primary_only =
      PolicyOf(survey.space()).preference == routing::ReadPreference::kPrimary;
  if (survey.primary()) {
    survey_[survey.space()] = FromProto(survey.statistics());
  } else if (primary_only) {
    matched_.insert(survey.space());
  } else {
    survey_.try_emplace(survey.space(), FromProto(survey.statistics()));
  }
}

ScatterCall::Answers ScatterCall::TakeSurvey(const Spaces& spaces, const std::string& bytes) {
  peer::v1::SurveySpacesResponse reply;
  if (!reply.ParseFromString(bytes))
    return MakeError(ErrorCode::kInternal, "no SurveySpacesResponse");
  std::map<std::string, const peer::v1::SpaceSurvey*> by_name;
  for (const peer::v1::SpaceSurvey& survey : reply.spaces()) by_name[survey.space()] = &survey;
  std::vector<ScatterRound::Answer> answers;
  for (Space space : spaces) {
    ScatterRound::Answer& answer = answers.emplace_back();
    if (space >= asked_.size()) {
      if (reply.has_patterns_refusal()) answer.error = FromProto(reply.patterns_refusal());
      continue;
    }
    auto found = by_name.find(asked_[space]);
    const peer::v1::SpaceSurvey* survey = found == by_name.end() ? nullptr : found->second;
    if (survey != nullptr && survey->has_assignment()) Learn(asked_[space], survey->assignment());
    if (survey == nullptr || !survey->has_statistics()) {
      answer = AnswerTo(space, RefusalIn(survey));
    }
  }
  for (const auto& [name, survey] : by_name) {
    if (survey->has_statistics()) TakeStatistics(*survey);
    // What a pattern brought to light was asked for by no route that could be stale.
    const placement::Assignment newest = FromProto(survey->assignment());
    if (newest.space.view() == name) context_.table.Apply(std::span(&newest, 1));
  }
  return answers;
}

void ScatterCall::OnSurveyed(const Results& results) {
  const std::vector<std::string>& names = request_.spaces.names;
  for (size_t i = 0; i < names.size(); ++i) {
    if (!survey_.contains(names[i])) AddMissing(names[i], results[i]);
  }
  for (size_t i = names.size(); i < results.size(); ++i) {
    if (!results[i].answered) unreached_[pattern_nodes_[i - names.size()]] = results[i].error;
  }
  const size_t found = survey_.size() + matched_.size();
  if (found > kSpacesMax) {
    return Finish(InvalidArgument(
        "spaces", fmt::format("{} spaces match, the limit is {}", found, kSpacesMax)));
  }
  NameWhatIsKnownOf(unreached_);
}

// Of a node that did not say which of its spaces match, this one may know some. On a worker: they
// can be many.
void ScatterCall::NameWhatIsKnownOf(std::map<NodeId, absl::Status> unreached) {
  using Known = std::vector<std::pair<std::string, NodeId>>;
  auto go_on = [self = shared_from_this()](const absl::StatusOr<Known>& known) {
    if (!self->done_) return;
    if (!known.ok()) return self->Finish(known.status());
    for (const auto& [space, node] : *known) {
      const bool found = self->survey_.contains(space) || self->matched_.contains(space);
      if (found || self->missing_.contains(space)) continue;
      self->AddMissing(space, {false, self->context_.nodes.Intern(node), self->unreached_[node]});
    }
    self->FindInSurveyed();
  };
  if (unreached.empty()) return go_on(Known());
  service_.OnWorker<Known>(
      *loop_.loop,
      [this, self = shared_from_this(),
       unreached = std::move(unreached)]() -> absl::StatusOr<Known> {
        Known known;
        for (const auto& [node, error] : unreached) {
          for (const SpaceId& space : context_.table.SpacesOf(node)) {
            if (MatchesAny(request_.spaces.patterns, space.view())) {
              known.emplace_back(space.value(), node);
            }
          }
        }
        return known;
      },
      std::move(go_on));
}

void ScatterCall::FindInSurveyed() {
  memory::TextStatistics sum;
  sum.with_term.resize(ranking_.text.terms.size());
  std::vector<std::string> names;
  for (const auto& [space, statistics] : survey_) {
    names.push_back(space);
    Add(statistics, sum);
  }
  for (const std::string& space : matched_) {
    if (!survey_.contains(space) && !missing_.contains(space)) names.push_back(space);
  }
  statistics_ = std::move(sum);
  Find(std::move(names));
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
