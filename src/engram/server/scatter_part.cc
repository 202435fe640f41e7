#include "engram/server/scatter_part.h"

#include <fmt/format.h>

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "engram/base/session_token.h"
#include "engram/server/convert.h"
#include "engram/server/ownership.h"
#include "engram/server/replication_port.h"
#include "engram/server/scatter_convert.h"
#include "engram/server/scatter_names.h"

namespace engram::server {
namespace {

// What a node accepts of another (net/channel.h).
constexpr size_t kReplyBytesMax = 4u << 20;

absl::StatusOr<std::string> Sized(const google::protobuf::Message& reply) {
  std::string bytes = reply.SerializeAsString();
  if (bytes.size() <= kReplyBytesMax) return bytes;
  return InvalidArgument(
      "limit", fmt::format("what was found takes {} bytes, an answer may have {}; ask with a "
                           "smaller limit or for fewer spaces",
                           bytes.size(), kReplyBytesMax));
}

routing::ReadPolicy PolicyOf(const peer::v1::RoutedSpace& routed) {
  if (!routed.primary_only()) return {};
  return {routing::ReadPreference::kPrimary, false};
}

}  // namespace

// --- what the steps have in common

void ScatterPart::SortSpace(const peer::v1::RoutedSpace& routed) {
  const SpaceId space(routed.name());
  absl::Status refusal =
      RefusalOf(context_, routing::Operation::kRecall, PolicyOf(routed), space, false);
  const auto seen = ParseSessionToken(routed.session());
  const bool lacks = refusal.ok() && seen.has_value() && context_.replication != nullptr &&
                     !context_.replication->Has(space, *seen);
  // No waiting: the others are asked meanwhile.
  if (lacks && !IsPrimary(space)) refusal = WrongNodeFor(context_, space);
  if (lacks && refusal.ok()) behind_.insert(space);
  if (!refusal.ok()) {
    refused_.emplace_back(routed.name(), std::move(refusal));
    return;
  }
  held_.push_back(space);
  routed_by_[space] = FromProto(routed.version());
}

void ScatterPart::HoldMatching(const std::vector<std::string>& patterns) {
  if (patterns.empty()) return;
  const absl::flat_hash_set<SpaceId> named(held_.begin(), held_.end());
  for (const memory::SpaceSummary& summary : engine_.ListSpaces()) {
    if (!MatchesAny(patterns, summary.space.view()) || named.contains(summary.space)) continue;
    const bool ours =
        RefusalOf(context_, routing::Operation::kRecall, {}, summary.space, false).ok();
    if (ours) held_.push_back(summary.space);
  }
}

bool ScatterPart::IsPrimary(const SpaceId& space) const {
  const routing::Knowledge knowledge = context_.KnowledgeOf(space.view());
  const routing::Route* route = Authority(knowledge, context_.view());
  return route != nullptr && route->primary == context_.self_index;
}

template <class Outcome>
void ScatterPart::Refuse(const std::string& space, const absl::Status& why, Outcome& outcome) {
  outcome.set_space(space);
  *outcome.mutable_refusal() = ToRefusal(why);
}

template <class Outcome>
void ScatterPart::AddNewer(const SpaceId& space, Outcome& outcome) const {
  auto known = context_.table.FindAssignment(space.view());
  auto routed_by = routed_by_.find(space);
  const bool newer = known && (routed_by == routed_by_.end() || known->version > routed_by->second);
  if (newer) *outcome.mutable_assignment() = ToProto(*known);
}

template <class Outcome>
void ScatterPart::AddStanding(const SpaceId& space, Outcome& outcome) const {
  if (context_.replication == nullptr) return;
  const ReplicationPort::Standing standing = context_.replication->StandingOf(space);
  peer::v1::CopyStanding& proto = *outcome.mutable_standing();
  proto.set_degraded(standing.degraded || behind_.contains(space));
  if (standing.staleness.has_value()) {
    proto.set_staleness_ms(static_cast<uint64_t>(standing.staleness->count()));
  }
}

template <class Response>
void ScatterPart::AddRefused(Response& reply) const {
  for (const auto& [space, why] : refused_) Refuse(space, why, *reply.add_spaces());
}

template <class Response>
std::string ScatterPart::AllShed(Response reply, const absl::Status& why) const {
  AddRefused(reply);
  for (const SpaceId& space : held_) Refuse(space.value(), why, *reply.add_spaces());
  return reply.SerializeAsString();
}

// --- survey

void SurveyPart::Sort(const Request& request) {
  for (const peer::v1::RoutedSpace& space : request.spaces()) SortSpace(space);
}

absl::StatusOr<std::string> SurveyPart::Answer(const Request& request,
                                               const memory::RecallQuery& query) {
  peer::v1::SurveySpacesResponse reply;
  AddRefused(reply);
  HoldMatching({request.patterns().begin(), request.patterns().end()});
  const auto answers = engine_.Survey(held_, query);
  for (size_t i = 0; i < held_.size(); ++i) {
    peer::v1::SpaceSurvey& survey = *reply.add_spaces();
    survey.set_space(held_[i].value());
    survey.set_primary(IsPrimary(held_[i]));
    if (answers[i].ok()) *survey.mutable_statistics() = ToProto(*answers[i]);
    if (!answers[i].ok()) *survey.mutable_refusal() = ToRefusal(answers[i].status());
    AddNewer(held_[i], survey);
  }
  return Sized(reply);
}

std::string SurveyPart::Shed(const Request& request, const absl::Status& why) const {
  peer::v1::SurveySpacesResponse reply;
  if (!request.patterns().empty()) *reply.mutable_patterns_refusal() = ToRefusal(why);
  return AllShed(std::move(reply), why);
}

// --- find

void FindPart::Sort(const Request& request) {
  for (const peer::v1::RoutedSpace& space : request.spaces()) SortSpace(space);
}

absl::StatusOr<std::string> FindPart::Answer(const Request& request,
                                             const memory::RecallQuery& query) {
  const memory::TextStatistics given = FromProto(request.statistics());
  auto found =
      engine_.Find(held_, query, {.statistics = request.has_statistics() ? &given : nullptr});
  if (!found.ok()) return found.status();
  peer::v1::FindInSpacesResponse reply;
  AddRefused(reply);
  const routing::Reachability reach = context_.reachability.Load();
  if (reach.partitioned) reply.set_confidence_factor(reach.ConfidenceFactor());
  *reply.mutable_statistics() = ToProto(found->statistics);
  for (memory::SpaceFindings& space : found->spaces) {
    const SpaceId id = space.space;
    peer::v1::SpaceFindings& findings = *reply.add_spaces();
    findings = ToProto(std::move(space));
    AddNewer(id, findings);
    AddStanding(id, findings);
  }
  return Sized(reply);
}

std::string FindPart::Shed(const Request& /*request*/, const absl::Status& why) const {
  return AllShed(peer::v1::FindInSpacesResponse(), why);
}

// --- read

void ReadPart::Sort(const Request& request) {
  for (const peer::v1::MemoriesOfSpace& wanted : request.spaces()) SortSpace(wanted.space());
}

absl::StatusOr<std::string> ReadPart::Answer(const Request& request,
                                             const memory::RecallQuery& query) {
  peer::v1::ReadFoundResponse reply;
  AddRefused(reply);
  for (const peer::v1::MemoriesOfSpace& wanted : request.spaces()) {
    const SpaceId space(wanted.space().name());
    if (!routed_by_.contains(space)) continue;  // refused
    peer::v1::ReadSpace& read = *reply.add_spaces();
    read.set_space(space.value());
    for (const std::string& id : wanted.ids()) {
      auto memory = engine_.ReadFound(space, MemoryId(id), query);
      if (!memory.ok()) return memory.status();
      if (memory->has_value()) *read.add_memories() = ToRecord(**std::move(memory));
    }
    AddNewer(space, read);
    AddStanding(space, read);
  }
  return Sized(reply);
}

std::string ReadPart::Shed(const Request& /*request*/, const absl::Status& why) const {
  return AllShed(peer::v1::ReadFoundResponse(), why);
}

}  // namespace engram::server
