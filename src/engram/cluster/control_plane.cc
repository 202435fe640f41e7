#include "engram/cluster/control_plane.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <future>
#include <set>
#include <utility>

#include "engram/base/error.h"
#include "engram/base/ulid.h"

namespace engram::cluster {
namespace {

using membership::Change;
using membership::PartitionState;

constexpr Duration kAskLimit = std::chrono::seconds(3);  // a seed
constexpr Duration kExchangeLimit = std::chrono::seconds(10);
constexpr Duration kLeaveCompareLimit = std::chrono::milliseconds(500);
// What is known of the members changes in bursts; a second's worth is written at once. How many
// there are is written without delay: a majority is taken of it.
constexpr Duration kSaveDelay = std::chrono::seconds(1);

TimePoint Now() { return net::EventLoop::Now(); }

std::string_view NameOf(Change change) {
  switch (change) {
    case Change::kJoined:
      return "joined";
    case Change::kSuspected:
      return "suspect";
    case Change::kRefuted:
      return "refuted";
    case Change::kDied:
      return "dead";
    case Change::kLeft:
      return "left";
    case Change::kNone:
    case Change::kRefreshed:
      break;
  }
  return "";
}

void Log(const membership::Swim::Changed& changed) {
  const std::string_view event = NameOf(changed.change);
  if (event.empty()) return;
  const bool bad = changed.change == Change::kSuspected || changed.change == Change::kDied;
  spdlog::log(bad ? spdlog::level::warn : spdlog::level::info,
              "event={} node={} incarnation={} address={}", event, changed.member.id.value(),
              static_cast<uint64_t>(changed.member.standing.incarnation),
              changed.member.info.rpc_address);
}

}  // namespace

ControlPlane::ControlPlane(ControlOptions options, const ControlPorts& ports, uint64_t seed)
    : options_(std::move(options)),
      ports_(ports),
      random_(seed),
      life_(random_()),
      calls_(ports.calls),
      detector_(options_.partition, PartitionState::kStarting),
      timer_(ports.loop),
      timer_of_leaving_(ports.loop) {}

ControlPlane::~ControlPlane() = default;

absl::Status ControlPlane::Load() {
  auto stored = ports_.store.Load();
  if (!stored.ok()) return stored.status();
  stored_ = *std::move(stored);
  auto assignments = ports_.store.LoadAssignments();
  if (!assignments.ok()) return assignments.status();
  ports_.table.Apply(*assignments);
  journal_ = std::make_unique<Journal>(ports_.store);
  gossip_ = std::make_unique<AssignmentGossip>(ports_.table, ports_.nodes, calls_, *journal_,
                                               [this] { SpreadNews(); });
  if (!stored_.cluster_id.empty()) UseClusterId(stored_.cluster_id);
  return absl::OkStatus();
}

// Requests between nodes carry it, and are refused where it is another one.
void ControlPlane::UseClusterId(const std::string& id) {
  ports_.directory.SetClusterId(id);
  calls_.SetClusterId(id);
}

absl::Status ControlPlane::Start() {
  std::promise<absl::Status> begun;
  ports_.loop.Post([this, &begun] { begun.set_value(Begin()); });
  return begun.get_future().get();
}

absl::Status ControlPlane::Begin() {
  net::UdpOptions options;
  options.datagram_bytes_max = options_.swim.datagram_bytes_max;
  auto socket = net::UdpSocket::Open(
      ports_.loop, options_.gossip_listen, options,
      [this](std::string_view bytes, const std::string& from) { OnDatagram(bytes, from); });
  if (!socket.ok()) return socket.status();
  socket_ = *std::move(socket);
  auto seeds = Seeds::Make(ports_.loop, options_.seeds);
  if (!seeds.ok()) return seeds.status();
  seeds_ = *std::move(seeds);
  seeds_->Start([this] { OnSeedsChanged(); });
  if (!stored_.cluster_id.empty()) {
    if (absl::Status status = BeginMembership(stored_.cluster_id, stored_.members); !status.ok()) {
      return MakeError(ErrorCode::kStorageFailed,
                       fmt::format("what the data directory has of the cluster cannot be used: {}",
                                   std::string(status.message())));
    }
  }
  membership::JoinerOptions joiner;
  joiner.self = options_.node;
  joiner.cluster_id = stored_.cluster_id;
  joiner.has_seeds = !options_.seeds.seeds.empty();
  joiner.bootstrap = options_.bootstrap;
  joiner_.emplace(std::move(joiner), Now());
  joiner_->SetAddresses(AddressesToAsk(), Now());
  joiner_->Tick(Now());
  Settle();
  return absl::OkStatus();
}

// A node that runs asks those it has not heard of, too: they may lead to members that it has lost.
void ControlPlane::OnSeedsChanged() {
  const TimePoint now = Now();
  joiner_->SetAddresses(AddressesToAsk(), now);
  joiner_->Tick(now);
  if (in_contact_) AskStrangers();
  Settle();
}

void ControlPlane::AskStrangers() {
  std::set<std::string_view> known;
  for (const membership::Member* member : swim_->members().everybody()) {
    if (member->IsLive()) known.insert(member->info.rpc_address);
  }
  for (const std::string& seed : seeds_->addresses()) {
    if (!known.contains(seed)) Ask(seed, [this, seed](auto reply) { OnStranger(seed, reply); });
  }
}

void ControlPlane::OnStranger(const std::string& address,
                              const absl::StatusOr<peer::v1::JoinResponse>& reply) {
  calls_.Forget(GossipCalls::Stranger(address));
  Tell(address, reply.status());
  if (!reply.ok() || reply->cluster_id() != stored_.cluster_id) return;
  const membership::Member* member = swim_->members().Find(NodeId(reply->node_id()));
  if (member == nullptr || !member->IsLive()) Exchange({NodeId(reply->node_id()), address});
}

std::vector<std::string> ControlPlane::AddressesToAsk() const {
  std::vector<std::string> addresses = seeds_->addresses();
  if (swim_.has_value()) {
    for (const membership::Member* member : swim_->members().everybody()) {
      addresses.push_back(member->info.rpc_address);
    }
  }
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  std::erase(addresses, options_.info.rpc_address);
  return addresses;
}

absl::Status ControlPlane::BeginMembership(const std::string& cluster_id, std::string_view state) {
  const TimePoint now = Now();
  const membership::Self self{options_.node, Next(stored_.incarnation), options_.info,
                              membership::TagOf(cluster_id)};
  swim_.emplace(self, options_.swim, random_, now, &gossip_->rider());
  // Who cannot read it would take itself for the only member.
  absl::Status status = state.empty() ? absl::OkStatus() : swim_->MergeFullState(state, now);
  if (status.ok()) {
    journal_->SaveIncarnation(self.incarnation);
  } else {
    swim_.reset();
  }
  return status;
}

bool ControlPlane::BecomeMember(const std::string& cluster_id, const std::string& state) {
  absl::Status status = BeginMembership(cluster_id, state);
  // Who cannot keep which cluster it is of would be of another one in its next life, and with the
  // id alone it would take itself for the only member.
  if (status.ok() && !state.empty()) status = ports_.store.SaveMembers(state);
  if (status.ok()) status = ports_.store.SaveClusterId(cluster_id);
  if (!status.ok()) {
    swim_.reset();
    if (on_refused_) on_refused_(status);
    return false;
  }
  stored_.cluster_id = cluster_id;
  UseClusterId(cluster_id);
  return true;
}

void ControlPlane::InContact() {
  if (std::exchange(in_contact_, true)) return;
  if (on_member_) on_member_();
}

void ControlPlane::Tell(const std::string& address, const absl::Status& answer) {
  if (answer.ok()) return ask_log_.OnAnswer(address);
  const std::optional<std::string> line = ask_log_.OnError(address, answer);
  if (line.has_value()) spdlog::warn("{}", *line);
}

void ControlPlane::Ask(const std::string& address, GossipCalls::Done<peer::v1::JoinResponse> done) {
  peer::v1::JoinRequest request;
  request.set_cluster_name(options_.cluster_name);
  request.set_cluster_id(stored_.cluster_id);
  request.set_node_id(options_.node.value());
  request.set_life(life_);
  request.set_rpc_address(options_.info.rpc_address);
  request.set_gossip_address(options_.info.gossip_address);
  calls_.Join({GossipCalls::Stranger(address), address}, request, Now() + kAskLimit,
              std::move(done));
}

void ControlPlane::Do(const Joiner::Ask& ask) {
  Ask(ask.address, [this, address = ask.address](absl::StatusOr<peer::v1::JoinResponse> reply) {
    Tell(address, reply.status());
    if (reply.ok()) {
      joiner_->OnAnswer(address,
                        {NodeId(reply->node_id()), reply->cluster_id(),
                         std::move(*reply->mutable_state()), reply->bootstrap()},
                        Now());
    } else {
      joiner_->OnError(address, reply.status());
    }
    Settle();
  });
}

void ControlPlane::Do(const Joiner::Joined& joined) {
  const std::string& address = joined.address;
  if (swim_.has_value()) {
    swim_->MergeFullState(joined.answer.state, Now()).IgnoreError();  // the exchange follows
  } else {
    if (!BecomeMember(joined.answer.cluster_id, joined.answer.state)) return;
    spdlog::info("event=joined_cluster cluster={} id={} through={} members={}",
                 options_.cluster_name, stored_.cluster_id, address, swim_->members().total());
  }
  Exchange({joined.answer.node, address});
  InContact();
}

void ControlPlane::Do(const Joiner::Found&) {
  std::mt19937_64 random(std::random_device{}());
  if (!BecomeMember(Ulid::Make(options_.started, random).ToString(), "")) return;
  spdlog::info("event=founded_cluster cluster={} id={}", options_.cluster_name, stored_.cluster_id);
}

void ControlPlane::Do(const Joiner::Refused& refused) {
  if (on_refused_) on_refused_(refused.status);
}

void ControlPlane::OnDatagram(std::string_view bytes, const std::string& from) {
  if (!swim_.has_value()) return;
  swim_->OnDatagram(bytes, from, Now());
  gossip_->KeepLearnt();
  Settle();
}

void ControlPlane::OnTimer() {
  armed_ = kNever;
  // What has arrived counts before the time that has passed is held against anybody.
  socket_->DrainNow();
  const TimePoint now = Now();
  if (swim_.has_value()) swim_->Tick(now);
  if (joiner_->NextWake() <= now) {
    joiner_->SetAddresses(AddressesToAsk(), now);
    joiner_->Tick(now);
  }
  if (save_members_at_ <= now) {
    SaveMembers();
  }
  Settle();
}

void ControlPlane::Settle() {
  for (const Joiner::Output& output : joiner_->TakeOutput()) {
    std::visit([this](const auto& what) { Do(what); }, output);
  }
  if (swim_.has_value()) {
    for (const Swim::Output& output : swim_->TakeOutput()) {
      std::visit([this](const auto& what) { Do(what); }, output);
    }
    Follow(Now());
    if (on_left_ && swim_->HasLeft()) std::exchange(on_left_, nullptr)();
  }
  Arm();
}

void ControlPlane::Arm() {
  TimePoint wanted = std::min(joiner_->NextWake(), save_members_at_);
  if (swim_.has_value()) wanted = std::min({wanted, swim_->NextWake(), detector_.NextWake()});
  if (wanted == armed_) return;
  armed_ = wanted;
  if (wanted == kNever) return timer_.Cancel();
  timer_.RunAt(wanted, [this] { OnTimer(); });
}

void ControlPlane::Do(const Swim::Send& send) { socket_->Send(send.address, send.datagram); }

void ControlPlane::Do(const Swim::StartFallback& fallback) {
  calls_.Probe({fallback.target, fallback.rpc_address}, fallback.deadline,
               [this, sequence = fallback.sequence,
                target = fallback.target](absl::StatusOr<peer::v1::ProbeResponse> reply) {
                 if (!reply.ok() || reply->node_id() != target.view() ||
                     reply->cluster_id() != stored_.cluster_id) {
                   return;
                 }
                 swim_->OnFallback(sequence, Now());
                 Settle();
               });
}

void ControlPlane::Do(const Swim::StartExchange& exchange) {
  Exchange({exchange.with, exchange.rpc_address});
}

void ControlPlane::Do(const Swim::NewIncarnation& next) {
  members_changed_ = true;  // this node is one
  stored_.incarnation = next.incarnation;
  journal_->SaveIncarnation(next.incarnation);
}

void ControlPlane::Do(const Swim::Changed& changed) {
  members_changed_ = true;
  Log(changed);
  const membership::Member& member = changed.member;
  if (member.id == options_.node) return;
  switch (changed.change) {
    // All of a new incarnation, perhaps at another address.
    case Change::kJoined:
    case Change::kRefuted:
    case Change::kRefreshed: {
      routing::NodeState& node = ports_.nodes.Of(ports_.nodes.Intern(member.id));
      node.reads.OnNewIncarnation(Now());
      node.writes.OnNewIncarnation(Now());
      break;
    }
    case Change::kDied:
      calls_.Forget(member.id);
      ports_.requests.Remove(member.id);
      break;
    case Change::kLeft:
      // It ends what it has begun, and then the connections of requests itself.
      calls_.Forget(member.id);
      break;
    default:
      break;
  }
}

void ControlPlane::Exchange(const GossipCalls::To& to) {
  peer::v1::ExchangeRequest request;
  request.set_state(swim_->FullStateBytes());
  calls_.Exchange(to, request, Now() + kExchangeLimit,
                  [this](absl::StatusOr<peer::v1::ExchangeResponse> reply) {
                    if (!reply.ok()) return;
                    if (swim_->MergeFullState(reply->state(), Now()).ok()) InContact();
                    Settle();
                  });
  gossip_->CompareWith(to, kExchangeLimit,
                       [](const absl::Status&) {});  // counted; the next one makes up for it
}

void ControlPlane::SpreadNews() {
  if (!swim_.has_value()) return;
  swim_->SpreadRider(Now());
  Arm();
}

void ControlPlane::Announce(std::vector<placement::Assignment> changed) {
  ports_.loop.Post([this, changed = std::move(changed)] {
    for (const placement::Assignment& assignment : changed) gossip_->Announce(assignment);
  });
}

membership::Reach ControlPlane::ReachAt(TimePoint now) const {
  if (!in_contact_) return {1, swim_->members().total()};
  return swim_->ReachAt(now);
}

void ControlPlane::Follow(TimePoint now) {
  // Who is alone cannot have missed anything.
  if (swim_->members().total() == 1) InContact();
  const membership::Reach reach = ReachAt(now);
  const bool changed = detector_.Update(reach, now);
  if (changed) {
    const bool cut_off = detector_.state() == PartitionState::kPartitioned;
    spdlog::log(cut_off ? spdlog::level::warn : spdlog::level::info,
                "event={} reachable={} total={}", cluster::NameOf(detector_.state()),
                reach.reachable, reach.total);
  }
  const bool reaped = reap_at_ <= now;
  if (changed || members_changed_ || reaped || !(reach == published_reach_)) Publish(now);
  ControlCounters counters = gossip_->counters();
  counters.swim = swim_->counters();
  ports_.directory.PublishCounters(counters);
}

void ControlPlane::Publish(TimePoint now) {
  published_reach_ = ReachAt(now);
  ports_.reachability.Store({detector_.LocalOnly(),
                             static_cast<uint32_t>(published_reach_.reachable),
                             static_cast<uint32_t>(published_reach_.total)});
  auto view = std::make_shared<ClusterView>();
  view->cluster_id = stored_.cluster_id;
  view->members = swim_->members().Listed(now);
  reap_at_ = swim_->members().NextReap(now);
  std::sort(view->members.begin(), view->members.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  view->reach = published_reach_;
  view->state = detector_.state();
  view->awareness = swim_->awareness();
  ports_.directory.Publish(std::move(view), swim_->members());
  if (std::exchange(members_changed_, false)) {
    if (swim_->members().total() != saved_total_) return SaveMembers();
    save_members_at_ = std::min(save_members_at_, now + kSaveDelay);
  }
}

void ControlPlane::SaveMembers() {
  save_members_at_ = kNever;
  saved_total_ = swim_->members().total();
  journal_->SaveMembers(swim_->FullStateBytes());
}

void ControlPlane::Leave(TimePoint deadline) {
  std::promise<void> left;
  std::future<void> done = left.get_future();
  ports_.loop.Post([this, &left] {
    if (!swim_.has_value()) return left.set_value();
    on_left_ = [&left] { left.set_value(); };
    TellBeforeLeaving();
  });
  if (done.wait_until(deadline) == std::future_status::ready) return;
  std::promise<void> given_up;
  ports_.loop.Post([this, &given_up] {
    on_left_ = nullptr;
    given_up.set_value();
  });
  given_up.get_future().wait();
}

// What only this node knows of who holds what would be missed as long as it is away.
void ControlPlane::TellBeforeLeaving() {
  const auto leave = [this](const absl::Status&) {
    swim_->Leave(Now());
    Settle();
  };
  // If there is more to tell than fits into that time, others find it in their comparisons.
  timer_of_leaving_.RunAt(Now() + kLeaveCompareLimit, [leave] { leave(absl::OkStatus()); });
  for (const membership::Member* member : swim_->members().everybody()) {
    const bool alive = member->standing.state == membership::MemberState::kAlive;
    if (!alive || member->id == options_.node) continue;
    return gossip_->CompareWith({member->id, member->info.rpc_address}, kLeaveCompareLimit, leave);
  }
  leave(absl::OkStatus());
}

void ControlPlane::Remove(const NodeId& node, absl::AnyInvocable<void(absl::Status)> done) {
  ports_.loop.Post([this, node, done = std::move(done)]() mutable {
    if (!swim_.has_value()) {
      return done(MakeError(ErrorCode::kNoLocalData, "this node is not a member yet"));
    }
    const absl::Status status = swim_->Remove(node, Now());
    Settle();
    done(status);
  });
}

}  // namespace engram::cluster
