// SpaceRecord of records.h, and the SpaceLog beside it.
#include "engram/memory/record_parts.h"
#include "engram/memory/records.h"

namespace engram::memory {
namespace {

using parts::Damaged;
using replication::CopyState;
using replication::EpochHistory;
using replication::HolderState;
using replication::SpaceLog;

void TakeReplication(Decoder& in, SpaceRecord& record) {
  record.dimension_by = parts::TakeRevision(in);
  record.siblings = in.Varint();
  record.branch = parts::TakeVersion(in);
  record.outbox_entries = in.Varint();
}

uint8_t ToByte(CopyState state) { return static_cast<uint8_t>(state); }

bool IsFormat(uint8_t format) {
  return format >= parts::kFirstFormat && format <= parts::kThirdFormat;
}

void Put(Encoder& out, const HolderState& holder) {
  out.Varint(holder.promised());
  out.Bytes(holder.promised_to().view());
  out.Varint(holder.epoch().counter);
  out.Bytes(holder.epoch().primary.view());
}

HolderState TakeHolder(Decoder& in) {
  const uint64_t promised = in.Varint();
  const NodeId promised_to(in.Bytes());
  Epoch epoch;
  epoch.counter = in.Varint();
  epoch.primary = NodeId(in.Bytes());
  HolderState holder;
  if (epoch.counter > 0 && epoch.counter < promised) holder.Follow(epoch);
  if (promised > 0 && (epoch.counter < promised || !promised_to.empty())) {
    holder.Promise(promised, promised_to);
  }
  if (epoch.counter > 0 && epoch.counter == promised) holder.Follow(epoch);
  return holder;
}

VersionVector Without(VersionVector seen, const Epoch& stream) {
  seen.Set({stream, 0});
  return seen;
}

std::vector<Version> TakeVersions(Decoder& in) {
  std::vector<Version> versions(in.Count());
  for (Version& version : versions) version = parts::TakeVersion(in);
  return versions;
}

}  // namespace

std::string EncodeSpace(const SpaceRecord& record) {
  Encoder out = parts::Begin(parts::kThirdFormat);
  parts::Put(out, record.last);
  parts::Put(out, record.assignment);
  out.Signed(ToInt(record.clock));
  out.Varint(record.clock_counter);
  out.Varint(record.memories);
  out.Varint(record.vectors);
  out.Varint(record.words);
  out.Varint(record.dimension);
  parts::Put(out, record.dimension_by);
  out.Varint(record.siblings);
  parts::Put(out, record.branch);
  out.Varint(record.outbox_entries);
  out.Varint(record.tombstones);
  return out.Take();
}

absl::StatusOr<SpaceRecord> DecodeSpace(std::string_view bytes) {
  Decoder in(bytes);
  const uint8_t format = in.Byte();
  if (!IsFormat(format)) return Damaged("space record");
  SpaceRecord record;
  record.last = parts::TakeVersion(in);
  record.assignment = parts::TakeVersion(in);
  record.clock = WallMillis{in.Signed()};
  record.clock_counter = static_cast<uint32_t>(in.Varint());
  record.memories = in.Varint();
  record.vectors = in.Varint();
  record.words = in.Varint();
  record.dimension = static_cast<uint32_t>(in.Varint());
  if (format >= parts::kSecondFormat) TakeReplication(in, record);
  if (format >= parts::kThirdFormat) record.tombstones = in.Varint();
  if (!in.Finished()) return Damaged("space record");
  return record;
}

std::string EncodeSpaceLog(const SpaceLog& log, const SpaceRecord& ends) {
  Encoder out = parts::Begin();
  Put(out, log.holder);
  const std::vector<Version>& rows = log.history.rows();
  out.Varint(rows.size());
  for (const Version& row : rows) {
    parts::Put(out, row.epoch == ends.last.epoch ? Version{row.epoch, 1} : row);
  }
  parts::Put(out, Without(log.logged, ends.last.epoch));
  parts::Put(out, Without(log.outbox, ends.branch.epoch));
  parts::Put(out, log.holders);
  parts::Put(out, log.assignment);
  out.Byte(ToByte(log.copy()));
  if (log.copy() == CopyState::kBehind) parts::Put(out, log.complete_to);
  if (log.base != Version()) parts::Put(out, log.base);
  return out.Take();
}

absl::StatusOr<SpaceLog> DecodeSpaceLog(std::string_view bytes, const SpaceRecord& ends) {
  Decoder in(bytes);
  if (!parts::KnownFormat(in)) return Damaged("space log");
  SpaceLog log;
  log.holder = TakeHolder(in);
  std::vector<Version> rows = TakeVersions(in);
  if (!rows.empty()) rows.back().sequence = ends.last.sequence;
  log.logged = parts::TakeSeen(in);
  log.outbox = parts::TakeSeen(in);
  log.holders = parts::TakeNodes(in);
  log.assignment = parts::TakeVersion(in);
  const uint8_t copy = in.Byte();
  log.incomplete = copy != ToByte(CopyState::kComplete);
  log.forgetful = copy == ToByte(CopyState::kForgetful);
  if (copy == ToByte(CopyState::kBehind)) log.complete_to = parts::TakeVersion(in);
  if (!in.Finished()) log.base = parts::TakeVersion(in);
  const Version last = rows.empty() ? Version() : rows.back();
  auto history = EpochHistory::FromRows(std::move(rows));
  if (!in.Finished() || !history || last != ends.last) return Damaged("space log");
  log.history = *std::move(history);
  log.logged.Add(ends.last);
  log.outbox.Add(ends.branch);
  log.outbox_entries = ends.outbox_entries;
  return log;
}

SpaceLog SpaceLogOf(const SpaceRecord& record, const NodeId& self) {
  SpaceLog log;
  log.holder.Follow(record.last.epoch);
  log.history = EpochHistory::FromRows({record.last}).value_or(EpochHistory());
  log.logged.Add(record.last);
  log.holders = {self};
  log.assignment = record.assignment;
  return log;
}

}  // namespace engram::memory
