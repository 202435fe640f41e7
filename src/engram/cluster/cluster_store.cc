#include "engram/cluster/cluster_store.h"

#include <fmt/format.h>

#include <utility>

#include "engram/base/codec.h"
#include "engram/base/error.h"
#include "engram/cluster/assignment_codec.h"

namespace engram::cluster {
namespace {

using storage::Family;
using storage::Sync;

constexpr uint8_t kFormat = 1;
constexpr std::string_view kIdKey = "cluster/id";
constexpr std::string_view kIncarnationKey = "cluster/incarnation";
constexpr std::string_view kMembersKey = "cluster/members";
constexpr std::string_view kAssignmentPrefix = "cluster/assignment/";

absl::Status Damaged(std::string_view key) {
  return MakeError(ErrorCode::kStorageFailed,
                   fmt::format("the entry '{}' of the data directory is damaged", key));
}

Encoder Begin() {
  Encoder out;
  out.Byte(kFormat);
  return out;
}

std::string Encode(const placement::Assignment& assignment) {
  const membership::Record record = ToRecord(assignment);
  Encoder out = Begin();
  out.Varint(record.version.epoch.counter);
  out.Bytes(record.version.epoch.primary.view());
  out.Varint(record.version.sequence);
  out.Bytes(record.value);
  return out.Take();
}

std::optional<placement::Assignment> Decode(std::string_view space, std::string_view bytes) {
  Decoder in(bytes);
  if (in.Byte() != kFormat) return std::nullopt;
  membership::Record record;
  record.key = space;
  record.version.epoch.counter = in.Varint();
  record.version.epoch.primary = NodeId(in.Bytes());
  record.version.sequence = in.Varint();
  record.value = in.Bytes();
  if (!in.Finished()) return std::nullopt;
  return ToAssignment(record);
}

}  // namespace

absl::Status ClusterStore::Put(std::string_view key, std::string_view value, Sync sync) {
  Encoder out = Begin();
  out.Bytes(value);
  auto batch = database_.MakeBatch();
  batch->Put(Family::kCluster, key, out.data());
  return database_.Write(*batch, sync);
}

absl::StatusOr<std::optional<std::string>> ClusterStore::Get(std::string_view key) const {
  auto stored = database_.Get(Family::kCluster, key);
  if (!stored.ok()) return stored.status();
  if (!stored->has_value()) return std::nullopt;
  Decoder in(**stored);
  const bool known = in.Byte() == kFormat;
  std::string value(in.Bytes());
  if (!known || !in.Finished()) return Damaged(key);
  return value;
}

absl::StatusOr<StoredCluster> ClusterStore::Load() const {
  auto id = Get(kIdKey);
  if (!id.ok()) return id.status();
  auto incarnation = Get(kIncarnationKey);
  if (!incarnation.ok()) return incarnation.status();
  auto members = Get(kMembersKey);
  if (!members.ok()) return members.status();
  StoredCluster stored{id->value_or(""), {}, members->value_or("")};
  if (incarnation->has_value()) {
    Decoder in(**incarnation);
    stored.incarnation = membership::Incarnation{in.Varint()};
    if (!in.Finished()) return Damaged(kIncarnationKey);
  }
  return stored;
}

absl::StatusOr<std::vector<placement::Assignment>> ClusterStore::LoadAssignments() const {
  std::vector<placement::Assignment> assignments;
  auto cursor = database_.Scan(Family::kCluster, kAssignmentPrefix);
  for (; cursor->valid(); cursor->Next()) {
    const std::string_view space = cursor->key().substr(kAssignmentPrefix.size());
    auto assignment = Decode(space, cursor->value());
    if (!assignment.has_value()) return Damaged(cursor->key());
    assignments.push_back(*std::move(assignment));
  }
  if (absl::Status status = cursor->status(); !status.ok()) return status;
  return assignments;
}

absl::Status ClusterStore::SaveClusterId(std::string_view id) {
  return Put(kIdKey, id, Sync::kYes);
}

absl::Status ClusterStore::SaveIncarnation(membership::Incarnation incarnation) {
  Encoder out;
  out.Varint(static_cast<uint64_t>(incarnation));
  return Put(kIncarnationKey, out.data(), Sync::kYes);
}

absl::Status ClusterStore::SaveMembers(std::string_view state) {
  return Put(kMembersKey, state, Sync::kNo);
}

absl::Status ClusterStore::SaveAssignments(std::span<const placement::Assignment> changed) {
  auto batch = database_.MakeBatch();
  for (const placement::Assignment& assignment : changed) {
    if (!CheckAssignment(assignment).ok()) continue;  // it would not be read back
    batch->Put(Family::kCluster, std::string(kAssignmentPrefix) + assignment.space.value(),
               Encode(assignment));
  }
  return database_.Write(*batch, Sync::kNo);
}

}  // namespace engram::cluster
