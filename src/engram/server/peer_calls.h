// Passes requests on to other nodes, over the channel whose turn it is: on its PeerStream while
// that is up and the request is small, else as a call of its own. What becomes of it is told alike.
//
// Belongs to one loop.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "engram/net/channel.h"
#include "engram/routing/call_plan.h"
#include "engram/server/peer_stream.h"

namespace engram::server {

struct LoopState;
struct NodeContext;
struct RoutedRequest;

class PeerCalls {
 public:
  using Done = PeerStream::Done;

  // A request under way; dropping it does nothing.
  class Handle {
   public:
    Handle() = default;
    explicit Handle(net::Channel::CallHandle call) : way_(std::move(call)) {}
    Handle(std::weak_ptr<PeerStream> stream, uint64_t number)
        : way_(OnStream{std::move(stream), number}) {}

    // `done` gets CANCELLED, unless it has been called.
    void Cancel();
    // The request's bytes, until `done` has them; for asking another node meanwhile.
    std::optional<std::string> CopyRequest() const;

   private:
    struct OnStream {
      std::weak_ptr<PeerStream> stream;
      uint64_t number;
    };
    std::variant<std::monostate, net::Channel::CallHandle, OnStream> way_;
  };

  PeerCalls(NodeContext& context, LoopState& loop);
  ~PeerCalls();

  // `done` is called exactly once, never from within. REQUIRES: the node is a member.
  Handle Pass(const routing::CallPlan::Send& send, const RoutedRequest& request, std::string body,
              Done done);
  // Never over a stream: for what was too large for one.
  Handle PassAlone(const routing::CallPlan::Send& send, const RoutedRequest& request,
                   std::string body, Done done);

 private:
  const std::shared_ptr<net::Channel>& ChannelTo(routing::NodeIndex node);
  Handle CallAlone(net::Channel& channel, const routing::CallPlan::Send& send,
                   const RoutedRequest& request, std::string body, Done done);
  // The channel's; opened for later requests if there is none.
  PeerStream& StreamOf(const std::shared_ptr<net::Channel>& channel);
  PeerStream& OpenStream(const std::shared_ptr<net::Channel>& channel);
  void FillHead(const routing::CallPlan::Send& send, const RoutedRequest& request);
  net::CallOptions OptionsFor(const routing::CallPlan::Send& send, const RoutedRequest& request);
  net::Recurrence RecurrenceOf(const SpaceId& space);

  NodeContext& context_;
  LoopState& loop_;
  absl::flat_hash_map<const net::Channel*, std::shared_ptr<PeerStream>> streams_;
  // They take no more, and wait for the replies to what they took.
  std::vector<std::shared_ptr<PeerStream>> closing_;
  peer::v1::PassedRequest head_;  // the last one's; kept for its memory
  SpaceId forwarded_;             // of the last call
};

}  // namespace engram::server
