#include "simulation/swim_cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "absl/base/macros.h"

namespace engram::simulation {

using membership::Change;
using membership::MemberState;
using membership::Swim;

namespace {

// The number at the end of "node-0042".
constexpr size_t kIdPrefix = 5;

}  // namespace

membership::SwimOptions PlainSwim() {
  membership::SwimOptions options;
  options.awareness_max = 0;
  options.buddy_notice = false;
  options.suspicion.longest_factor = 1;
  return options;
}

SwimCluster::SwimCluster(const SwimSimOptions& options)
    : options_(options),
      random_(options.seed),
      network_(scheduler_, options.nodes, options.link, random_()),
      nodes_(options.nodes) {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[i].id = NodeId(fmt::format("node-{:04}", i));
    nodes_[i].records = std::make_unique<cluster::GossipedTable>();
    network_.Set(i, Condition::kDown);
  }
}

membership::Self SwimCluster::SelfOf(const Node& node) const {
  return {node.id,
          node.incarnation,
          {node.id.value(), node.id.value(), "", ""},
          membership::TagOf("simulated")};
}

void SwimCluster::Start(size_t i, std::optional<size_t> seed) {
  Node& node = nodes_[i];
  ++node.life;
  node.incarnation = membership::Next(node.incarnation);
  node.random = std::make_unique<std::mt19937_64>(random_());
  node.partition.emplace(options_.partition);
  node.records = std::make_unique<cluster::GossipedTable>();
  for (const auto& [key, record] : node.disk.records()) {
    ABSL_HARDENING_ASSERT(!node.records->records.Apply(std::span(&record, 1)).empty());
  }
  node.swim = std::make_unique<Swim>(SelfOf(node), options_.swim, *node.random, now(),
                                     &node.records->gossip);
  node.wake = kNever;
  network_.Set(i, Condition::kUp);
  if (!node.stored.empty())
    ABSL_HARDENING_ASSERT(node.swim->MergeFullState(node.stored, now()).ok());
  if (seed.has_value()) Exchange(i, *seed);
  Settle(i);
}

void SwimCluster::StartFormed() {
  std::string state = membership::BeginDatagram(nodes_[0].id, membership::FullState{});
  for (const Node& node : nodes_) {
    const membership::Self self = SelfOf(node);
    const membership::Standing alive{membership::Incarnation{1}, MemberState::kAlive};
    state += membership::EncodeUpdate({self.id, alive, self.info, {}});
  }
  membership::SealDatagram(state, membership::TagOf("simulated"));
  for (size_t i = 0; i < nodes_.size(); ++i) {
    Start(i);
    With(i, [&](Swim& swim) { ABSL_HARDENING_ASSERT(swim.MergeFullState(state, now()).ok()); });
  }
  events_.clear();
}

void SwimCluster::Kill(size_t i) {
  nodes_[i].stored = nodes_[i].swim->FullStateBytes();
  nodes_[i].swim.reset();
  network_.Set(i, Condition::kDown);
}

void SwimCluster::Pause(size_t i, Duration length) {
  nodes_[i].paused_until = now() + length;
  network_.Stall(i, now() + length);
}

void SwimCluster::Split(const std::vector<size_t>& side) {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (std::find(side.begin(), side.end(), i) != side.end()) continue;
    for (size_t member : side) {
      network_.Cut(i, member);
      network_.Cut(member, i);
    }
  }
}

void SwimCluster::Put(size_t i, const placement::Assignment& assignment, Tell tell) {
  Node& node = nodes_[i];
  const membership::Record record = cluster::ToRecord(assignment);
  node.disk.Apply(std::span(&record, 1));
  if (tell == Tell::kNobody) {
    node.records->Apply(assignment);
  } else {
    node.records->Put(assignment);
  }
  With(i, [&](Swim& swim) { swim.SpreadRider(now()); });
}

void SwimCluster::WriteToDisk(size_t i) {
  nodes_[i].disk.Apply(nodes_[i].records->gossip.TakeLearnt());
}

size_t SwimCluster::IndexOf(const NodeId& id) const {
  size_t index = 0;
  const std::string_view digits = id.view().substr(kIdPrefix);
  std::from_chars(digits.data(), digits.data() + digits.size(), index);
  return index;
}

void SwimCluster::Settle(size_t i) {
  Node& node = nodes_[i];
  WriteToDisk(i);
  for (const Swim::Output& output : node.swim->TakeOutput()) {
    std::visit([&](const auto& what) { Do(i, what); }, output);
  }
  node.partition->Update(node.swim->ReachAt(now()), now());
  ScheduleWake(i);
}

void SwimCluster::ScheduleWake(size_t i) {
  Node& node = nodes_[i];
  const TimePoint wanted = std::min(node.swim->NextWake(), node.partition->NextWake());
  if (wanted >= node.wake) return;
  node.wake = std::max(wanted, now());
  scheduler_.At(node.wake, [this, i, life = node.life] { Wake(i, life); });
}

void SwimCluster::Wake(size_t i, uint64_t life) {
  Node& node = nodes_[i];
  if (node.life != life || !IsRunning(i)) return;
  if (now() < node.paused_until) {
    scheduler_.At(node.paused_until, [this, i, life] { Wake(i, life); });
    return;
  }
  // An earlier event than the one that is waited for: a time that was brought forward since.
  if (now() >= node.wake) node.wake = kNever;
  With(i, [&](Swim& swim) { swim.Tick(now()); });
}

void SwimCluster::Do(size_t i, const Swim::Send& send) {
  datagram_bytes_max_ = std::max(datagram_bytes_max_, send.datagram.size());
  const size_t to = IndexOf(send.address);
  network_.Send(i, to, [this, i, to, datagram = send.datagram] {
    With(to, [&](Swim& swim) { swim.OnDatagram(datagram, nodes_[i].id.value(), now()); });
  });
}

void SwimCluster::Do(size_t i, const Swim::StartFallback& fallback) {
  const size_t to = IndexOf(fallback.rpc_address);
  const auto back = [this, i, sequence = fallback.sequence] {
    With(i, [&](Swim& swim) { swim.OnFallback(sequence, now()); });
  };
  network_.Send(
      i, to, [this, i, to, back] { network_.Send(to, i, back, Transport::kReliable); },
      Transport::kReliable);
}

void SwimCluster::Do(size_t i, const Swim::StartExchange& exchange) {
  Exchange(i, IndexOf(exchange.rpc_address));
}

void SwimCluster::Exchange(size_t from, size_t to) {
  const auto merge = [this](size_t at, const std::string& state) {
    With(at, [&](Swim& swim) { ABSL_HARDENING_ASSERT(swim.MergeFullState(state, now()).ok()); });
  };
  const auto asked = [this, from, to, merge, state = swim(from).FullStateBytes()] {
    if (!IsRunning(to)) return;
    merge(to, state);
    network_.Send(
        to, from, [merge, from, answer = swim(to).FullStateBytes()] { merge(from, answer); },
        Transport::kReliable);
  };
  network_.Send(from, to, asked, Transport::kReliable);
  CompareRecords(from, to);
}

// Two calls; each may be lost with the node or the network, and nothing is then lost but time.
void SwimCluster::CompareRecords(size_t from, size_t to) {
  const auto call = [this](size_t caller, size_t callee, const auto& serve, const auto& answered) {
    const auto asked = [this, caller, callee, serve, answered] {
      if (!IsRunning(callee)) return;
      const std::string answer = serve().value();
      With(callee, [&](Swim& swim) { swim.SpreadRider(now()); });
      const auto back = [this, caller, answered, reply = answer] {
        if (!IsRunning(caller)) return;
        answered(reply);
        With(caller, [&](Swim& swim) { swim.SpreadRider(now()); });
      };
      network_.Send(callee, caller, back, Transport::kReliable);
    };
    network_.Send(caller, callee, asked, Transport::kReliable);
  };
  // By number: a node that starts again has another table.
  const auto of = [this](size_t i) -> membership::RecordGossip& {
    return nodes_[i].records->gossip;
  };
  const auto settle = [call, of, from, to](const std::string& versions) {
    const auto settlement = of(from).Settle(versions).value();
    if (settlement.equal) return;
    call(
        from, to, [of, to, m = settlement.message] { return of(to).Complete(m); },
        [of, from](const std::string& records) {
          ABSL_HARDENING_ASSERT(of(from).Take(records).ok());
        });
  };
  call(
      from, to, [of, to, digest = of(from).Digest()] { return of(to).Compare(digest); }, settle);
}

void SwimCluster::Note(size_t i, const Swim::Changed& changed) {
  const size_t subject = IndexOf(changed.member.id);
  events_.push_back({now(), i, subject, changed.change});
  if (changed.change == Change::kDied && IsRunning(subject)) ++false_deaths_;
  scheduler_.Trace(fmt::format("{} {} {}", i, subject, static_cast<int>(changed.change)));
}

std::optional<MemberState> SwimCluster::StateOf(size_t observer, size_t subject) const {
  const membership::Member* member = swim(observer).members().Find(nodes_[subject].id);
  if (member == nullptr) return std::nullopt;
  return member->standing.state;
}

size_t SwimCluster::HoldIt(size_t subject, MemberState state) const {
  size_t count = 0;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (i != subject && IsRunning(i) && StateOf(i, subject) == state) ++count;
  }
  return count;
}

bool SwimCluster::Agree() const {
  const Swim* first = nullptr;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!IsRunning(i)) continue;
    if (first == nullptr) first = nodes_[i].swim.get();
    for (size_t j = 0; j < nodes_.size(); ++j) {
      const membership::Member* here = swim(i).members().Find(nodes_[j].id);
      const membership::Member* there = first->members().Find(nodes_[j].id);
      if ((here == nullptr) != (there == nullptr)) return false;
      const bool alive = here != nullptr && here->standing.state == MemberState::kAlive;
      if (alive != IsRunning(j)) return false;
      if (here != nullptr && here->standing != there->standing) return false;
    }
  }
  return true;
}

}  // namespace engram::simulation
