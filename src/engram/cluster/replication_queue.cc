#include "engram/cluster/replication_queue.h"

#include <utility>
#include <variant>

namespace engram::cluster {

ReplicationQueue::Kind ReplicationQueue::KindOf(const replication::ReplicaMessage& message) {
  const bool bulk = std::holds_alternative<replication::Entries>(message) ||
                    std::holds_alternative<replication::Offer>(message);
  return bulk ? Kind::kBulk : Kind::kControl;
}

size_t ReplicationQueue::Push(Kind kind, std::string part) {
  bytes_ += part.size();
  Of(kind).push_back(std::move(part));
  return DropToBound();
}

ReplicationQueue::Batch ReplicationQueue::Take(size_t bytes_max) {
  Batch batch;
  for (Parts& parts : parts_) {
    while (!parts.empty()) {
      const size_t with_it = batch.bytes.size() + parts.front().size();
      if (batch.messages > 0 && with_it > bytes_max) return batch;
      std::string part = TakeOldest(parts);
      if (batch.messages++ == 0) {
        batch.bytes = std::move(part);  // one large part is the whole batch
      } else {
        batch.bytes += part;
      }
    }
  }
  return batch;
}

size_t ReplicationQueue::Clear() {
  size_t dropped = 0;
  for (Parts& parts : parts_) dropped += std::exchange(parts, {}).size();
  bytes_ = 0;
  return dropped;
}

std::string ReplicationQueue::TakeOldest(Parts& parts) {
  std::string part = std::move(parts.front());
  parts.pop_front();
  bytes_ -= part.size();
  return part;
}

size_t ReplicationQueue::DropToBound() {
  size_t dropped = 0;
  for (; bytes_ > bytes_max_; ++dropped) {
    TakeOldest(Of(Kind::kBulk).empty() ? Of(Kind::kControl) : Of(Kind::kBulk));
  }
  return dropped;
}

}  // namespace engram::cluster
