#include "engram/server/consolidate_convert.h"

#include <google/protobuf/util/time_util.h>

#include <utility>

namespace engram::server {
namespace {

using Outcome = memory::ConsolidationStep::Outcome;

v1::ConsolidateOutcome ToProto(Outcome outcome) {
  switch (outcome) {
    case Outcome::kCreated:
      return v1::CONSOLIDATE_OUTCOME_CREATED;
    case Outcome::kUpdated:
      return v1::CONSOLIDATE_OUTCOME_UPDATED;
    case Outcome::kUnchanged:
      return v1::CONSOLIDATE_OUTCOME_UNCHANGED;
    case Outcome::kTakenOver:
      return v1::CONSOLIDATE_OUTCOME_TAKEN_OVER;
  }
  return v1::CONSOLIDATE_OUTCOME_UNSPECIFIED;
}

}  // namespace

memory::ConsolidationQuery ToQuery(const v1::ConsolidateRequest& request) {
  memory::ConsolidationQuery query;
  query.space = SpaceId(request.space());
  if (request.has_embedding_similarity()) {
    query.similarity.embedding_min = request.embedding_similarity();
  }
  if (request.has_text_similarity()) query.similarity.text_min = request.text_similarity();
  return query;
}

v1::StoreRequest ToRequest(memory::StoreCommand command) {
  v1::StoreRequest request;
  request.set_space(command.space.value());
  if (command.id.has_value()) request.set_id(command.id->value());
  request.set_content(std::move(command.content));
  request.mutable_embedding()->Add(command.embedding.begin(), command.embedding.end());
  for (std::string& tag : command.tags) request.add_tags(std::move(tag));
  request.mutable_metadata()->insert(command.metadata.begin(), command.metadata.end());
  if (command.confidence.has_value()) request.set_confidence(*command.confidence);
  request.set_kind(static_cast<v1::Kind>(command.kind));
  for (const memory::Link& link : command.links) {
    v1::LinkTarget* target = request.add_links();
    target->set_to(link.to.value());
    target->set_weight(link.weight);
  }
  if (command.occurred_at.has_value()) {
    *request.mutable_occurred_at() =
        google::protobuf::util::TimeUtil::MillisecondsToTimestamp(ToInt(*command.occurred_at));
  }
  if (command.if_state.has_value()) request.set_if_state(*command.if_state);
  return request;
}

v1::ForgetRequest ToRequest(const memory::ForgetCommand& command) {
  v1::ForgetRequest request;
  request.set_space(command.space.value());
  request.set_id(command.id.value());
  if (command.if_state.has_value()) request.set_if_state(*command.if_state);
  return request;
}

v1::ConsolidatedGroup ToProto(const memory::ConsolidationStep& step) {
  v1::ConsolidatedGroup group;
  group.set_id(step.id.value());
  group.set_outcome(ToProto(step.outcome));
  for (const memory::GroupMember& member : step.sources) {
    v1::ConsolidatedSource* source = group.add_sources();
    source->set_id(member.id.value());
    source->set_similarity(member.similarity);
  }
  if (step.store.has_value()) {
    group.set_content(step.store->content);
    group.set_confidence(step.store->confidence.value_or(1));
  }
  for (const memory::ForgetCommand& forget : step.forgets) {
    group.add_superseded(forget.id.value());
  }
  return group;
}

void Count(const v1::ConsolidatedGroup& group, v1::ConsolidateTotals& totals) {
  totals.set_superseded(totals.superseded() + static_cast<uint64_t>(group.superseded_size()));
  switch (group.outcome()) {
    case v1::CONSOLIDATE_OUTCOME_CREATED:
      return totals.set_created(totals.created() + 1);
    case v1::CONSOLIDATE_OUTCOME_UPDATED:
      return totals.set_updated(totals.updated() + 1);
    case v1::CONSOLIDATE_OUTCOME_UNCHANGED:
      return totals.set_unchanged(totals.unchanged() + 1);
    case v1::CONSOLIDATE_OUTCOME_TAKEN_OVER:
      return totals.set_taken_over(totals.taken_over() + 1);
    default:
      return totals.set_failed(totals.failed() + 1);
  }
}

}  // namespace engram::server
