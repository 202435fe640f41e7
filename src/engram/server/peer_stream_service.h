// The receiving end of PeerService.PassOn: requests that another node passes on over one stream.
//
// Each is served as a call of its own would be (peer_request.h). A stream that has as many requests
// under way as a connection may have calls, or whose sender does not take its replies, is not read
// on, so that the sender waits.
//
// Thread-safety: Leave() from any thread; the rest before the server starts.
#pragma once

#include <atomic>
#include <boost/intrusive/list.hpp>
#include <vector>

#include "engram/net/server.h"
#include "engram/server/local_service.h"
#include "engram/server/node_context.h"

namespace engram::server {

class PeerStreamService {
 public:
  // A reply of more bytes would hold up the others of its stream for too long.
  static constexpr size_t kReplyBytesMax = 128u << 10;
  static constexpr int kInFlightMax = 1'000;

  // Both must outlive it, and it the server.
  PeerStreamService(NodeContext& context, LocalService& local);
  ~PeerStreamService();

  void AddTo(net::Server& server);

  // Streams end as soon as what they have taken is answered, new ones at once: streams have no end
  // of their own that Server::Drain() could wait for.
  void Leave();

 private:
  class Stream;
  using Streams = boost::intrusive::list<Stream, boost::intrusive::constant_time_size<false>>;

  void Serve(net::ServerCall call);

  NodeContext& context_;
  LocalService& local_;
  std::vector<Streams> streams_;  // by loop; each belongs to its loop
  std::atomic<bool> leaving_{false};
};

}  // namespace engram::server
