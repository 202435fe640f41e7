#include "simulation/network.h"

namespace engram::simulation {

Network::Network(Scheduler& scheduler, size_t nodes, LinkOptions options, uint64_t seed)
    : scheduler_(scheduler), options_(options), random_(seed), conditions_(nodes) {}

bool Network::Happens(double probability) {
  return std::uniform_real_distribution<double>()(random_) < probability;
}

Duration Network::Delay() {
  std::uniform_int_distribution<Duration::rep> any(options_.delay_min.count(),
                                                   options_.delay_max.count());
  return Duration(any(random_));
}

bool Network::Lost(size_t from, size_t to) {
  return cuts_.contains({from, to}) || Happens(options_.loss);
}

bool Network::Send(size_t from, size_t to, const std::function<void()>& deliver) {
  ++sent_;
  if (conditions_[to] == Condition::kDown && !cuts_.contains({from, to})) return false;
  const int copies = Happens(options_.duplication) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    if (Lost(from, to)) continue;
    scheduler_.After(Delay(), [this, to, deliver] {
      if (conditions_[to] == Condition::kUp) deliver();
    });
  }
  return true;
}

}  // namespace engram::simulation
