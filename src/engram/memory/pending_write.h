// A write on its way: validated and, for a store, analysed in its caller, so that the one commit
// thread has little left to do. Move-only value.
#pragma once

#include <variant>

#include "engram/memory/analyzer.h"
#include "engram/memory/engine.h"
#include "engram/memory/types.h"

namespace engram::memory {

struct PreparedStore {
  StoreCommand command;
  AnalyzedText text;  // of the content
};

using WriteOperation = std::variant<PreparedStore, ForgetCommand, LinkCommand>;

struct PendingWrite {
  WriteOperation operation;
  Engine::Done done;
  size_t bytes = 0;          // about what it holds in memory
  uint64_t fingerprint = 0;  // of the operation: fingerprint.h
};

// Ready to be queued. REQUIRES: the command is valid (validate.h).
PendingWrite Prepare(StoreCommand command, Engine::Done done);
PendingWrite Prepare(ForgetCommand command, Engine::Done done);
PendingWrite Prepare(LinkCommand command, Engine::Done done);

const SpaceId& SpaceOf(const WriteOperation& operation);
const WriteIdentity& IdentityOf(const WriteOperation& operation);

// The id that the store's memory has or, as the command names none, gets from the identity.
MemoryId IdOf(const StoreCommand& command);

// About the memory that a store occupies while it waits.
size_t BytesOf(const StoreCommand& command);

}  // namespace engram::memory
