// The network of a simulated cluster: messages between nodes take a while, get lost, arrive twice,
// are cut off in one direction, or wait for a node that is too busy to handle them. Seeded.
#pragma once

#include <cstddef>
#include <functional>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "simulation/scheduler.h"

namespace engram::simulation {

struct LinkOptions {
  Duration delay_min = std::chrono::microseconds(50);
  Duration delay_max = std::chrono::milliseconds(2);
  double loss = 0;         // of a message, on its way in one direction
  double duplication = 0;  // a message arrives twice
};

enum class Condition : uint8_t {
  kUp,
  kDown,  // its port refuses: who sends is told at once
  kHung,  // takes messages and does nothing
};

enum class Transport : uint8_t {
  kLossy,     // what `loss` and `duplication` say
  kReliable,  // as TCP: cuts and delays only
};

class Network {
 public:
  Network(Scheduler& scheduler, size_t nodes, LinkOptions options, uint64_t seed);

  void SetLinks(const LinkOptions& options) { options_ = options; }
  void Set(size_t node, Condition condition) { conditions_[node] = condition; }
  Condition condition(size_t node) const { return conditions_[node]; }
  // Messages from `from` to `to` vanish; those back do not.
  void Cut(size_t from, size_t to) { cuts_.insert({from, to}); }
  void Heal() { cuts_.clear(); }
  bool IsCut(size_t from, size_t to) const { return cuts_.contains({from, to}); }
  // Until then the node gets no message handled: those that it sends and those that come wait. Its
  // own timers are not the network's affair.
  void Stall(size_t node, TimePoint until) { stalled_until_[node] = until; }

  // `deliver` runs at the receiver never, once or twice. False: the receiver's port refused.
  bool Send(size_t from, size_t to, const std::function<void()>& deliver,
            Transport transport = Transport::kLossy);

  uint64_t sent() const { return sent_; }

 private:
  bool Happens(double probability);
  Duration Delay();
  bool Lost(size_t from, size_t to, Transport transport);
  void Arrive(size_t to, const std::function<void()>& deliver);

  Scheduler& scheduler_;
  LinkOptions options_;
  std::mt19937_64 random_;
  std::vector<Condition> conditions_;
  std::vector<TimePoint> stalled_until_;
  std::set<std::pair<size_t, size_t>> cuts_;
  uint64_t sent_ = 0;
};

}  // namespace engram::simulation
