// What became of a non-blocking read or write.
#pragma once

#include <cstddef>
#include <cstdint>

namespace engram::net::internal {

struct IoResult {
  enum class State : uint8_t {
    kDone,           // `bytes` were moved, at least one
    kWantsReadable,  // nothing was moved: try again when the socket is readable
    kWantsWritable,  // the same, writable
    kEnd,            // the peer sends no more
    kFailed,
  };

  State state;
  size_t bytes = 0;

  bool done() const { return state == State::kDone; }
};

}  // namespace engram::net::internal
