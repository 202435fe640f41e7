// The holders of one space in virtual time: the machines and the model of a log, on disks that take
// their time and forget in a crash what is not durable, over a network that delays, loses, doubles
// and reorders, with one-way cuts and stops. Clients write, with any acknowledgement. After each
// step it holds what docs/model promises of every moment; Settle() heals everything and holds what
// it promises of the end. A seed gives one run and no other.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engram/replication/replica.h"
#include "engram/replication/testing/map_log.h"

namespace engram::replication {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Trouble {
  Duration delay_max = milliseconds(20);
  Duration disk_max = milliseconds(20);  // between two commands
  double loss = 0;
  double doubled = 0;
  bool reorders = false;
};

class ReplicaCluster {
 public:
  explicit ReplicaCluster(size_t size, uint64_t seed = 1) : random_(seed) {
    for (size_t i = 0; i < size; ++i) ids_.emplace_back(std::string(1, static_cast<char>('a' + i)));
    for (size_t i = 0; i < size; ++i) {
      nodes_.push_back(std::make_unique<Node>(MapLog(ids_[i], ids_)));
      nodes_[i]->rate = 0.9 + 0.2 * Share();
      Restart(i);
    }
  }

  Trouble trouble;
  // For the next (re)start of a node.
  ReplicaOptions options;
  size_t kept = SIZE_MAX;  // entries of a log

  void Create(size_t i) {
    nodes_[i]->machine->Create(Local(i));
    CarryOut(i);
  }
  void HandOver(size_t i, size_t to) {
    nodes_[i]->machine->HandOverTo(ids_[to], Local(i));
    CarryOut(i);
  }

  // A write at node i: its text, or nothing if it is refused.
  std::optional<std::string> Write(size_t i, bool branch = false) {
    return Write(i, branch, "w" + std::to_string(++writes_));
  }
  // The same, of a tombstone.
  std::optional<std::string> Forget(size_t i, bool branch = false) {
    return Write(i, branch, "t" + std::to_string(++writes_));
  }
  std::optional<std::string> Write(size_t i, bool branch, const std::string& text) {
    if (!Runs(i)) return std::nullopt;
    const bool primary = nodes_[i]->log.log().holder.IsPrimary(ids_[i]);
    const std::optional<Version> origin = nodes_[i]->log.Write(text, branch);
    if (!origin) return std::nullopt;
    acknowledged_.insert(text);
    if (primary) waiting_for_quorum_.push_back({i, *origin, text});
    nodes_[i]->machine->OnCommitted(Local(i));
    CarryOut(i);
    return text;
  }

  void Cut(size_t from, size_t to) { cuts_.emplace(from, to); }
  void CutOff(size_t node) {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      Cut(node, i);
      Cut(i, node);
    }
  }
  void Heal() { cuts_.clear(); }
  void Crash(size_t i) {
    nodes_[i]->machine.reset();
    nodes_[i]->log.Crash();
    std::erase_if(waiting_for_quorum_, [i](const Waiting& w) { return w.node == i; });
  }
  void Restart(size_t i) {
    Node& node = *nodes_[i];
    const SpaceLog log = node.log.log();
    node.is_stranger = node.lost_disk && log.holders.empty();
    node.log.kept = kept;
    node.machine = std::make_unique<Replica>(SpaceId("s"), ids_[i], log, ids_, options, node.log,
                                             random_, Local(i));
  }
  // Comes back, with the next Restart(), without anything. What only it had as a change is lost, if
  // no quorum has confirmed it: nobody was promised anything else.
  void LoseDisk(size_t i) {
    if (IsUp(i)) Crash(i);
    nodes_[i]->log.LoseDisk();
    nodes_[i]->lost_disk = true;
    std::erase_if(acknowledged_, [&](const std::string& text) {
      return !held_by_quorum_.contains(text) &&
             std::none_of(nodes_.begin(), nodes_.end(),
                          [&](const auto& node) { return node->log.HasChange(text); });
    });
  }
  void Damage(size_t i, const std::string& text) { nodes_[i]->log.Damage(text); }
  void Stop(size_t i) { nodes_[i]->stopped = true; }
  void Continue(size_t i) { nodes_[i]->stopped = false; }
  // Its next outputs are carried out only up to the `count`-th; then it crashes.
  void CrashAfter(size_t i, size_t count) { nodes_[i]->outputs_left = count; }

  void RunFor(Duration time) {
    const TimePoint end = now_ + time;
    while (now_ < end) {
      now_ += kStep;
      Deliver();
      for (size_t i = 0; i < nodes_.size(); ++i) {
        if (Runs(i)) RunDisk(i);
        if (Runs(i) && !nodes_[i]->is_stranger && nodes_[i]->machine->NextWake() <= Local(i)) {
          nodes_[i]->machine->Tick(Local(i));
          CarryOut(i);
        }
      }
      CountQuorums();
      HoldEveryMoment();
      Trim();
    }
  }

  // No trouble any more; then everything is as it must be in the end.
  void Settle() {
    trouble = Trouble();
    Heal();
    for (size_t i = 0; i < nodes_.size(); ++i) {
      nodes_[i]->outputs_left = SIZE_MAX;
      if (!IsUp(i)) Restart(i);
      Continue(i);
    }
    RunFor(seconds(30));
    HoldTheEnd();
  }

  size_t size() const { return nodes_.size(); }
  bool IsUp(size_t i) const { return nodes_[i]->machine != nullptr; }
  const Replica& node(size_t i) const { return *nodes_[i]->machine; }
  const MapLog& log(size_t i) const { return nodes_[i]->log; }
  std::optional<size_t> Primary() const {
    std::optional<size_t> newest;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (!IsUp(i) || !node(i).IsPrimary()) continue;
      if (!newest || node(i).log().holder.epoch() > node(*newest).log().holder.epoch()) newest = i;
    }
    return newest;
  }
  const std::set<std::string>& held_by_quorum() const { return held_by_quorum_; }
  uint64_t newest_counter() const { return offices_.empty() ? 0 : offices_.rbegin()->first; }
  double Share() { return std::uniform_real_distribution<double>(0, 1)(random_); }
  size_t Below(size_t bound) {
    return std::uniform_int_distribution<size_t>(0, bound - 1)(random_);
  }

 private:
  static constexpr Duration kStep = milliseconds(5);

  struct Node {
    explicit Node(MapLog l) : log(std::move(l)) {}
    MapLog log;
    std::unique_ptr<Replica> machine;  // null: down
    double rate = 1;
    bool stopped = false;
    bool lost_disk = false;
    bool is_stranger = false;  // waits to be told that it holds the space
    size_t outputs_left = SIZE_MAX;
    TimePoint disk_free{};
  };
  struct Letter {
    size_t from;
    size_t to;
    ReplicaMessage message;
  };
  struct Waiting {
    size_t node;
    Version position;
    std::string text;
  };

  bool Runs(size_t i) const { return IsUp(i) && !nodes_[i]->stopped; }
  TimePoint Local(size_t i) const {
    return TimePoint(std::chrono::hours(1)) +
           std::chrono::duration_cast<Duration>(now_.time_since_epoch() * nodes_[i]->rate);
  }
  size_t IndexOf(const NodeId& id) const { return static_cast<size_t>(id.value()[0] - 'a'); }
  Duration UpTo(Duration most) { return std::chrono::duration_cast<Duration>(most * Share()); }

  void Deliver() {
    while (!letters_.empty() && letters_.begin()->first <= now_) {
      const Letter letter = letters_.begin()->second;
      letters_.erase(letters_.begin());
      if (IsUp(letter.to) && nodes_[letter.to]->stopped) {
        letters_.emplace(now_ + kStep, letter);
      } else if (IsUp(letter.to) && Knows(letter.to, letter.message)) {
        nodes_[letter.to]->machine->Step(ids_[letter.from], letter.message, Local(letter.to));
        CarryOut(letter.to);
      }
    }
  }

  // A node that has lost its disk is told by a message.
  bool Knows(size_t i, const ReplicaMessage& message) {
    Node& node = *nodes_[i];
    if (!node.is_stranger) return true;
    const Proposal proposal = ProposedBy(message);
    if (proposal.holders.empty()) return false;
    node.is_stranger = false;
    SpaceLog log;
    log.incomplete = log.forgetful = !proposal.is_new;
    node.machine = std::make_unique<Replica>(SpaceId("s"), ids_[i], log, proposal.holders, options,
                                             node.log, random_, Local(i));
    return true;
  }

  void RunDisk(size_t i) {
    Node& node = *nodes_[i];
    while (IsUp(i) && node.log.HasWork() && node.disk_free <= now_) {
      node.disk_free = now_ + UpTo(trouble.disk_max);
      node.log.Commit();
      CarryOut(i);
    }
  }

  void CarryOut(size_t i) {
    while (IsUp(i)) {
      std::vector<Replica::Output> outputs = nodes_[i]->machine->TakeOutput();
      if (outputs.empty()) return;
      for (Replica::Output& output : outputs) {
        if (nodes_[i]->outputs_left-- == 0) {
          nodes_[i]->outputs_left = SIZE_MAX;
          return Crash(i);
        }
        std::visit([&](auto& o) { CarryOut(i, o); }, output);
      }
    }
  }

  void CarryOut(size_t i, Replica::Send& send) {
    const size_t to = IndexOf(send.to);
    if (cuts_.contains({i, to})) return;
    if (!IsUp(to)) return nodes_[i]->machine->OnPortRefused(send.to);
    if (Share() < trouble.loss) return;
    for (int copies = Share() < trouble.doubled ? 2 : 1; copies > 0; --copies) {
      TimePoint& newest = newest_letter_[{i, to}];
      TimePoint arrives = now_ + UpTo(trouble.delay_max);
      if (!trouble.reorders) arrives = newest = std::max(newest, arrives);
      letters_.emplace(arrives, Letter{i, to, send.message});
    }
  }

  void CarryOut(size_t i, Replica::Run& run) {
    MapLog& log = nodes_[i]->log;
    if (const auto* collect = std::get_if<Replica::Collect>(&run.command)) HoldConfirmed(*collect);
    auto done = [this, i, id = run.id,
                 office = std::holds_alternative<Replica::TakeOffice>(run.command)](
                    const absl::StatusOr<SpaceLog>& result) {
      if (office && result.ok()) TookOffice(i);
      nodes_[i]->machine->OnDone(id, result.status(), Local(i));
    };
    nodes_[i]->machine->GiveTo(log, std::move(run.command), done);
  }

  // Whoever has not, is taking over a copy of who has.
  void HoldConfirmed(const Replica::Collect& collect) {
    for (const Tombstone& tombstone : collect.tombstones) {
      for (const auto& node : nodes_) {
        const SpaceLog& log = node->log.log();
        if (node->lost_disk && (log.incomplete || log.last() == Version())) continue;
        EXPECT_TRUE(log.logged.Covers(tombstone.origin))
            << tombstone.name << " is collected, and a holder has not confirmed it";
      }
    }
  }

  // One primary by a counter, who has everything that a quorum has acknowledged.
  void TookOffice(size_t i) {
    const SpaceLog& log = nodes_[i]->log.log();
    EXPECT_FALSE(log.incomplete) << "an incomplete copy takes office";
    const auto [entry, is_new] = offices_.emplace(log.holder.epoch().counter, ids_[i]);
    EXPECT_TRUE(is_new) << "two primaries by counter " << log.holder.epoch().counter;
    const std::multiset<std::string> store = nodes_[i]->log.Store();
    for (const std::string& text : held_by_quorum_) {
      EXPECT_TRUE(store.contains(text)) << text << " is missing at the new primary " << i;
    }
  }

  void Trim() {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (IsUp(i)) nodes_[i]->log.MayTrim(SpaceId("s"), node(i).MayTrim());
    }
  }

  void CountQuorums() {
    std::erase_if(waiting_for_quorum_, [this](const Waiting& waiting) {
      if (!Runs(waiting.node)) return false;
      const Version held = node(waiting.node).HeldByMajority();
      if (held.epoch != waiting.position.epoch || held < waiting.position) return false;
      held_by_quorum_.insert(waiting.text);
      return true;
    });
  }

  void HoldEveryMoment() {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      const SpaceLog& log = nodes_[i]->log.log();
      if (log.holder.IsPrimary(ids_[i])) {
        EXPECT_TRUE(log.outbox_entries == 0 || log.base != Version()) << "a primary has no outbox";
      }
      if (!Runs(i) || node(i).LeaseUntil() <= Local(i)) continue;
      EXPECT_GE(log.holder.epoch().counter, newest_counter())
          << ids_[i].value() << " answers without the flag beside a newer primary";
    }
  }

  void HoldTheEnd() {
    ASSERT_TRUE(Primary().has_value());
    const MapLog& first = nodes_[*Primary()]->log;
    const std::multiset<std::string> store = first.Store();
    for (const std::string& text : store) {
      EXPECT_EQ(store.count(text), 1u) << text << " stands twice";
    }
    for (const std::string& text : acknowledged_) {
      EXPECT_TRUE(store.contains(text)) << text << " is lost";
      EXPECT_EQ(store.contains("c" + text), text[0] == 't') << text << " is collected, or is not";
    }
    for (size_t i = 0; i < nodes_.size(); ++i) {
      const MapLog& log = nodes_[i]->log;
      EXPECT_EQ(log.log().outbox_entries, 0u) << "node " << i;
      EXPECT_EQ(log.log().last(), first.log().last()) << "node " << i;
      EXPECT_EQ(log.log().history, first.log().history) << "node " << i;
      EXPECT_EQ(log.log().logged, first.log().logged) << "node " << i;
      EXPECT_EQ(log.Store(), store) << "node " << i;
      EXPECT_FALSE(log.log().incomplete) << "node " << i;
    }
  }

  std::mt19937_64 random_;
  std::vector<NodeId> ids_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::multimap<TimePoint, Letter> letters_;
  std::map<std::pair<size_t, size_t>, TimePoint> newest_letter_;  // when it arrives
  std::set<std::pair<size_t, size_t>> cuts_;
  std::map<uint64_t, NodeId> offices_;  // by counter
  uint64_t writes_ = 0;
  std::set<std::string> acknowledged_;
  std::set<std::string> held_by_quorum_;
  std::vector<Waiting> waiting_for_quorum_;
  TimePoint now_{};
};

}  // namespace engram::replication
