#include "engram/server/scatter_convert.h"

#include <algorithm>
#include <utility>

#include "engram/base/error.h"
#include "engram/server/convert.h"

namespace engram::server {
namespace {

constexpr uint64_t kRetryAfterMillisMax = 3'600'000;

peer::v1::FoundMemory FoundProto(memory::Found found) {
  peer::v1::FoundMemory proto;
  proto.set_id(found.id.value());
  if (found.text_score) proto.set_text_score(*found.text_score);
  if (found.vector_score) proto.set_vector_score(*found.vector_score);
  proto.set_eligible(found.eligible);
  proto.set_confidence(found.confidence);
  proto.mutable_terms()->Add(found.terms.begin(), found.terms.end());
  for (const memory::FoundLink& link : found.links) {
    proto.add_link_to(link.to);
    proto.add_link_weight(link.weight);
  }
  if (found.memory) *proto.mutable_memory() = ToRecord(*std::move(found.memory));
  return proto;
}

std::optional<memory::Found> FromFound(const peer::v1::FoundMemory& proto, size_t count) {
  memory::Found found;
  found.id = MemoryId(proto.id());
  if (proto.has_text_score()) found.text_score = proto.text_score();
  if (proto.has_vector_score()) found.vector_score = proto.vector_score();
  found.eligible = proto.eligible();
  found.confidence = proto.confidence();
  found.terms.assign(proto.terms().begin(), proto.terms().end());
  if (proto.link_to_size() != proto.link_weight_size()) return std::nullopt;
  for (int i = 0; i < proto.link_to_size(); ++i) {
    if (proto.link_to(i) >= count) return std::nullopt;
    found.links.push_back({proto.link_to(i), proto.link_weight(i)});
  }
  return found;
}

}  // namespace

absl::StatusOr<memory::RecallQuery> ToQuery(const v1::RecallManyRequest& request) {
  v1::RecallRequest one;
  one.set_query(request.query());
  *one.mutable_embedding() = request.embedding();
  if (request.has_limit()) one.set_limit(request.limit());
  *one.mutable_tags() = request.tags();
  *one.mutable_metadata() = request.metadata();
  one.set_kind(request.kind());
  if (request.has_after()) *one.mutable_after() = request.after();
  if (request.has_before()) *one.mutable_before() = request.before();
  one.set_min_confidence(request.min_confidence());
  return ToQuery(std::move(one));
}

peer::v1::TextStatistics ToProto(const memory::TextStatistics& statistics) {
  peer::v1::TextStatistics proto;
  proto.set_documents(statistics.documents);
  proto.set_words(statistics.words);
  proto.mutable_with_term()->Add(statistics.with_term.begin(), statistics.with_term.end());
  return proto;
}

memory::TextStatistics FromProto(const peer::v1::TextStatistics& proto) {
  return {proto.documents(), proto.words(), {proto.with_term().begin(), proto.with_term().end()}};
}

uint64_t MillisOf(Duration duration) {
  return static_cast<uint64_t>(
      std::chrono::ceil<std::chrono::milliseconds>(std::max(duration, Duration::zero())).count());
}

peer::v1::SpaceRefusal ToRefusal(const absl::Status& status) {
  peer::v1::SpaceRefusal refusal;
  refusal.set_code(static_cast<v1::ErrorCode>(CodeOf(status)));
  refusal.set_message(std::string(status.message()));
  if (auto known = AttachedAssignment(status)) *refusal.mutable_assignment() = ToProto(*known);
  refusal.set_retry_after_ms(MillisOf(DetailOf(status).retry_after));
  return refusal;
}

absl::Status FromProto(const peer::v1::SpaceRefusal& refusal) {
  const bool known = refusal.code() > 0 && refusal.code() < kErrorCodeCount;
  ErrorDetail detail;
  detail.code = known ? static_cast<ErrorCode>(refusal.code()) : ErrorCode::kInternal;
  detail.retry_after =
      std::chrono::milliseconds(std::min<uint64_t>(refusal.retry_after_ms(), kRetryAfterMillisMax));
  return MakeError(detail, known ? refusal.message() : "the node did not say why");
}

v1::RecallResult ToRecord(memory::Memory memory) {
  const double confidence = memory.confidence;
  v1::RecallResult record = ToProto(memory::RecallHit{std::move(memory), 0, confidence, {}});
  record.clear_why();
  return record;
}

peer::v1::SpaceFindings ToProto(memory::SpaceFindings findings) {
  peer::v1::SpaceFindings proto;
  proto.set_space(findings.space.value());
  if (!findings.status.ok()) *proto.mutable_refusal() = ToRefusal(findings.status);
  for (memory::Found& found : findings.found) *proto.add_found() = FoundProto(std::move(found));
  return proto;
}

std::optional<ReceivedFindings> FromProto(peer::v1::SpaceFindings proto) {
  ReceivedFindings received;
  received.findings.space = SpaceId(std::move(*proto.mutable_space()));
  const auto count = static_cast<size_t>(proto.found_size());
  for (peer::v1::FoundMemory& memory : *proto.mutable_found()) {
    std::optional<memory::Found> found = FromFound(memory, count);
    if (!found.has_value()) return std::nullopt;
    received.findings.found.push_back(*std::move(found));
    std::optional<v1::RecallResult>& record = received.records.emplace_back();
    if (memory.has_memory()) record = std::move(*memory.mutable_memory());
  }
  return received;
}

}  // namespace engram::server
