// The receiving end of replication: engram.peer.v1.ReplicationService.
//
// Frames are read and checked on the connection's loop and handed over to the replication loop; a
// stream whose frames are not worked off there is not read on, so that its sender waits.
//
// Thread-safety: Leave() from any thread; the rest before the server starts.
#pragma once

#include <memory>
#include <set>

#include "absl/base/thread_annotations.h"
#include "engram/base/mutex.h"
#include "engram/cluster/replication_links.h"
#include "engram/net/server.h"

namespace engram::cluster {

class ReplicationService {
 public:
  // Frames of one stream that wait to be worked off.
  static constexpr int kUnhandledMax = 4;

  // `links` must outlive it, it the server, and the server's loops what is posted to that of
  // `links`.
  explicit ReplicationService(ReplicationLinks& links);
  ~ReplicationService();
  ReplicationService(const ReplicationService&) = delete;
  ReplicationService& operator=(const ReplicationService&) = delete;

  void AddTo(net::Server& server);

  // Ends the streams, and new ones at once: they have no end of their own that Server::Drain()
  // could wait for. To be called right before it.
  void Leave();

 private:
  class Stream;

  void Serve(net::ServerCall call);
  void Forget(const std::shared_ptr<Stream>& stream);

  ReplicationLinks& links_;
  Mutex mutex_;
  std::set<std::shared_ptr<Stream>> streams_ ABSL_GUARDED_BY(mutex_);
  bool leaving_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace engram::cluster
