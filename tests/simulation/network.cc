#include "simulation/network.h"

#include <algorithm>

namespace engram::simulation {

Network::Network(Scheduler& scheduler, size_t nodes, LinkOptions options, uint64_t seed)
    : scheduler_(scheduler),
      options_(options),
      random_(seed),
      conditions_(nodes),
      stalled_until_(nodes) {}

bool Network::Happens(double probability) {
  return std::uniform_real_distribution<double>()(random_) < probability;
}

Duration Network::Delay() {
  std::uniform_int_distribution<Duration::rep> any(options_.delay_min.count(),
                                                   options_.delay_max.count());
  return Duration(any(random_));
}

bool Network::Lost(size_t from, size_t to, Transport transport) {
  return cuts_.contains({from, to}) || (transport == Transport::kLossy && Happens(options_.loss));
}

bool Network::Send(size_t from, size_t to, const std::function<void()>& deliver,
                   Transport transport) {
  ++sent_;
  if (conditions_[to] == Condition::kDown && !cuts_.contains({from, to})) return false;
  const bool twice = transport == Transport::kLossy && Happens(options_.duplication);
  const TimePoint leaves = std::max(scheduler_.now(), stalled_until_[from]);
  for (int i = 0; i < (twice ? 2 : 1); ++i) {
    if (Lost(from, to, transport)) continue;
    scheduler_.At(leaves + Delay(), [this, to, deliver] { Arrive(to, deliver); });
  }
  return true;
}

void Network::Arrive(size_t to, const std::function<void()>& deliver) {
  if (scheduler_.now() < stalled_until_[to]) {
    scheduler_.At(stalled_until_[to], [this, to, deliver] { Arrive(to, deliver); });
  } else if (conditions_[to] == Condition::kUp) {
    deliver();
  }
}

}  // namespace engram::simulation
