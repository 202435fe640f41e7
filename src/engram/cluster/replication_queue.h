// What waits to be sent to one node: messages as parts of a batch (replication_frame.h).
//
// What is small and urgent goes first: a lease must not run out because entries are on the way. At
// a bound the oldest are dropped, entries before the rest, since who sent them sends them again.
//
// Pure; not thread-safe. Owned by the link.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "engram/replication/replica_message.h"

namespace engram::cluster {

class ReplicationQueue {
 public:
  enum class Kind : uint8_t { kControl, kBulk };

  struct Batch {
    std::string bytes;
    size_t messages = 0;
  };

  explicit ReplicationQueue(size_t bytes_max) : bytes_max_(bytes_max) {}

  static Kind KindOf(const replication::ReplicaMessage& message);

  // Returns how many were dropped for it, itself perhaps among them.
  size_t Push(Kind kind, std::string part);
  // The next parts, of at most so many bytes together, but at least one. REQUIRES: !empty().
  Batch Take(size_t bytes_max);
  // Drops everything; returns how many that were.
  size_t Clear();

  bool empty() const { return bytes_ == 0; }
  size_t bytes() const { return bytes_; }

 private:
  using Parts = std::deque<std::string>;

  Parts& Of(Kind kind) { return parts_[static_cast<size_t>(kind)]; }
  std::string TakeOldest(Parts& parts);
  size_t DropToBound();

  const size_t bytes_max_;
  std::array<Parts, 2> parts_;  // by kind
  size_t bytes_ = 0;
};

}  // namespace engram::cluster
