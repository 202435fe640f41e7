#include "engram/memory/pending_write.h"

namespace engram::memory {
namespace {

const StoreCommand& CommandOf(const PreparedStore& store) { return store.command; }
const ForgetCommand& CommandOf(const ForgetCommand& forget) { return forget; }
const LinkCommand& CommandOf(const LinkCommand& link) { return link; }

}  // namespace

const SpaceId& SpaceOf(const WriteOperation& operation) {
  return std::visit([](const auto& op) -> const SpaceId& { return CommandOf(op).space; },
                    operation);
}

const WriteIdentity& IdentityOf(const WriteOperation& operation) {
  return std::visit([](const auto& op) -> const WriteIdentity& { return CommandOf(op).identity; },
                    operation);
}

MemoryId IdOf(const StoreCommand& command) {
  if (command.id) return *command.id;
  const WriteIdentity& identity = command.identity;
  return MemoryId(Ulid::Derive(identity.request_id, identity.line).ToString());
}

size_t BytesOf(const StoreCommand& command) {
  size_t bytes = sizeof(command) + 2 * command.content.size() +  // the analysed text is as large
                 command.embedding.size() * sizeof(float) + command.links.size() * sizeof(Link);
  for (const std::string& tag : command.tags) bytes += sizeof(std::string) + tag.size();
  for (const auto& [key, value] : command.metadata) bytes += 128 + key.size() + value.size();
  return bytes;
}

}  // namespace engram::memory
