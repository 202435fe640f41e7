#include "engram/server/scatter_service.h"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "engram/memory/validate.h"
#include "engram/server/convert.h"
#include "engram/server/metadata_names.h"
#include "engram/server/peer_service.h"
#include "engram/server/scatter_convert.h"
#include "engram/server/scatter_names.h"

namespace engram::server {
namespace {

// What a node accepts of another (net/channel.h).
constexpr size_t kReplyBytesMax = 4u << 20;

template <class Request>
absl::StatusOr<Request> Parse(const std::string& body) {
  Request request;
  if (request.ParseFromString(body)) return request;
  return InvalidArgument("message", fmt::format("the bytes are not a valid {}",
                                                std::string(Request::descriptor()->name())));
}

absl::StatusOr<std::string> Sized(const google::protobuf::Message& reply) {
  std::string bytes = reply.SerializeAsString();
  if (bytes.size() <= kReplyBytesMax) return bytes;
  return InvalidArgument(
      "limit", fmt::format("what was found takes {} bytes, an answer may have {}; ask with a "
                           "smaller limit or for fewer spaces",
                           bytes.size(), kReplyBytesMax));
}

absl::StatusOr<memory::RecallQuery> Question(const v1::RecallManyRequest& request) {
  auto query = ToQuery(request);
  if (!query.ok()) return query;
  if (absl::Status valid = ValidateQuestion(*query); !valid.ok()) return valid;
  return query;
}

// One request of another node, or of this one's own: what it may answer for, and what not.
class Answerer {
 public:
  Answerer(const NodeContext& context, const memory::Engine& engine)
      : context_(context), engine_(engine) {}

  absl::StatusOr<std::string> Survey(const peer::v1::SurveySpacesRequest& request) {
    auto query = Question(request.question());
    if (!query.ok()) return query.status();
    peer::v1::SurveySpacesResponse reply;
    for (const peer::v1::RoutedSpace& space : request.spaces()) {
      if (!Hold(space)) *reply.add_spaces() = Refused<peer::v1::SpaceSurvey>(space.name());
    }
    HoldMatching({request.patterns().begin(), request.patterns().end()});
    const auto answers = engine_.Survey(held_, *query);
    for (size_t i = 0; i < held_.size(); ++i) {
      peer::v1::SpaceSurvey* survey = reply.add_spaces();
      survey->set_space(held_[i].value());
      if (answers[i].ok()) *survey->mutable_statistics() = ToProto(*answers[i]);
      if (!answers[i].ok()) *survey->mutable_refusal() = ToRefusal(answers[i].status());
      AddNewer(held_[i], *survey);
    }
    return Sized(reply);
  }

  absl::StatusOr<std::string> Find(const peer::v1::FindInSpacesRequest& request) {
    auto query = Question(request.question());
    if (!query.ok()) return query.status();
    peer::v1::FindInSpacesResponse reply;
    for (const peer::v1::RoutedSpace& space : request.spaces()) {
      if (!Hold(space)) *reply.add_spaces() = Refused<peer::v1::SpaceFindings>(space.name());
    }
    const memory::TextStatistics given = FromProto(request.statistics());
    auto found =
        engine_.Find(held_, *query, {.statistics = request.has_statistics() ? &given : nullptr});
    if (!found.ok()) return found.status();
    *reply.mutable_statistics() = ToProto(found->statistics);
    for (memory::SpaceFindings& space : found->spaces) {
      const SpaceId id = space.space;
      *reply.add_spaces() = ToProto(std::move(space));
      AddNewer(id, *reply.mutable_spaces(reply.spaces_size() - 1));
    }
    return Sized(reply);
  }

  absl::StatusOr<std::string> Read(const peer::v1::ReadFoundRequest& request) {
    auto query = Question(request.question());
    if (!query.ok()) return query.status();
    peer::v1::ReadFoundResponse reply;
    for (const peer::v1::MemoriesOfSpace& wanted : request.spaces()) {
      const std::string& name = wanted.space().name();
      if (!Hold(wanted.space())) {
        *reply.add_spaces() = Refused<peer::v1::ReadSpace>(name);
        continue;
      }
      peer::v1::ReadSpace* space = reply.add_spaces();
      space->set_space(name);
      for (const std::string& id : wanted.ids()) {
        auto memory = engine_.ReadFound(SpaceId(name), MemoryId(id), *query);
        if (!memory.ok()) return memory.status();
        if (memory->has_value()) *space->add_memories() = ToRecord(**std::move(memory));
      }
      AddNewer(SpaceId(name), *space);
    }
    return Sized(reply);
  }

 private:
  // False: it is refused, for the reason in refusal_.
  bool Hold(const peer::v1::RoutedSpace& routed) {
    const SpaceId space(routed.name());
    refusal_ = CheckHeld(context_, space);
    if (!refusal_.ok()) return false;
    held_.push_back(space);
    routed_by_[space] = FromProto(routed.version());
    return true;
  }

  void HoldMatching(const std::vector<std::string>& patterns) {
    if (patterns.empty()) return;
    const absl::flat_hash_set<SpaceId> named(held_.begin(), held_.end());
    for (const memory::SpaceSummary& summary : engine_.ListSpaces()) {
      const bool wanted =
          MatchesAny(patterns, summary.space.view()) && !named.contains(summary.space);
      if (wanted && CheckHeld(context_, summary.space).ok()) held_.push_back(summary.space);
    }
  }

  template <class Outcome>
  Outcome Refused(const std::string& space) const {
    Outcome outcome;
    outcome.set_space(space);
    *outcome.mutable_refusal() = ToRefusal(refusal_);
    return outcome;
  }

  // Fresh routing rides on the success, as with a single request.
  template <class Outcome>
  void AddNewer(const SpaceId& space, Outcome& outcome) const {
    auto known = context_.table.FindAssignment(space.view());
    auto routed_by = routed_by_.find(space);
    const bool newer =
        known && (routed_by == routed_by_.end() || known->version > routed_by->second);
    if (newer) *outcome.mutable_assignment() = ToProto(*known);
  }

  const NodeContext& context_;
  const memory::Engine& engine_;
  std::vector<SpaceId> held_;
  std::map<SpaceId, Version> routed_by_;
  absl::Status refusal_;
};

}  // namespace

absl::StatusOr<std::string> ScatterService::Answer(ScatterStep step,
                                                   const std::string& body) const {
  auto answer = [&](auto request, auto work) -> absl::StatusOr<std::string> {
    if (!request.ok()) return request.status();
    Answerer answerer(context_, engine_);
    return (answerer.*work)(*request);
  };
  switch (step) {
    case ScatterStep::kSurvey:
      return answer(Parse<peer::v1::SurveySpacesRequest>(body), &Answerer::Survey);
    case ScatterStep::kFind:
      return answer(Parse<peer::v1::FindInSpacesRequest>(body), &Answerer::Find);
    case ScatterStep::kRead:
      return answer(Parse<peer::v1::ReadFoundRequest>(body), &Answerer::Read);
  }
  return MakeError(ErrorCode::kInternal, "no such step");
}

void ScatterService::Serve(net::EventLoop& loop, ScatterStep step, std::string body, Done done) {
  OnWorker<std::string>(
      loop, [this, step, body = std::move(body)] { return Answer(step, body); }, std::move(done));
}

void ScatterService::AddTo(net::Server& server) {
  for (ScatterStep step : {ScatterStep::kSurvey, ScatterStep::kFind, ScatterStep::kRead}) {
    server.AddUnary(PeerMethod(step), [this, step](net::ServerCall call, std::string body) {
      if (absl::Status ours = CheckCluster(context_, call); !ours.ok()) return call.Reply(ours);
      net::EventLoop& loop = call.loop();
      Serve(loop, step, std::move(body),
            [this, call = std::move(call)](absl::StatusOr<std::string> reply) mutable {
              call.AddTrailer(kMdServedBy, context_.self.view(), net::Recurrence::kRepeated);
              call.Reply(std::move(reply));
            });
    });
  }
}

}  // namespace engram::server
