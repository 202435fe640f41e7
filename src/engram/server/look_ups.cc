#include "engram/server/look_ups.h"

#include <algorithm>
#include <span>
#include <utility>

#include "engram/peer/v1/peer.pb.h"
#include "engram/routing/route_names.h"
#include "engram/server/convert.h"
#include "engram/server/metadata_names.h"
#include "engram/server/operations.h"

namespace engram::server {
struct LookUps::Round {
  SpaceId space;
  routing::Claims claims;
  size_t missing = 0;
};

void LookUps::Ask(const SpaceId& space, const routing::RouteVersion& known,
                  routing::LookUpLine::Done done) {
  if (!line_.Join(space.view(), known, Now(), std::move(done))) return;
  const auto nodes = static_cast<uint32_t>(context_.members().size());
  auto round = std::make_shared<Round>(Round{space, {context_.nodes, nodes}, nodes});
  for (routing::NodeIndex node : context_.members()) {
    if (node != context_.self_index) AskPeer(round, node);
  }
  // Of itself it knows without asking.
  round->claims.Add(context_.self_index, context_.held.Find(space.view()), true);
  --round->missing;
  EndIfAllAnswered(*round);
}

// A node that is known to be gone, or that does not answer reads, would only take the time.
void LookUps::AskPeer(const std::shared_ptr<Round>& round, routing::NodeIndex node) {
  routing::NodeState& state = context_.nodes.Of(node);
  const routing::Liveness liveness = state.liveness.load(std::memory_order_relaxed);
  const bool gone = liveness == routing::Liveness::kDead || liveness == routing::Liveness::kLeft;
  const auto ticket = gone ? std::nullopt : state.reads.Admit(Now());
  if (!ticket.has_value()) {
    --round->missing;
    return;
  }
  peer::v1::HoldsRequest question;
  question.set_space(round->space.value());
  net::CallOptions options{Now() + routing::LookUpLine::kLimit, {}};
  options.metadata.Add(kMdCluster, context_.config.cluster, net::Recurrence::kRepeated);
  net::Channel& channel = *context_.pool.Get(loop_.index, state.id, context_.AddressOf(node));
  channel.Unary(kHoldsMethod, std::move(options), question.SerializeAsString(),
                [this, round, node, ticket = *ticket](const net::CallResult& result) {
                  Judge(node, ticket, result);
                  OnAnswer(round, node, result);
                });
}

// A node that does not say in time what it holds answers no read either.
void LookUps::Judge(routing::NodeIndex node, routing::CircuitBreaker::Ticket ticket,
                    const net::CallResult& result) {
  routing::CircuitBreaker& breaker = context_.nodes.Of(node).reads;
  if (result.delivery == net::Delivery::kAnswered) return breaker.OnSuccess(ticket, Now());
  breaker.OnFailure(ticket, Now(), loop_.random);
}

void LookUps::OnAnswer(const std::shared_ptr<Round>& round, routing::NodeIndex node,
                       const net::CallResult& result) {
  peer::v1::HoldsResponse reply;
  if (result.status.ok() && reply.ParseFromString(result.message)) {
    const bool held = reply.has_assignment();
    const v1::Assignment& said = held ? reply.assignment() : reply.heard();
    std::optional<routing::Route> route;
    if (said.space() == round->space.view()) {
      placement::Assignment claim = FromProto(said);
      context_.table.Apply(std::span(&claim, 1));
      route = ToRoute(claim, context_.nodes);
    }
    round->claims.Add(node, route, held);
  }
  --round->missing;
  EndIfAllAnswered(*round);
}

void LookUps::EndIfAllAnswered(Round& round) {
  if (round.missing == 0) line_.End(round.space.view(), round.claims.result(), Now());
}

}  // namespace engram::server
