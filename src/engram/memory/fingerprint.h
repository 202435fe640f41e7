// What a write asks for, as 64 bits: tells a repetition of a request from another one that came
// under the same request id.
//
// Pure and thread-safe.
#pragma once

#include <cstdint>

#include "engram/memory/pending_write.h"

namespace engram::memory {

// XXH3 of everything that the sender said, without the identity (the key under which it is kept),
// create_space (who asks for it is the node's business) and if_state (of a repetition it no longer
// holds). Kept in the database: the encoding
// must not change within a format version.
uint64_t FingerprintOf(const WriteOperation& operation);

}  // namespace engram::memory
