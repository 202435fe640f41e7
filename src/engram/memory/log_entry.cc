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

}  // namespace

std::string EncodeLogEntry(const LogEntry& entry) {
  Encoder out = parts::Begin(parts::kSecondFormat);
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
  return out.Take();
}

absl::StatusOr<LogEntry> DecodeLogEntry(std::string_view bytes) {
  Decoder in(bytes);
  const uint8_t format = in.Byte();
  if (format != parts::kFirstFormat && format != parts::kSecondFormat) return Damaged("log entry");
  const bool second = format == parts::kSecondFormat;
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
  if (!in.Finished() || entry.operation < LogOperation::kAssign ||
      entry.operation > LogOperation::kLink) {
    return Damaged("log entry");
  }
  if (second) return entry;
  if (absl::Status status = FromFirstFormat(entry); !status.ok()) return status;
  return entry;
}

}  // namespace engram::memory
