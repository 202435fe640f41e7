#include "engram/server/look_ups.h"

#include <algorithm>
#include <span>
#include <utility>

#include "engram/base/string_hash.h"
#include "engram/routing/route_names.h"
#include "engram/server/convert.h"
#include "engram/server/metadata_names.h"
#include "engram/server/operations.h"

namespace engram::server {
namespace {

// So that the answer to one question stays far below what a message may have.
constexpr size_t kSpacesOfQuestionMax = 1'000;

// How long a question may wait for others to go with it.
constexpr Duration kGatherFor = std::chrono::milliseconds(20);

}  // namespace

struct LookUps::Round {
  std::vector<SpaceId> spaces;
  std::vector<routing::Claims> claims;  // by position in `spaces`
  StringMap<size_t> positions;
  size_t missing = 0;   // nodes that have not answered
  size_t in_doubt = 0;  // of these: who may not
  std::optional<net::EventLoop::Timer> patience;
  bool late = false;  // who is in doubt has had his time
  bool ended = false;

  bool EachIsHeld() const {
    return std::all_of(claims.begin(), claims.end(), [](const routing::Claims& of_space) {
      return of_space.result().claim.has_value();
    });
  }
};

void LookUps::Ask(const SpaceId& space, const routing::LookUpLine::Wanted& wanted,
                  routing::LookUpLine::Done done) {
  if (!line_.Join(space.view(), wanted, Now(), std::move(done))) return;
  if (wanted.age_max < routing::LookUpLine::kKeep) return Gather(space);
  AskEverybody({space});
}

void LookUps::Gather(const SpaceId& space) {
  gathered_.push_back(space);
  if (gathered_.size() == kSpacesOfQuestionMax) {
    gathering_.reset();
    return AskEverybody(std::exchange(gathered_, {}));
  }
  if (gathered_.size() > 1) return;
  gathering_.emplace(*loop_.loop);
  gathering_->RunAt(Now() + kGatherFor, [this] { AskEverybody(std::exchange(gathered_, {})); });
}

void LookUps::AskMany(std::span<const InDoubt> spaces,
                      const std::function<void(size_t, const routing::LookUp&)>& done) {
  std::vector<SpaceId> unasked;
  auto ask = [&] { AskEverybody(std::exchange(unasked, {})); };
  for (size_t i = 0; i < spaces.size(); ++i) {
    auto one = [done, i](const routing::LookUp& look_up) { done(i, look_up); };
    if (line_.Join(spaces[i].space.view(), {spaces[i].known}, Now(), std::move(one))) {
      unasked.push_back(spaces[i].space);
    }
    if (unasked.size() == kSpacesOfQuestionMax) ask();
  }
  if (!unasked.empty()) ask();
}

void LookUps::AskEverybody(std::vector<SpaceId> spaces) {
  const std::vector<routing::NodeIndex> members = context_.directory.members();
  const auto nodes = static_cast<uint32_t>(members.size());
  peer::v1::HoldsRequest question;
  auto round = std::make_shared<Round>();
  for (const SpaceId& space : spaces) {
    question.add_spaces(space.value());
    round->positions.emplace(space.value(), round->positions.size());
  }
  round->spaces = std::move(spaces);
  round->claims = std::vector<routing::Claims>(round->spaces.size(), {context_.nodes, nodes});
  round->missing = nodes;
  const std::string bytes = question.SerializeAsString();
  for (routing::NodeIndex node : members) {
    if (node != context_.self_index) AskPeer(round, node, bytes);
  }
  // Of itself it knows without asking.
  for (size_t i = 0; i < round->spaces.size(); ++i) {
    round->claims[i].Add(context_.self_index, context_.held.Find(round->spaces[i].view()), true);
  }
  --round->missing;
  EndIfAllAnswered(*round);
  if (round->ended || round->in_doubt == 0) return;
  round->patience.emplace(*loop_.loop);
  round->patience->RunAt(Now() + routing::LookUpLine::kLimitInDoubt, [this, round] {
    round->late = true;
    EndIfAllAnswered(*round);
  });
}

// A node that is known to be gone, or that does not answer reads, would only take the time. But it
// may be the only one that holds the space: once a second it is asked all the same.
void LookUps::AskPeer(const std::shared_ptr<Round>& round, routing::NodeIndex node,
                      const std::string& question) {
  routing::NodeState& state = context_.nodes.Of(node);
  const routing::Liveness liveness = state.liveness.load(std::memory_order_relaxed);
  const bool gone = liveness == routing::Liveness::kDead || liveness == routing::Liveness::kLeft;
  const auto ticket = gone ? std::nullopt : state.reads.AdmitLast(Now());
  if (!ticket.has_value()) {
    --round->missing;
    return;
  }
  const bool in_doubt = state.InDoubt();
  round->in_doubt += in_doubt ? 1 : 0;
  net::CallOptions options{Now() + routing::LookUpLine::kLimit, {}};
  options.metadata.Add(kMdCluster, context_.directory.cluster_id(), net::Recurrence::kRepeated);
  net::Channel& channel =
      *context_.pool.Get(loop_.index, state.id, *context_.directory.AddressOf(node));
  channel.Unary(kHoldsMethod, std::move(options), question,
                [this, round, node, in_doubt, ticket = *ticket](const net::CallResult& result) {
                  Judge(node, ticket, result);
                  round->in_doubt -= in_doubt ? 1 : 0;
                  OnAnswer(*round, node, result);
                });
}

// A node that does not say in time what it holds answers no read either. What was not sent, as its
// port refuses, says nothing of reads: while writes wait for a new primary, it happens many times.
void LookUps::Judge(routing::NodeIndex node, routing::CircuitBreaker::Ticket ticket,
                    const net::CallResult& result) {
  routing::CircuitBreaker& breaker = context_.nodes.Of(node).reads;
  if (result.delivery == net::Delivery::kAnswered) return breaker.OnSuccess(ticket, Now());
  if (result.delivery == net::Delivery::kNotSent) return breaker.OnNoVerdict(ticket);
  breaker.OnFailure(ticket, Now(), loop_.random);
}

void LookUps::OnAnswer(Round& round, routing::NodeIndex node, const net::CallResult& result) {
  peer::v1::HoldsResponse reply;
  if (result.status.ok() && reply.ParseFromString(result.message)) {
    std::vector<std::pair<std::optional<routing::Route>, bool>> said(round.spaces.size());
    auto take = [&](const v1::Assignment& proto, bool held) {
      auto at = round.positions.find(proto.space());
      if (at == round.positions.end()) return;
      const placement::Assignment claim = FromProto(proto);
      context_.Learn(claim);
      said[at->second] = {ToRoute(claim, context_.nodes), held};
    };
    for (const v1::Assignment& heard : reply.heard()) take(heard, false);
    for (const v1::Assignment& held : reply.held()) take(held, true);
    for (size_t i = 0; i < said.size(); ++i) {
      round.claims[i].Add(node, said[i].first, said[i].second);
    }
  }
  --round.missing;
  EndIfAllAnswered(round);
}

void LookUps::EndIfAllAnswered(Round& round) {
  if (round.ended) return;
  const bool enough = round.late && round.missing == round.in_doubt && round.EachIsHeld();
  if (round.missing == 0 || enough) End(round);
}

void LookUps::End(Round& round) {
  round.ended = true;
  round.patience.reset();
  for (size_t i = 0; i < round.spaces.size(); ++i) {
    line_.End(round.spaces[i].view(), round.claims[i].result(), Now());
  }
}

}  // namespace engram::server
