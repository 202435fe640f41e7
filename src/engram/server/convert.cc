#include "engram/server/convert.h"

#include <fmt/format.h>
#include <google/protobuf/unknown_field_set.h>
#include <google/protobuf/util/time_util.h>
#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/cord.h"
#include "engram/base/error.h"
#include "engram/memory/utf8.h"
#include "engram/net/grpc_status.h"

namespace engram::server {
namespace {

using google::protobuf::Message;
using google::protobuf::Timestamp;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::util::TimeUtil;

// Seconds of the years 0001 to 9999, the range of a Timestamp.
constexpr int64_t kTimestampSecondsMin = -62'135'596'800;
constexpr int64_t kTimestampSecondsMax = 253'402'300'799;

// What an error carries must fit into a header: the last tries, their reasons cut.
constexpr size_t kAttemptsInErrorMax = 8;
constexpr size_t kReasonInErrorMax = 160;

absl::StatusOr<std::optional<WallMillis>> ToMillis(const char* field, bool present,
                                                   const Timestamp& time) {
  if (!present) return std::optional<WallMillis>();
  if (time.seconds() < kTimestampSecondsMin || time.seconds() > kTimestampSecondsMax ||
      time.nanos() < 0 || time.nanos() > 999'999'999) {
    return InvalidArgument(field,
                           fmt::format("{} must be a time between the years 1 and 9999", field));
  }
  return std::optional<WallMillis>(WallMillis{TimeUtil::TimestampToMilliseconds(time)});
}

Timestamp ToTimestamp(WallMillis time) { return TimeUtil::MillisecondsToTimestamp(ToInt(time)); }

absl::StatusOr<memory::Kind> ToKind(v1::Kind kind) {
  if (!v1::Kind_IsValid(kind)) {
    return InvalidArgument("kind",
                           fmt::format("kind {} is not known; use 1 (episodic) or 2 (semantic)",
                                       static_cast<int>(kind)));
  }
  return static_cast<memory::Kind>(kind);
}

template <class T, class Field>
std::vector<T> TakeAll(Field& field) {
  return {std::make_move_iterator(field.begin()), std::make_move_iterator(field.end())};
}

std::map<std::string, std::string> ToMap(
    const google::protobuf::Map<std::string, std::string>& map) {
  return {map.begin(), map.end()};
}

template <class Field>
void CopyMap(const std::map<std::string, std::string>& from, Field* to) {
  for (const auto& [key, value] : from) (*to)[key] = value;
}

v1::Sibling SiblingProto(memory::Memory m) {
  v1::Sibling proto;
  proto.set_content(std::move(m.content));
  proto.set_confidence(m.confidence);
  *proto.mutable_version() = ToProto(m.revision.version);
  *proto.mutable_updated_at() = ToTimestamp(m.updated_at);
  return proto;
}

void AppendVarint(uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

void AppendVarint(int field, uint64_t value, std::string& out) {
  AppendVarint(WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_VARINT), out);
  AppendVarint(value, out);
}

// A request of plain fields, as Get's, is spared the list of those that are set.
bool MayHoldMessages(const google::protobuf::Descriptor& type) {
  for (int i = 0; i < type.field_count(); ++i) {
    if (type.field(i)->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE)
      return true;
  }
  return false;
}

}  // namespace

absl::Status CheckKnownFields(const Message& message) {
  const google::protobuf::Reflection* reflection = message.GetReflection();
  const auto& unknown = reflection->GetUnknownFields(message);
  if (!unknown.empty()) {
    return InvalidArgument(message.GetDescriptor()->name(),
                           fmt::format("{} has no field number {}", message.GetDescriptor()->name(),
                                       unknown.field(0).number()));
  }
  if (!MayHoldMessages(*message.GetDescriptor())) return absl::OkStatus();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (field->is_map()) continue;  // of strings; parsing keeps nothing else
    int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      const Message& inner = field->is_repeated()
                                 ? reflection->GetRepeatedMessage(message, field, i)
                                 : reflection->GetMessage(message, field);
      if (absl::Status status = CheckKnownFields(inner); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<memory::StoreCommand> ToCommand(v1::StoreRequest request,
                                               memory::WriteIdentity identity,
                                               memory::CreateSpace create) {
  memory::StoreCommand command;
  auto kind = ToKind(request.kind());
  if (!kind.ok()) return kind.status();
  auto occurred = ToMillis("occurred_at", request.has_occurred_at(), request.occurred_at());
  if (!occurred.ok()) return occurred.status();
  command.space = SpaceId(std::move(*request.mutable_space()));
  if (!request.id().empty()) command.id = MemoryId(std::move(*request.mutable_id()));
  command.content = std::move(*request.mutable_content());
  command.embedding.assign(request.embedding().begin(), request.embedding().end());
  command.tags = TakeAll<std::string>(*request.mutable_tags());
  command.metadata = ToMap(request.metadata());
  for (const v1::LinkTarget& link : request.links()) {
    command.links.push_back({MemoryId(link.to()), link.has_weight() ? link.weight() : 1.0});
  }
  if (request.has_confidence()) command.confidence = request.confidence();
  command.kind = *kind;
  command.occurred_at = *occurred;
  command.identity = identity;
  command.create_space = create;
  if (request.has_if_state()) command.if_state = request.if_state();
  return command;
}

absl::StatusOr<memory::RecallQuery> ToQuery(v1::RecallRequest request) {
  memory::RecallQuery query;
  auto kind = ToKind(request.kind());
  if (!kind.ok()) return kind.status();
  auto after = ToMillis("after", request.has_after(), request.after());
  if (!after.ok()) return after.status();
  auto before = ToMillis("before", request.has_before(), request.before());
  if (!before.ok()) return before.status();
  query.space = SpaceId(std::move(*request.mutable_space()));
  query.text = std::move(*request.mutable_query());
  query.embedding.assign(request.embedding().begin(), request.embedding().end());
  if (request.has_limit()) query.limit = request.limit();
  query.tags = TakeAll<std::string>(*request.mutable_tags());
  query.metadata = ToMap(request.metadata());
  query.kind = *kind;
  query.after = *after;
  query.before = *before;
  query.min_confidence = request.min_confidence();
  return query;
}

memory::ForgetCommand ToCommand(v1::ForgetRequest request, memory::WriteIdentity identity) {
  memory::ForgetCommand command{SpaceId(std::move(*request.mutable_space())),
                                MemoryId(std::move(*request.mutable_id())), identity};
  if (request.has_if_state()) command.if_state = request.if_state();
  return command;
}

memory::LinkCommand ToCommand(const v1::LinkRequest& request, memory::WriteIdentity identity) {
  return {SpaceId(request.space()), MemoryId(request.from()), MemoryId(request.to()),
          request.has_weight() ? request.weight() : 1.0, identity};
}

v1::StoreResponse ToStoreResponse(const SpaceId& space, const memory::WriteResult& result) {
  v1::StoreResponse proto;
  proto.set_id(result.id.value());
  proto.set_space(space.value());
  *proto.mutable_version() = ToProto(result.version);
  proto.set_created(result.created);
  return proto;
}

v1::ForgetResponse ToForgetResponse(const SpaceId& space, const memory::WriteResult& result) {
  v1::ForgetResponse proto;
  proto.set_id(result.id.value());
  proto.set_space(space.value());
  *proto.mutable_version() = ToProto(result.version);
  return proto;
}

v1::GetResponse ToGetResponse(memory::Memory m) {
  v1::GetResponse proto;
  proto.set_id(m.id.value());
  proto.set_space(m.space.value());
  proto.set_content(std::move(m.content));
  for (std::string& tag : m.tags) proto.add_tags(std::move(tag));
  CopyMap(m.metadata, proto.mutable_metadata());
  for (const memory::Link& link : m.links) {
    v1::LinkTarget* target = proto.add_links();
    target->set_to(link.to.value());
    target->set_weight(link.weight);
  }
  for (memory::Memory& sibling : m.siblings)
    *proto.add_siblings() = SiblingProto(std::move(sibling));
  *proto.mutable_version() = ToProto(m.revision.version);
  proto.set_confidence(m.confidence);
  proto.set_kind(static_cast<v1::Kind>(m.kind));
  *proto.mutable_occurred_at() = ToTimestamp(m.occurred_at);
  *proto.mutable_updated_at() = ToTimestamp(m.updated_at);
  proto.mutable_embedding()->Add(m.embedding.begin(), m.embedding.end());
  return proto;
}

v1::Why ToProto(const memory::Why& why) {
  v1::Why proto;
  proto.set_text_score(why.text_score);
  proto.set_text_rank(why.text_rank);
  for (const std::string& term : why.terms) proto.add_terms(term);
  proto.set_vector_score(why.vector_score);
  proto.set_vector_rank(why.vector_rank);
  proto.set_activation(why.activation);
  proto.set_via(why.via.value());
  return proto;
}

v1::RecallResult ToProto(memory::RecallHit hit) {
  v1::RecallResult proto;
  memory::Memory& m = hit.memory;
  proto.set_id(m.id.value());
  proto.set_space(m.space.value());
  proto.set_content(std::move(m.content));
  proto.set_score(hit.score);
  proto.set_confidence(hit.confidence);
  *proto.mutable_why() = ToProto(hit.why);
  for (std::string& tag : m.tags) proto.add_tags(std::move(tag));
  CopyMap(m.metadata, proto.mutable_metadata());
  proto.set_kind(static_cast<v1::Kind>(m.kind));
  *proto.mutable_occurred_at() = ToTimestamp(m.occurred_at);
  return proto;
}

v1::RecallResponse ToRecallResponse(memory::RecallResult result) {
  v1::RecallResponse proto;
  for (memory::RecallHit& hit : result.hits) *proto.add_results() = ToProto(std::move(hit));
  proto.mutable_coverage()->set_asked(1);
  proto.mutable_coverage()->set_answered(1);
  proto.set_confidence(1.0);
  return proto;
}

v1::Version ToProto(const Version& version) {
  v1::Version proto;
  proto.mutable_epoch()->set_counter(version.epoch.counter);
  proto.mutable_epoch()->set_primary(version.epoch.primary.value());
  proto.set_sequence(version.sequence);
  return proto;
}

std::string EncodeVersion(const Version& version) {
  std::string epoch;
  if (version.epoch.counter != 0) {
    AppendVarint(v1::Epoch::kCounterFieldNumber, version.epoch.counter, epoch);
  }
  if (!version.epoch.primary.empty()) {
    AppendField(v1::Epoch::kPrimaryFieldNumber, version.epoch.primary.view(), epoch);
  }
  std::string bytes;
  AppendField(v1::Version::kEpochFieldNumber, epoch, bytes);
  if (version.sequence != 0) {
    AppendVarint(v1::Version::kSequenceFieldNumber, version.sequence, bytes);
  }
  return bytes;
}

void AppendField(int field, std::string_view bytes, std::string& message) {
  AppendVarint(WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED), message);
  AppendVarint(bytes.size(), message);
  message.append(bytes);
}

Version FromProto(const v1::Version& proto) {
  return {{proto.epoch().counter(), NodeId(proto.epoch().primary())}, proto.sequence()};
}

v1::Assignment ToProto(const placement::Assignment& assignment) {
  v1::Assignment proto;
  proto.set_space(assignment.space.value());
  proto.set_primary(assignment.primary.value());
  for (const NodeId& replica : assignment.replicas) proto.add_replicas(replica.value());
  *proto.mutable_version() = ToProto(assignment.version);
  return proto;
}

std::optional<placement::Assignment> DecodeAssignment(std::string_view bytes) {
  v1::Assignment proto;
  if (!proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return std::nullopt;
  return FromProto(proto);
}

placement::Assignment FromProto(const v1::Assignment& proto) {
  placement::Assignment assignment{
      SpaceId(proto.space()), NodeId(proto.primary()), {}, FromProto(proto.version())};
  for (const std::string& replica : proto.replicas()) assignment.replicas.emplace_back(replica);
  return assignment;
}

void AttachAssignment(const placement::Assignment& assignment, absl::Status& status) {
  status.SetPayload(net::kAssignmentPayload, absl::Cord(ToProto(assignment).SerializeAsString()));
}

std::optional<placement::Assignment> AttachedAssignment(const absl::Status& status) {
  if (status.ok()) return std::nullopt;
  v1::Assignment proto;
  auto payload = status.GetPayload(net::kAssignmentPayload);
  if (!payload.has_value() || !proto.ParseFromString(std::string(*payload))) return std::nullopt;
  return FromProto(proto);
}

v1::RouteTrace ToProto(std::span<const routing::AttemptRecord> attempts) {
  v1::RouteTrace trace;
  for (const routing::AttemptRecord& attempt : attempts) {
    v1::Attempt* proto = trace.add_attempts();
    proto->set_node(std::string(attempt.node));
    proto->set_outcome(std::string(attempt.outcome));
    proto->set_reason(attempt.reason());
    proto->set_milliseconds(std::chrono::duration<double, std::milli>(attempt.took).count());
  }
  return trace;
}

void AttachAttempts(std::span<const routing::AttemptRecord> attempts, absl::Status& status) {
  v1::RouteTrace trace = ToProto(attempts.last(std::min(attempts.size(), kAttemptsInErrorMax)));
  for (v1::Attempt& attempt : *trace.mutable_attempts()) {
    attempt.set_reason(std::string(memory::CutAtCharacter(attempt.reason(), kReasonInErrorMax)));
  }
  status.SetPayload(net::kAttemptsPayload, absl::Cord(trace.SerializeAsString()));
}

}  // namespace engram::server
