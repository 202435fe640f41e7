#include "engram/server/scatter_call.h"

#include <fmt/format.h>

#include <algorithm>

#include "engram/memory/term_weights.h"
#include "engram/memory/validate.h"
#include "engram/server/convert.h"
#include "engram/server/scatter_convert.h"

namespace engram::server {

using routing::NodeIndex;
using routing::ScatterPlan;

namespace {

TimePoint EndOfStep(TimePoint deadline) {
  const TimePoint now = Now();
  return now + std::max(Duration::zero(), deadline - now) * 2 / 3;
}

}  // namespace

absl::StatusOr<ScatterCall::Request> ScatterCall::Parse(const std::string& body,
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
  request.spaces = *std::move(spaces);
  request.query = *std::move(query);
  request.strict = request.question.strict();
  request.deadline = deadline;
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
  options_.self = context.nodes.Intern(context.self);
}

void ScatterCall::Start() {
  std::vector<ScatterPlan::Holders> holders;
  for (const std::string& name : request_.spaces.names) holders.push_back(HoldersOf(name));
  if (NeedsSurvey(holders)) return Survey();
  Find(request_.spaces.names);
}

void ScatterCall::Cancel() {
  auto self = shared_from_this();
  if (round_ != nullptr) round_->Cancel();
  done_ = nullptr;
}

void ScatterCall::Ask(ScatterStep step, const std::vector<ScatterPlan::Holders>& spaces,
                      std::string (ScatterCall::*request)(const Spaces&),
                      Answers (ScatterCall::*take)(const Spaces&, const std::string&),
                      void (ScatterCall::*done)(const Results&)) {
  // Only `done` holds this call: the others are not used after it.
  ScatterRound::Question question{
      step, [this, request](const Spaces& of) { return (this->*request)(of); },
      [this, take](const Spaces& of, const std::string& reply) { return (this->*take)(of, reply); },
      [self = shared_from_this(), done](const Results& results,
                                        const routing::AttemptRecords& attempts) {
        self->attempts_.insert(self->attempts_.end(), attempts.begin(), attempts.end());
        if (self->done_) ((*self).*done)(results);
      }};
  round_ = std::make_shared<ScatterRound>(context_, loop_, service_, std::move(question), spaces,
                                          EndOfStep(request_.deadline), options_);
  round_->Start();
}

// --- who holds what

ScatterPlan::Holders ScatterCall::HoldersOf(const std::string& name) const {
  ScatterPlan::Holders holders;
  const routing::Knowledge knowledge = context_.KnowledgeOf(name);
  const routing::Route* route = Authority(knowledge, context_.view());
  if (route == nullptr) {
    holders.nodes.push_back(knowledge.proposed);
    return holders;
  }
  holders.version = route->version;
  const bool here = knowledge.held.has_value() && route->HeldBy(options_.self);
  if (here) holders.nodes.push_back(options_.self);
  for (NodeIndex node :
       OrderHolders(routing::Operation::kRecall, {}, *route, context_.nodes, Now(), loop_.random)) {
    if (node != options_.self) holders.nodes.push_back(node);
  }
  return holders;
}

void ScatterCall::AddRouted(const std::string& name, peer::v1::RoutedSpace* routed) const {
  routed->set_name(name);
  const std::optional<routing::Route> route = context_.table.Find(name);
  if (route) *routed->mutable_version() = ToProto(context_.nodes.ToVersion(route->version));
}

void ScatterCall::Learn(const std::string& name, const v1::Assignment& proto) {
  const placement::Assignment assignment = FromProto(proto);
  if (assignment.space.view() == name) context_.table.Apply(std::span(&assignment, 1));
}

ScatterRound::Answer ScatterCall::AnswerTo(const std::string& name,
                                           const peer::v1::SpaceRefusal& refusal) {
  using Kind = ScatterRound::Answer::Kind;
  ScatterRound::Answer answer{Kind::kFailed, {}, FromProto(refusal)};
  const ErrorCode code = CodeOf(answer.error);
  if (code == ErrorCode::kNoAssignment) answer.kind = Kind::kNotHere;
  if (code != ErrorCode::kWrongNode) return answer;
  Learn(name, refusal.assignment());
  if (const std::optional<routing::Route> route = context_.table.Find(name)) answer.route = *route;
  answer.kind = Kind::kElsewhere;
  return answer;
}

void ScatterCall::AddMissing(const std::string& space, const ScatterPlan::Result& result) {
  if (CodeOf(result.error) == ErrorCode::kNoAssignment) {
    missing_[space] = MakeError(ErrorCode::kNoAssignment, "no such space");
    return;
  }
  ErrorDetail detail = DetailOf(result.error);
  detail.space = space;
  if (result.node != routing::kNoNode) detail.node = context_.nodes.IdOf(result.node).value();
  missing_[space] =
      MakeError(detail, fmt::format("{}: {}", detail.node, std::string(result.error.message())));
}

// --- survey

bool ScatterCall::NeedsSurvey(const std::vector<ScatterPlan::Holders>& holders) const {
  if (!request_.spaces.patterns.empty()) return true;
  if (ranking_.text.terms.empty() || holders.empty()) return false;
  return std::any_of(holders.begin(), holders.end(), [&](const ScatterPlan::Holders& of_space) {
    return of_space.nodes.front() != holders.front().nodes.front();
  });
}

// The patterns are asked of each node as one more space that it alone holds.
void ScatterCall::Survey() {
  survey_.clear();
  pattern_nodes_.clear();
  std::vector<ScatterPlan::Holders> spaces;
  for (const std::string& name : request_.spaces.names) spaces.push_back(HoldersOf(name));
  if (!request_.spaces.patterns.empty()) {
    for (NodeIndex node : LiveNodes(context_)) {
      spaces.push_back({{node}, {}});
      pattern_nodes_.push_back(context_.nodes.IdOf(node));
    }
  }
  Ask(ScatterStep::kSurvey, spaces, &ScatterCall::SurveyRequest, &ScatterCall::TakeSurvey,
      &ScatterCall::OnSurveyed);
}

std::string ScatterCall::SurveyRequest(const Spaces& spaces) {
  peer::v1::SurveySpacesRequest request;
  *request.mutable_question() = request_.question;
  for (Space space : spaces) {
    if (space < request_.spaces.names.size()) {
      AddRouted(request_.spaces.names[space], request.add_spaces());
    } else {
      for (const std::string& pattern : request_.spaces.patterns) request.add_patterns(pattern);
    }
  }
  return request.SerializeAsString();
}

ScatterCall::Answers ScatterCall::TakeSurvey(const Spaces& spaces, const std::string& bytes) {
  peer::v1::SurveySpacesResponse reply;
  if (!reply.ParseFromString(bytes))
    return MakeError(ErrorCode::kInternal, "no SurveySpacesResponse");
  std::map<std::string, const peer::v1::SpaceSurvey*> by_name;
  for (const peer::v1::SpaceSurvey& survey : reply.spaces()) {
    by_name[survey.space()] = &survey;
    if (survey.has_assignment()) Learn(survey.space(), survey.assignment());
    if (survey.has_statistics())
      survey_.try_emplace(survey.space(), FromProto(survey.statistics()));
  }
  std::vector<ScatterRound::Answer> answers;
  for (Space space : spaces) {
    ScatterRound::Answer& answer = answers.emplace_back();
    if (space >= request_.spaces.names.size()) continue;
    const std::string& name = request_.spaces.names[space];
    auto found = by_name.find(name);
    const bool answered = found != by_name.end() && found->second->has_statistics();
    if (answered) continue;
    answer = AnswerTo(name,
                      found == by_name.end() ? peer::v1::SpaceRefusal() : found->second->refusal());
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
  if (survey_.size() > kSpacesMax) {
    return Finish(InvalidArgument(
        "spaces", fmt::format("{} spaces match, the limit is {}", survey_.size(), kSpacesMax)));
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
      if (self->survey_.contains(space) || self->missing_.contains(space)) continue;
      self->AddMissing(space, {false, self->context_.nodes.Intern(node), self->unreached_[node]});
    }
    memory::TextStatistics sum;
    sum.with_term.resize(self->ranking_.text.terms.size());
    std::vector<std::string> names;
    for (const auto& [space, statistics] : self->survey_) {
      names.push_back(space);
      Add(statistics, sum);
    }
    self->statistics_ = std::move(sum);
    self->Find(std::move(names));
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

// --- find

void ScatterCall::Find(std::vector<std::string> names) {
  names_ = std::move(names);
  findings_.assign(names_.size(), {});
  records_.assign(names_.size(), {});
  found_replies_ = 0;
  std::vector<ScatterPlan::Holders> spaces;
  for (size_t i = 0; i < names_.size(); ++i) {
    findings_[i].space = SpaceId(names_[i]);
    findings_[i].status = absl::UnknownError("not searched");
    spaces.push_back(HoldersOf(names_[i]));
  }
  Ask(ScatterStep::kFind, spaces, &ScatterCall::FindRequest, &ScatterCall::TakeFound,
      &ScatterCall::OnFound);
}

std::string ScatterCall::FindRequest(const Spaces& spaces) {
  peer::v1::FindInSpacesRequest request;
  *request.mutable_question() = request_.question;
  if (statistics_) *request.mutable_statistics() = ToProto(*statistics_);
  for (Space space : spaces) AddRouted(names_[space], request.add_spaces());
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
    auto found = by_name.find(names_[space]);
    if (found == by_name.end() || found->second->has_refusal()) {
      answer = AnswerTo(names_[space], found == by_name.end() ? peer::v1::SpaceRefusal()
                                                              : found->second->refusal());
      continue;
    }
    if (found->second->has_assignment()) Learn(names_[space], found->second->assignment());
    if (findings_[space].status.ok()) continue;  // another holder was quicker
    auto received = FromProto(std::move(*found->second));
    if (!received) return MakeError(ErrorCode::kInternal, "findings that contradict themselves");
    findings_[space] = std::move(received->findings);
    records_[space] = std::move(received->records);
    used = true;
  }
  if (used && found_replies_++ == 0 && !statistics_) statistics_ = FromProto(reply.statistics());
  return answers;
}

void ScatterCall::OnFound(const Results& results) {
  // One node was to answer for everything, by its own statistics, and others had to help.
  const bool by_several = found_replies_ > 1 && !ranking_.text.terms.empty();
  if (by_several && survey_.empty()) {
    statistics_.reset();
    return Survey();
  }
  for (size_t i = 0; i < names_.size(); ++i) {
    if (!results[i].answered) AddMissing(names_[i], results[i]);
  }
  if (!statistics_) statistics_.emplace();
  statistics_->with_term.resize(ranking_.text.terms.size());
  Merge();
}

}  // namespace engram::server
