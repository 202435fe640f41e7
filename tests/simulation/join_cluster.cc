#include "simulation/join_cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "absl/base/macros.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "engram/base/error.h"

namespace engram::simulation {

using membership::JoinAnswer;
using membership::Joiner;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// Those of cluster/control_plane.
constexpr Duration kAskLimit = seconds(3);
constexpr Duration kDialBackLimit = seconds(2);
constexpr Duration kSaveDelay = seconds(1);
// TCP's first wait, which doubles each time.
constexpr Duration kSendAgain = milliseconds(200);
constexpr Duration kRefusal = milliseconds(1);

std::string AddressOf(size_t i) { return fmt::format("{:02}", i); }

}  // namespace

JoinCluster::JoinCluster(const JoinSimOptions& options)
    : random_(options.seed),
      network_(scheduler_, options.nodes, {}, random_()),
      loss_(options.loss),
      nodes_(options.nodes) {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[i].id = NodeId(AddressOf(i));
    network_.Set(i, Condition::kDown);
  }
}

size_t JoinCluster::IndexOf(const std::string& address) {
  size_t index = 0;
  std::from_chars(address.data(), address.data() + address.size(), index);
  return index;
}

void JoinCluster::Start(size_t i) {
  ABSL_HARDENING_ASSERT(!IsRunning(i));
  Node& node = nodes_[i];
  ++node.life;
  node.members = node.disk.members;
  node.wake = kNever;
  membership::JoinerOptions options;
  options.self = node.id;
  options.cluster_id = node.disk.cluster_id;
  options.has_seeds = !node.config.seeds.empty();
  options.bootstrap = node.config.bootstrap;
  node.joiner = std::make_unique<Joiner>(std::move(options), now());
  network_.Set(i, Condition::kUp);
  node.joiner->SetAddresses(AddressesToAsk(node), now());
  Tick(i);
}

void JoinCluster::Kill(size_t i) {
  nodes_[i].joiner.reset();
  network_.Set(i, Condition::kDown);
}

void JoinCluster::Split(const std::vector<size_t>& side) {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (std::find(side.begin(), side.end(), i) != side.end()) continue;
    for (size_t member : side) {
      network_.Cut(i, member);
      network_.Cut(member, i);
    }
  }
}

bool JoinCluster::HasJoined(size_t i) const {
  const Node& node = nodes_[i];
  if (!IsRunning(i) || node.disk.cluster_id.empty()) return false;
  return node.joiner->done() || AddressesToAsk(node).empty();
}

bool JoinCluster::AllHaveJoined() const {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (!HasJoined(i)) return false;
  }
  return true;
}

std::vector<std::string> JoinCluster::AddressesToAsk(const Node& node) const {
  std::set<std::string> addresses = node.members;
  for (size_t seed : node.config.seeds) addresses.insert(AddressOf(seed));
  addresses.erase(node.id.value());
  return {addresses.begin(), addresses.end()};
}

void JoinCluster::Tick(size_t i) {
  Node& node = nodes_[i];
  node.joiner->Tick(now());
  Settle(i);
}

void JoinCluster::Settle(size_t i) {
  Node& node = nodes_[i];
  for (const Joiner::Output& output : node.joiner->TakeOutput()) {
    std::visit([&](const auto& what) { Do(i, what); }, output);
    if (!IsRunning(i)) return;
  }
  const TimePoint wanted = node.joiner->NextWake();
  if (wanted >= node.wake) return;
  node.wake = wanted;
  scheduler_.At(wanted, [this, i, wanted, life = node.life] {
    Node& woken = nodes_[i];
    if (woken.life != life || !IsRunning(i)) return;
    if (woken.wake == wanted) woken.wake = kNever;
    woken.joiner->SetAddresses(AddressesToAsk(woken), now());
    Tick(i);
  });
}

void JoinCluster::Do(size_t i, const Joiner::Ask& ask) {
  const size_t to = IndexOf(ask.address);
  const auto serve = [this, i, to, cluster_id = nodes_[i].disk.cluster_id](const Done& done) {
    ServeJoin(to, i, cluster_id, done);
  };
  Call(i, to, kAskLimit, serve, [this, i, address = ask.address](const Answer& answer) {
    Joiner& joiner = *nodes_[i].joiner;
    if (answer.ok()) {
      joiner.OnAnswer(address, *answer, now());
    } else {
      joiner.OnError(address, answer.status());
    }
    Settle(i);
  });
}

void JoinCluster::ServeJoin(size_t at, size_t from, const std::string& cluster_id,
                            const Done& done) {
  const std::string& own = nodes_[at].disk.cluster_id;
  if (own.empty()) return done(AnswerOf(at));
  if (!cluster_id.empty() && cluster_id != own) {
    return done(InvalidArgument("cluster", "of another cluster"));
  }
  const auto probed = [this, at, done](const Answer& answer) {
    if (answer.ok()) return done(AnswerOf(at));
    done(MakeError(ErrorCode::kInvalidEndpoint, "cannot dial you"));
  };
  Call(
      at, from, kDialBackLimit, [](const Done& answer) { answer(JoinAnswer{}); }, probed);
}

JoinAnswer JoinCluster::AnswerOf(size_t at) const {
  const Node& node = nodes_[at];
  return {node.id, node.disk.cluster_id, absl::StrJoin(node.members, " "), node.config.bootstrap};
}

void JoinCluster::Do(size_t i, const Joiner::Joined& joined) {
  Node& node = nodes_[i];
  node.disk.cluster_id = joined.answer.cluster_id;
  for (const auto member : absl::StrSplit(joined.answer.state, ' ', absl::SkipEmpty())) {
    Know(i, std::string(member));
  }
  Know(i, joined.address);
  const size_t to = IndexOf(joined.address);
  const auto introduce = [this, i, to](const Done& done) {
    Know(to, AddressOf(i));
    done(JoinAnswer{});
  };
  Call(i, to, kAskLimit, introduce, [](const Answer&) {});
}

void JoinCluster::Do(size_t i, const Joiner::Found&) {
  Node& node = nodes_[i];
  node.has_founded = true;
  node.disk.cluster_id = fmt::format("of {} in life {}", node.id.value(), node.life);
  founded_.push_back(node.disk.cluster_id);
}

void JoinCluster::Do(size_t i, const Joiner::Refused&) {
  ++refused_;
  Kill(i);
}

void JoinCluster::Know(size_t i, const std::string& address) {
  Node& node = nodes_[i];
  if (!node.members.insert(address).second) return;
  scheduler_.After(kSaveDelay, [this, i, life = node.life] {
    Node& saved = nodes_[i];
    if (saved.life == life && IsRunning(i)) saved.disk.members = saved.members;
  });
}

void JoinCluster::Call(size_t from, size_t to, Duration limit, std::function<void(Done)> serve,
                       Done done) {
  const auto finish = [this, from, life = nodes_[from].life, done = std::move(done),
                       over = std::make_shared<bool>(false)](const Answer& answer) {
    if (std::exchange(*over, true)) return;
    if (nodes_[from].life == life && IsRunning(from)) done(answer);
  };
  scheduler_.After(limit, [finish] { finish(MakeError(ErrorCode::kDeadlineExceeded, "")); });
  const auto arrive = [this, from, to, serve = std::move(serve), finish] {
    serve([this, from, to, finish](const Answer& answer) {
      Deliver(
          to, from, [finish, answer] { finish(answer); }, [] {});
    });
  };
  Deliver(from, to, arrive, [this, finish] {
    scheduler_.After(kRefusal,
                     [finish] { finish(MakeError(ErrorCode::kConnectionFailed, "refused")); });
  });
}

void JoinCluster::Deliver(size_t from, size_t to, std::function<void()> arrive,
                          std::function<void()> refused) {
  Duration late{};
  for (Duration wait = kSendAgain; std::uniform_real_distribution<>()(random_) < loss_; wait *= 2) {
    late += wait;
  }
  scheduler_.After(late,
                   [this, from, to, arrive = std::move(arrive), refused = std::move(refused)] {
                     if (!network_.Send(from, to, arrive, Transport::kReliable)) refused();
                   });
}

}  // namespace engram::simulation
