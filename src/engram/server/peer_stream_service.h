// The receiving end of PeerService.PassOn: requests that another node passes on over one stream.
//
// Each is served as a call of its own would be (peer_request.h), and what is under way is bounded
// where that is (server/admission.h). A stream whose sender does not take its replies is not read
// on. Ownership is checked as soon as a request is read, so a node whose disk hangs goes on
// redirecting, and answering what it can.
//
// Thread-safety: Leave() from any thread; the rest before the server starts.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "engram/net/server.h"
#include "engram/server/local_service.h"
#include "engram/server/node_context.h"

namespace engram::server {

class PeerStreamService {
 public:
  // A reply of more bytes would hold up the others of its stream for too long.
  static constexpr size_t kReplyBytesMax = 1u << 20;
  // How long a stream goes on after Leave(): its sender hears meanwhile that the node is going
  // (GOAWAY), and what it has sent before is served.
  static constexpr Duration kLeaveAfter = std::chrono::milliseconds(100);

  // Both must outlive it, and it the server.
  PeerStreamService(NodeContext& context, LocalService& local);
  ~PeerStreamService();

  void AddTo(net::Server& server);

  // Streams end when kLeaveAfter is over and what they have taken is answered, new ones at once:
  // they have no end of their own that Server::Drain() could wait for. To be called right before
  // it.
  void Leave();

 private:
  class Stream;
  // Of one loop, and for it alone.
  struct OfLoop {
    explicit OfLoop(net::EventLoop& loop) : leave_timer(loop) {}
    std::vector<std::weak_ptr<Stream>> streams;
    net::EventLoop::Timer leave_timer;
  };

  void Serve(net::ServerCall call);

  NodeContext& context_;
  LocalService& local_;
  std::vector<OfLoop> loops_;
  std::atomic<bool> leaving_{false};
};

}  // namespace engram::server
