// The first step of a recall over several spaces: what the query's words weigh in each, and which
// spaces match a pattern.
#include <fmt/format.h>

#include "engram/memory/term_weights.h"
#include "engram/server/convert.h"
#include "engram/server/scatter_call.h"
#include "engram/server/scatter_convert.h"

namespace engram::server {

using routing::NodeIndex;

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
  for (NodeIndex node : context_.directory.members()) {
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
    if (newest.space.view() == name) context_.Learn(newest);
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

}  // namespace engram::server
