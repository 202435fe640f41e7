// Asks every node who holds a space, on behalf of the requests of one loop: the driver of a
// LookUpLine. Belongs to one loop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engram/net/channel.h"
#include "engram/net/event_loop.h"
#include "engram/peer/v1/peer.pb.h"
#include "engram/routing/claims.h"
#include "engram/routing/look_up_line.h"
#include "engram/server/node_context.h"

namespace engram::server {

class LookUps {
 public:
  struct InDoubt {
    SpaceId space;
    routing::RouteVersion known;  // as in LookUpLine::Wanted
  };

  LookUps(NodeContext& context, LoopState& loop)
      : context_(context), loop_(loop), line_(context.nodes) {}

  // `done` runs on the loop, perhaps at once. Questions of those who cannot use old answers, which
  // come again and again, wait a little for each other, so that each node gets one for all spaces.
  void Ask(const SpaceId& space, const routing::LookUpLine::Wanted& wanted,
           routing::LookUpLine::Done done);

  // The same for many, with one question to each node; `done` runs once for each, with its
  // position.
  void AskMany(std::span<const InDoubt> spaces,
               const std::function<void(size_t, const routing::LookUp&)>& done);

 private:
  struct Round;

  void Gather(const SpaceId& space);
  void AskEverybody(std::vector<SpaceId> spaces);
  void AskPeer(const std::shared_ptr<Round>& round, routing::NodeIndex node,
               const std::string& question);
  void OnAnswer(Round& round, routing::NodeIndex node, const net::CallResult& result);
  void Judge(routing::NodeIndex node, routing::CircuitBreaker::Ticket ticket,
             const net::CallResult& result);
  void EndIfAllAnswered(Round& round);
  void End(Round& round);

  NodeContext& context_;
  LoopState& loop_;
  routing::LookUpLine line_;
  std::vector<SpaceId> gathered_;
  std::optional<net::EventLoop::Timer> gathering_;
};

}  // namespace engram::server
