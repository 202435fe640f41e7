// The failover machines of one space's holders in virtual time, with a network that delays, loses,
// doubles and reorders, one-way cuts, crashes between any two outputs, and clocks that run
// unevenly. After each step it holds what docs/model promises: at most one primary in an epoch, and
// no answer without the flag beside a newer primary. A seed gives one run and no other.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engram/replication/failover.h"

namespace engram::replication {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct NetworkOptions {
  Duration delay_max = milliseconds(20);
  double loss = 0;
  double doubled = 0;
};

class FailoverCluster {
 public:
  enum class Space : uint8_t { kLedByFirst, kNew };
  explicit FailoverCluster(size_t size, uint64_t seed = 1, Space space = Space::kLedByFirst)
      : random_(seed) {
    for (size_t i = 0; i < size; ++i) ids_.emplace_back(std::string(1, static_cast<char>('a' + i)));
    nodes_.resize(size);
    HolderState created;
    if (space == Space::kLedByFirst) created.Follow({1, ids_[0]});
    for (Node& node : nodes_) {
      node.stored = created;
      // Up to 10 % fast or slow: far worse than any clock, and within the second that lease and
      // wait differ by.
      node.rate = 0.9 + 0.2 * Share();
    }
    for (size_t i = 0; i < size; ++i) Restart(i);
  }

  NetworkOptions network;
  // For the next (re)start of a node.
  FailoverOptions options;
  // All of them. REQUIRES: nothing has run.
  void SetClockRate(double rate) {
    for (Node& node : nodes_) node.rate = rate;
  }

  void Cut(size_t from, size_t to) { cuts_.emplace(from, to); }
  void CutOff(size_t node) {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      Cut(node, i);
      Cut(i, node);
    }
  }
  void Heal() { cuts_.clear(); }

  void Crash(size_t i) { nodes_[i].machine.reset(); }
  void Restart(size_t i) {
    Node& node = nodes_[i];
    node.machine =
        std::make_unique<Failover>(ids_[i], ids_, node.stored, options, random_, Local(i));
  }
  void Create(size_t i) {
    nodes_[i].machine->Create(Local(i));
    CarryOut(i);
  }
  void HandOver(size_t i, size_t to) {
    nodes_[i].machine->HandOverTo(ids_[to], Local(i));
    CarryOut(i);
    nodes_[i].machine->CompleteHandOver(nodes_[i].position);
    CarryOut(i);
  }
  // What it will find on its disk. REQUIRES: it is down.
  void SetStored(size_t i, const HolderState& state) { nodes_[i].stored = state; }
  // Takes no step, while its clock goes on (SIGSTOP).
  void Stop(size_t i) { nodes_[i].stopped = true; }
  void Continue(size_t i) { nodes_[i].stopped = false; }
  void SetPosition(size_t i, const Version& position) { nodes_[i].position = position; }
  // Its next outputs are carried out only up to the `count`-th; then it crashes.
  void CrashAfter(size_t i, size_t count) { nodes_[i].outputs_left = count; }

  void RunFor(Duration time) {
    const TimePoint end = now_ + time;
    while (now_ < end) {
      now_ += kStep;
      Deliver();
      for (size_t i = 0; i < nodes_.size(); ++i) {
        if (!Runs(i) || nodes_[i].machine->NextWake() > Local(i)) continue;
        nodes_[i].machine->Tick(Local(i));
        CarryOut(i);
      }
      HoldPromises();
    }
  }

  bool IsUp(size_t i) const { return nodes_[i].machine != nullptr; }
  const Failover& node(size_t i) const { return *nodes_[i].machine; }
  bool HasLease(size_t i) const { return Runs(i) && node(i).HasLease(Local(i)); }
  // The one primary that all follow; nothing unless all are up and agree.
  std::optional<NodeId> AgreedPrimary() const {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (!IsUp(i) || node(i).state().epoch() != nodes_[0].machine->state().epoch() ||
          node(i).state().promised() != node(i).state().epoch().counter) {
        return std::nullopt;
      }
    }
    return nodes_[0].machine->state().epoch().primary;
  }
  uint64_t newest_counter() const { return offices_.empty() ? 1 : offices_.rbegin()->first; }
  // Appointments that came to a holder that had promised somebody else since.
  size_t late_appointments() const { return late_appointments_; }
  // From 0 to 1.
  double Share() { return std::uniform_real_distribution<double>(0, 1)(random_); }
  size_t Below(size_t bound) {
    return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
  }

 private:
  static constexpr Duration kStep = milliseconds(10);

  struct Node {
    std::unique_ptr<Failover> machine;  // null: down
    HolderState stored;
    Version position;
    double rate = 1;
    bool stopped = false;
    size_t outputs_left = SIZE_MAX;
  };
  struct Letter {
    size_t from;
    size_t to;
    FailoverMessage message;
  };

  bool Runs(size_t i) const { return IsUp(i) && !nodes_[i].stopped; }
  TimePoint Local(size_t i) const {
    return TimePoint(std::chrono::hours(1)) +
           std::chrono::duration_cast<Duration>(now_.time_since_epoch() * nodes_[i].rate);
  }
  size_t IndexOf(const NodeId& id) const { return static_cast<size_t>(id.value()[0] - 'a'); }

  bool IsLateAppointment(const Letter& letter) const {
    const auto* appoint = std::get_if<Appoint>(&letter.message);
    if (appoint == nullptr) return false;
    const HolderState& state = node(letter.to).state();
    return state.promised() > appoint->counter && state.epoch().counter < appoint->counter;
  }

  void Deliver() {
    while (!letters_.empty() && letters_.begin()->first <= now_) {
      const Letter letter = letters_.begin()->second;
      // A stopped process reads what waits for it when it goes on.
      if (IsUp(letter.to) && nodes_[letter.to].stopped) {
        letters_.emplace(now_ + kStep, letter);
      } else if (IsUp(letter.to)) {
        late_appointments_ += IsLateAppointment(letter) ? 1 : 0;
        nodes_[letter.to].machine->Step(ids_[letter.from], letter.message, Local(letter.to));
        CarryOut(letter.to);
      }
      letters_.erase(letters_.begin());
    }
  }

  void CarryOut(size_t i) {
    // Carrying one out may bring more.
    while (IsUp(i)) {
      const std::vector<Failover::Output> outputs = nodes_[i].machine->TakeOutput();
      if (outputs.empty()) return;
      for (const Failover::Output& output : outputs) {
        if (nodes_[i].outputs_left-- == 0) {
          nodes_[i].outputs_left = SIZE_MAX;
          return Crash(i);
        }
        std::visit([&](const auto& o) { CarryOut(i, o); }, output);
      }
    }
  }
  void CarryOut(size_t i, const Failover::Send& send) {
    const size_t to = IndexOf(send.to);
    if (cuts_.contains({i, to})) return;
    if (!IsUp(to)) {
      if (nodes_[i].machine->state().epoch().primary == send.to) nodes_[i].machine->OnPortRefused();
      return;
    }
    if (Share() < network.loss) return;
    for (int copies = Share() < network.doubled ? 2 : 1; copies > 0; --copies) {
      const auto delay = std::chrono::duration_cast<Duration>(network.delay_max * Share());
      letters_.emplace(now_ + delay, Letter{i, to, send.message});
    }
  }
  void CarryOut(size_t i, const Failover::Persist& persist) {
    nodes_[i].stored = persist.state;
    nodes_[i].machine->Persisted(persist.state, nodes_[i].position, Local(i));
  }
  void CarryOut(size_t i, const Failover::TookOffice& office) {
    const auto [entry, is_new] = offices_.emplace(office.epoch.counter, ids_[i]);
    EXPECT_TRUE(is_new) << "two primaries by counter " << office.epoch.counter;
    nodes_[i].stored = nodes_[i].machine->state();
    SetPosition(i, {office.epoch, 1});
  }
  void CarryOut(size_t, const Failover::Follows&) {}

  void HoldPromises() {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (!HasLease(i)) continue;
      EXPECT_GE(node(i).state().epoch().counter, newest_counter())
          << ids_[i].value() << " answers without the flag beside a newer primary";
    }
  }

  std::mt19937_64 random_;
  std::vector<NodeId> ids_;
  std::vector<Node> nodes_;
  std::multimap<TimePoint, Letter> letters_;
  std::set<std::pair<size_t, size_t>> cuts_;
  std::map<uint64_t, NodeId> offices_;  // by counter
  size_t late_appointments_ = 0;
  TimePoint now_{};
};

}  // namespace engram::replication
