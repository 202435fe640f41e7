// MemoryRecord and LogEntry of records.h.
#include "engram/memory/record_parts.h"
#include "engram/memory/records.h"

namespace engram::memory {
namespace {

using parts::Damaged;

enum Flags : uint8_t { kAlive = 1, kHasEmbedding = 2, kHasLinks = 4 };

uint8_t FlagsOf(const MemoryRecord& record) {
  return static_cast<uint8_t>((record.alive ? kAlive : 0) |
                              (record.has_embedding ? kHasEmbedding : 0) |
                              (record.has_links ? kHasLinks : 0));
}

void PutContent(Encoder& out, const Memory& memory) {
  out.Bytes(memory.content);
  out.Varint(memory.tags.size());
  for (const std::string& tag : memory.tags) out.Bytes(tag);
  out.Varint(memory.metadata.size());
  for (const auto& [key, value] : memory.metadata) {
    out.Bytes(key);
    out.Bytes(value);
  }
}

void TakeContent(Decoder& in, Memory& memory) {
  memory.content = in.Bytes();
  memory.tags.resize(in.Count());
  for (std::string& tag : memory.tags) tag = in.Bytes();
  for (size_t left = in.Count(); left > 0; --left) {
    std::string_view key = in.Bytes();
    memory.metadata.emplace_hint(memory.metadata.end(), key, in.Bytes());
  }
}

}  // namespace

std::string EncodeMemory(const MemoryRecord& record) {
  const Memory& memory = record.memory;
  Encoder out = parts::Begin();
  out.Reserve(memory.content.size() + 160);
  out.Byte(FlagsOf(record));
  parts::Put(out, memory.revision);
  out.Varint(record.text_length);
  out.Double(memory.confidence);
  out.Byte(static_cast<uint8_t>(memory.kind));
  out.Signed(ToInt(memory.occurred_at));
  out.Signed(ToInt(memory.updated_at));
  PutContent(out, memory);
  out.Varint(memory.siblings.size());
  for (const Memory& sibling : memory.siblings) {
    MemoryRecord nested;
    nested.memory = sibling;
    out.Bytes(EncodeMemory(nested));
  }
  return out.Take();
}

absl::StatusOr<MemoryRecord> DecodeMemory(std::string_view bytes) {
  Decoder in(bytes);
  if (!parts::KnownFormat(in)) return Damaged("memory");
  MemoryRecord record;
  Memory& memory = record.memory;
  uint8_t flags = in.Byte();
  record.alive = (flags & kAlive) != 0;
  record.has_embedding = (flags & kHasEmbedding) != 0;
  record.has_links = (flags & kHasLinks) != 0;
  memory.revision = parts::TakeRevision(in);
  record.text_length = static_cast<uint32_t>(in.Varint());
  memory.confidence = in.Double();
  memory.kind = static_cast<Kind>(in.Byte());
  memory.occurred_at = WallMillis{in.Signed()};
  memory.updated_at = WallMillis{in.Signed()};
  TakeContent(in, memory);
  for (size_t left = in.Count(); left > 0; --left) {
    absl::StatusOr<MemoryRecord> nested = DecodeMemory(in.Bytes());
    if (!nested.ok()) return nested.status();
    memory.siblings.push_back(std::move(nested->memory));
  }
  if (!in.Finished()) return Damaged("memory");
  return record;
}

std::string EncodeLogEntry(const LogEntry& entry) {
  Encoder out = parts::Begin();
  out.Reserve(entry.body.size() + entry.embedding.size() * sizeof(float) + 128);
  out.Byte(static_cast<uint8_t>(entry.operation));
  out.Bytes(entry.id.view());
  parts::Put(out, entry.revision);
  out.Varint(entry.line);
  out.Bytes(entry.body);
  out.Floats(entry.embedding);
  parts::Put(out, entry.links);
  return out.Take();
}

absl::StatusOr<LogEntry> DecodeLogEntry(std::string_view bytes) {
  Decoder in(bytes);
  if (!parts::KnownFormat(in)) return Damaged("log entry");
  LogEntry entry;
  entry.operation = static_cast<LogOperation>(in.Byte());
  entry.id = MemoryId(in.Bytes());
  entry.revision = parts::TakeRevision(in);
  entry.line = in.Varint();
  entry.body = in.Bytes();
  entry.embedding = in.Floats();
  entry.links = parts::TakeLinks(in);
  if (!in.Finished()) return Damaged("log entry");
  return entry;
}

}  // namespace engram::memory
