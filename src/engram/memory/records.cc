#include "engram/memory/records.h"

#include "engram/memory/record_parts.h"

namespace engram::memory {

using parts::Damaged;

std::string EncodeIndexEntry(const IndexEntry& entry) {
  Encoder out = parts::Begin();
  out.Byte(static_cast<uint8_t>(entry.attributes.kind));
  out.Double(entry.attributes.confidence);
  out.Signed(ToInt(entry.attributes.occurred_at));
  out.Varint(entry.attributes.features.size());
  for (uint64_t feature : entry.attributes.features) out.Varint(feature);
  out.Varint(entry.text.length);
  out.Varint(entry.text.terms.size());
  for (const TermCount& term : entry.text.terms) {
    out.Bytes(term.term);
    out.Varint(term.count);
  }
  return out.Take();
}

absl::StatusOr<IndexEntry> DecodeIndexEntry(std::string_view bytes) {
  Decoder in(bytes);
  if (!parts::KnownFormat(in)) return Damaged("index entry");
  IndexEntry entry;
  entry.attributes.kind = static_cast<Kind>(in.Byte());
  entry.attributes.confidence = in.Double();
  entry.attributes.occurred_at = WallMillis{in.Signed()};
  entry.attributes.features.resize(in.Count());
  for (uint64_t& feature : entry.attributes.features) feature = in.Varint();
  entry.text.length = static_cast<uint32_t>(in.Varint());
  entry.text.terms.resize(in.Count());
  for (TermCount& term : entry.text.terms) {
    term.term = in.Bytes();
    term.count = static_cast<uint32_t>(in.Varint());
  }
  if (!in.Finished()) return Damaged("index entry");
  return entry;
}

std::string EncodeEmbedding(std::span<const float> embedding) {
  Encoder out = parts::Begin();
  out.Floats(embedding);
  return out.Take();
}

absl::StatusOr<std::vector<float>> DecodeEmbedding(std::string_view bytes) {
  Decoder in(bytes);
  bool known = parts::KnownFormat(in);
  std::vector<float> embedding = in.Floats();
  if (!known || !in.Finished()) return Damaged("embedding");
  return embedding;
}

std::string EncodeIdentity(const Identity& identity) {
  Encoder out = parts::Begin();
  out.Bytes(identity.cluster_id);
  out.Bytes(identity.node_id.view());
  return out.Take();
}

absl::StatusOr<Identity> DecodeIdentity(std::string_view bytes) {
  Decoder in(bytes);
  if (!parts::KnownFormat(in)) return Damaged("identity");
  Identity identity;
  identity.cluster_id = in.Bytes();
  identity.node_id = NodeId(in.Bytes());
  // Before 0.1.0 a list of all nodes followed, which membership has made superfluous.
  if (!in.Finished()) {
    for (size_t nodes = in.Count(); nodes > 0; --nodes) in.Bytes();
  }
  if (!in.Finished()) return Damaged("identity");
  return identity;
}

std::string EncodeRequest(const RequestRecord& record) {
  const WriteResult& result = record.result;
  Encoder out = parts::Begin();
  out.Bytes(result.id.view());
  parts::Put(out, result.version);
  out.Byte(result.created ? 1 : 0);
  out.Byte(result.space_created ? 1 : 0);
  out.Varint(record.fingerprint);
  return out.Take();
}

absl::StatusOr<RequestRecord> DecodeRequest(std::string_view bytes) {
  Decoder in(bytes);
  if (!parts::KnownFormat(in)) return Damaged("request");
  RequestRecord record;
  WriteResult& result = record.result;
  result.id = MemoryId(in.Bytes());
  result.version = parts::TakeVersion(in);
  result.created = in.Byte() != 0;
  result.space_created = in.Byte() != 0;
  record.fingerprint = in.Varint();
  if (!in.Finished()) return Damaged("request");
  return record;
}

std::string EncodeFormatVersion(uint64_t version) {
  Encoder out = parts::Begin();
  out.Varint(version);
  return out.Take();
}

absl::StatusOr<uint64_t> DecodeFormatVersion(std::string_view bytes) {
  Decoder in(bytes);
  bool known = parts::KnownFormat(in);
  uint64_t version = in.Varint();
  if (!known || !in.Finished()) return Damaged("format version");
  return version;
}

}  // namespace engram::memory
