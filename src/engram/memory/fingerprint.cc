#include "engram/memory/fingerprint.h"

#include <xxhash.h>

#include "engram/memory/record_parts.h"
#include "engram/memory/records.h"

namespace engram::memory {
namespace {

Encoder Begin(LogOperation operation, const SpaceId& space) {
  Encoder out;
  out.Byte(static_cast<uint8_t>(operation));
  out.Bytes(space.view());
  return out;
}

// Each part is of fixed size or starts with its length, and what may be absent with whether it is.
Encoder Encode(const PreparedStore& store) {
  const StoreCommand& command = store.command;
  Encoder out = Begin(LogOperation::kStore, command.space);
  out.Reserve(BytesOf(command));
  out.Byte(command.id ? 1 : 0);
  if (command.id) out.Bytes(command.id->view());
  out.Bytes(command.content);
  out.Floats(command.embedding);
  out.Varint(command.tags.size());
  for (const std::string& tag : command.tags) out.Bytes(tag);
  out.Varint(command.metadata.size());
  for (const auto& [key, value] : command.metadata) {
    out.Bytes(key);
    out.Bytes(value);
  }
  parts::Put(out, command.links);
  out.Byte(command.confidence ? 1 : 0);
  if (command.confidence) out.Double(*command.confidence);
  out.Byte(static_cast<uint8_t>(command.kind));
  out.Byte(command.occurred_at ? 1 : 0);
  if (command.occurred_at) out.Signed(ToInt(*command.occurred_at));
  return out;
}

Encoder Encode(const ForgetCommand& forget) {
  Encoder out = Begin(LogOperation::kForget, forget.space);
  out.Bytes(forget.id.view());
  return out;
}

Encoder Encode(const LinkCommand& link) {
  Encoder out = Begin(LogOperation::kLink, link.space);
  out.Bytes(link.from.view());
  out.Bytes(link.to.view());
  out.Double(link.weight);
  return out;
}

}  // namespace

uint64_t FingerprintOf(const WriteOperation& operation) {
  const Encoder encoded = std::visit([](const auto& op) { return Encode(op); }, operation);
  return XXH3_64bits(encoded.data().data(), encoded.data().size());
}

}  // namespace engram::memory
