#include "engram/memory/pending_write.h"

#include "engram/memory/fingerprint.h"

namespace engram::memory {
namespace {

const StoreCommand& CommandOf(const PreparedStore& store) { return store.command; }
const ForgetCommand& CommandOf(const ForgetCommand& forget) { return forget; }
const LinkCommand& CommandOf(const LinkCommand& link) { return link; }

PendingWrite MakePending(WriteOperation operation, Engine::Done done, size_t bytes) {
  const uint64_t fingerprint = FingerprintOf(operation);
  return {std::move(operation), std::move(done), bytes, fingerprint};
}

}  // namespace

PendingWrite Prepare(StoreCommand command, Engine::Done done) {
  const size_t bytes = BytesOf(command);
  AnalyzedText text = Analyze(command.content);
  return MakePending(PreparedStore{std::move(command), std::move(text)}, std::move(done), bytes);
}

PendingWrite Prepare(ForgetCommand command, Engine::Done done) {
  return MakePending(std::move(command), std::move(done), sizeof(ForgetCommand));
}

PendingWrite Prepare(LinkCommand command, Engine::Done done) {
  return MakePending(std::move(command), std::move(done), sizeof(LinkCommand));
}

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
