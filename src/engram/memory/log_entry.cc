// LogEntry of records.h.
#include "engram/memory/record_parts.h"
#include "engram/memory/records.h"

namespace engram::memory {
namespace {

using parts::Damaged;

enum Flags : uint8_t { kCreated = 1, kSpaceCreated = 2, kDuplicate = 4 };

uint8_t FlagsOf(const LogEntry& entry) {
  return static_cast<uint8_t>((entry.created ? kCreated : 0) |
                              (entry.space_created ? kSpaceCreated : 0) |
                              (entry.duplicate ? kDuplicate : 0));
}

void TakeFlags(uint8_t flags, LogEntry& entry) {
  entry.created = (flags & kCreated) != 0;
  entry.space_created = (flags & kSpaceCreated) != 0;
  entry.duplicate = (flags & kDuplicate) != 0;
}

// Its body was the stored memory.
absl::Status FromFirstFormat(LogEntry& entry) {
  entry.seen = parts::AllBefore(entry.revision.version);
  if (entry.body.empty()) return absl::OkStatus();
  auto memory = DecodeMemory(entry.body);
  if (!memory.ok()) return memory.status();
  entry.body = EncodeContent(memory->revisions.front());
  return absl::OkStatus();
}

std::vector<replication::Tombstone> TakeCollected(Decoder& in) {
  std::vector<replication::Tombstone> collected(in.Count());
  for (replication::Tombstone& tombstone : collected) {
    tombstone.name = in.Bytes();
    tombstone.origin = parts::TakeVersion(in);
  }
  return collected;
}

}  // namespace

// The third format is the second with what is collected: no other entry needs it.
std::string EncodeLogEntry(const LogEntry& entry) {
  const bool collects = entry.operation == LogOperation::kCollect;
  Encoder out = parts::Begin(collects ? parts::kThirdFormat : parts::kSecondFormat);
  out.Reserve(entry.body.size() + entry.embedding.size() * sizeof(float) + 160);
  out.Byte(static_cast<uint8_t>(entry.operation));
  out.Byte(FlagsOf(entry));
  out.Bytes(entry.id.view());
  parts::Put(out, entry.revision);
  parts::Put(out, entry.seen);
  out.Varint(entry.previous);
  out.Varint(entry.line);
  out.Varint(entry.fingerprint);
  out.Bytes(entry.body);
  out.Floats(entry.embedding);
  parts::Put(out, entry.links);
  parts::Put(out, entry.holders);
  if (!collects) return out.Take();
  out.Varint(entry.collected.size());
  for (const replication::Tombstone& tombstone : entry.collected) {
    out.Bytes(tombstone.name);
    parts::Put(out, tombstone.origin);
  }
  return out.Take();
}

absl::StatusOr<LogEntry> DecodeLogEntry(std::string_view bytes) {
  Decoder in(bytes);
  const uint8_t format = in.Byte();
  if (format < parts::kFirstFormat || format > parts::kThirdFormat) return Damaged("log entry");
  const bool second = format >= parts::kSecondFormat;
  LogEntry entry;
  entry.operation = static_cast<LogOperation>(in.Byte());
  if (second) TakeFlags(in.Byte(), entry);
  entry.id = MemoryId(in.Bytes());
  entry.revision = parts::TakeRevision(in);
  if (second) {
    entry.seen = parts::TakeSeen(in);
    entry.previous = in.Varint();
  }
  entry.line = in.Varint();
  if (second) entry.fingerprint = in.Varint();
  entry.body = in.Bytes();
  entry.embedding = in.Floats();
  entry.links = parts::TakeLinks(in);
  if (second) entry.holders = parts::TakeNodes(in);
  if (format == parts::kThirdFormat) entry.collected = TakeCollected(in);
  const bool collects = entry.operation == LogOperation::kCollect;
  if (!in.Finished() || entry.operation < LogOperation::kAssign ||
      entry.operation > LogOperation::kCollect || collects != (format == parts::kThirdFormat)) {
    return Damaged("log entry");
  }
  if (second) return entry;
  if (absl::Status status = FromFirstFormat(entry); !status.ok()) return status;
  return entry;
}

}  // namespace engram::memory
