// Asks every node who holds a space, on behalf of the requests of one loop: the driver of a
// LookUpLine. Belongs to one loop.
#pragma once

#include <memory>

#include "engram/net/channel.h"
#include "engram/routing/claims.h"
#include "engram/routing/look_up_line.h"
#include "engram/server/node_context.h"

namespace engram::server {

class LookUps {
 public:
  LookUps(NodeContext& context, LoopState& loop)
      : context_(context), loop_(loop), line_(context.nodes) {}

  // `known` as in LookUpLine::Join. `done` runs on the loop, perhaps at once.
  void Ask(const SpaceId& space, const routing::RouteVersion& known,
           routing::LookUpLine::Done done);

 private:
  struct Round;

  void AskPeer(const std::shared_ptr<Round>& round, routing::NodeIndex node);
  void OnAnswer(const std::shared_ptr<Round>& round, routing::NodeIndex node,
                const net::CallResult& result);
  void Judge(routing::NodeIndex node, routing::CircuitBreaker::Ticket ticket,
             const net::CallResult& result);
  void EndIfAllAnswered(Round& round);

  NodeContext& context_;
  LoopState& loop_;
  routing::LookUpLine line_;
};

}  // namespace engram::server
