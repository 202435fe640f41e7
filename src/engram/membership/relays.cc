#include "engram/membership/relays.h"

#include <algorithm>
#include <utility>

namespace engram::membership {

bool Relays::Add(uint32_t sequence, Relay relay) {
  if (relays_.size() >= kRelaysMax) return false;
  relays_.insert_or_assign(sequence, std::move(relay));
  return true;
}

std::optional<Relay> Relays::OnAck(uint32_t sequence, const NodeId& sender) {
  auto it = relays_.find(sequence);
  if (it == relays_.end() || it->second.target != sender) return std::nullopt;
  return std::move(relays_.extract(it).mapped());
}

std::vector<Relay> Relays::TakeDue(TimePoint now) {
  std::vector<Relay> due;
  for (auto it = relays_.begin(); it != relays_.end();) {
    if (it->second.nack_at > now) {
      ++it;
      continue;
    }
    due.push_back(std::move(it->second));
    it = relays_.erase(it);
  }
  return due;
}

TimePoint Relays::NextDue() const {
  TimePoint next = kNever;
  for (const auto& [sequence, relay] : relays_) next = std::min(next, relay.nack_at);
  return next;
}

}  // namespace engram::membership
