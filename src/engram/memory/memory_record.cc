// MemoryRecord and its links, of records.h.
#include "engram/memory/record_parts.h"
#include "engram/memory/records.h"

namespace engram::memory {
namespace {

using parts::Damaged;

enum Flags : uint8_t { kAlive = 1, kHasEmbedding = 2, kHasLinks = 4 };

uint8_t FlagsOf(const RevisionRecord& record) {
  return static_cast<uint8_t>((record.alive ? kAlive : 0) |
                              (record.has_embedding ? kHasEmbedding : 0));
}

void TakeFlags(uint8_t flags, RevisionRecord& record) {
  record.alive = (flags & kAlive) != 0;
  record.has_embedding = (flags & kHasEmbedding) != 0;
}

void PutText(Encoder& out, const Memory& memory) {
  out.Bytes(memory.content);
  out.Varint(memory.tags.size());
  for (const std::string& tag : memory.tags) out.Bytes(tag);
  out.Varint(memory.metadata.size());
  for (const auto& [key, value] : memory.metadata) {
    out.Bytes(key);
    out.Bytes(value);
  }
}

// What follows the flags and, in format 1, the revision.
void PutContent(Encoder& out, const RevisionRecord& record) {
  const Memory& memory = record.memory;
  out.Reserve(memory.content.size() + 160);
  out.Byte(FlagsOf(record));
  out.Varint(record.text_length);
  out.Double(memory.confidence);
  out.Byte(static_cast<uint8_t>(memory.kind));
  out.Signed(ToInt(memory.occurred_at));
  out.Signed(ToInt(memory.updated_at));
  PutText(out, memory);
}

void TakeTextAndTimes(Decoder& in, RevisionRecord& record) {
  Memory& memory = record.memory;
  record.text_length = static_cast<uint32_t>(in.Varint());
  memory.confidence = in.Double();
  memory.kind = static_cast<Kind>(in.Byte());
  memory.occurred_at = WallMillis{in.Signed()};
  memory.updated_at = WallMillis{in.Signed()};
  memory.content = in.Bytes();
  memory.tags.resize(in.Count());
  for (std::string& tag : memory.tags) tag = in.Bytes();
  for (size_t left = in.Count(); left > 0; --left) {
    std::string_view key = in.Bytes();
    memory.metadata.emplace_hint(memory.metadata.end(), key, in.Bytes());
  }
}

void TakeContent(Decoder& in, RevisionRecord& record) {
  TakeFlags(in.Byte(), record);
  TakeTextAndTimes(in, record);
}

void PutRevision(Encoder& out, const RevisionRecord& record, bool with_embedding) {
  parts::Put(out, record.memory.revision);
  parts::Put(out, record.seen);
  PutContent(out, record);
  out.Floats(with_embedding ? std::span<const float>(record.memory.embedding)
                            : std::span<const float>());
}

RevisionRecord TakeRevisionRecord(Decoder& in) {
  RevisionRecord record;
  record.memory.revision = parts::TakeRevision(in);
  record.seen = parts::TakeSeen(in);
  TakeContent(in, record);
  record.memory.embedding = in.Floats();
  return record;
}

// One revision, and a list of siblings that was always empty.
MemoryRecord TakeFirstFormat(Decoder& in) {
  MemoryRecord record;
  RevisionRecord& revision = record.revisions.emplace_back();
  const uint8_t flags = in.Byte();
  TakeFlags(flags, revision);
  record.has_links = (flags & kHasLinks) != 0;
  revision.memory.revision = parts::TakeRevision(in);
  TakeTextAndTimes(in, revision);
  in.Varint();
  revision.seen = parts::AllBefore(revision.origin());
  return record;
}

MemoryRecord TakeSecondFormat(Decoder& in) {
  MemoryRecord record;
  record.has_links = (in.Byte() & kHasLinks) != 0;
  for (size_t left = in.Count(); left > 0 && in.ok(); --left) {
    record.revisions.push_back(TakeRevisionRecord(in));
  }
  return record;
}

LinkRecord TakeLink(Decoder& in, const MemoryId& to) {
  LinkRecord link;
  link.to = to;
  link.weight = in.Double();
  link.clock = WallMillis{in.Signed()};
  link.clock_counter = static_cast<uint32_t>(in.Varint());
  link.origin = parts::TakeVersion(in);
  link.seen = parts::TakeSeen(in);
  return link;
}

}  // namespace

std::string EncodeContent(const RevisionRecord& record) {
  Encoder out;
  PutContent(out, record);
  return out.Take();
}

absl::StatusOr<RevisionRecord> DecodeContent(std::string_view bytes) {
  Decoder in(bytes);
  RevisionRecord record;
  TakeContent(in, record);
  if (!in.Finished()) return Damaged("content of a log entry");
  return record;
}

std::string EncodeMemory(const MemoryRecord& record) {
  Encoder out = parts::Begin(parts::kSecondFormat);
  if (!record.revisions.empty()) {
    out.Reserve(record.revisions.front().memory.content.size() + 192);
  }
  out.Byte(record.has_links ? kHasLinks : 0);
  out.Varint(record.revisions.size());
  bool shown = true;
  for (const RevisionRecord& revision : record.revisions) {
    PutRevision(out, revision, !std::exchange(shown, false));
  }
  return out.Take();
}

absl::StatusOr<MemoryRecord> DecodeMemory(std::string_view bytes) {
  Decoder in(bytes);
  const uint8_t format = in.Byte();
  if (format != parts::kFirstFormat && format != parts::kSecondFormat) return Damaged("memory");
  MemoryRecord record = format == parts::kFirstFormat ? TakeFirstFormat(in) : TakeSecondFormat(in);
  if (!in.Finished()) return Damaged("memory");
  return record;
}

std::string EncodeLinks(std::span<const LinkRecord> links) {
  Encoder out = parts::Begin(parts::kSecondFormat);
  out.Varint(links.size());
  for (const LinkRecord& link : links) {
    out.Double(link.weight);
    out.Signed(ToInt(link.clock));
    out.Varint(link.clock_counter);
    parts::Put(out, link.origin);
    parts::Put(out, link.seen);
  }
  return out.Take();
}

absl::StatusOr<std::vector<LinkRecord>> DecodeLinks(std::string_view bytes, const MemoryId& to) {
  Decoder in(bytes);
  std::vector<LinkRecord> links;
  const uint8_t format = in.Byte();
  if (format == parts::kFirstFormat) {
    LinkRecord& link = links.emplace_back();
    link.to = to;
    link.weight = in.Double();
  } else if (format == parts::kSecondFormat) {
    for (size_t left = in.Count(); left > 0 && in.ok(); --left) links.push_back(TakeLink(in, to));
  }
  if (!in.Finished() || links.empty()) return Damaged("link");
  return links;
}

}  // namespace engram::memory
