// grpc.health.v1.Health: Check and Watch, for load balancers and orchestrators.
//
// The whole node ("") and each of its public services are SERVING from when the node is a member of
// its cluster until it drains. Thread-safe;
// must outlive the server's calls.
#pragma once

#include <list>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "engram/base/mutex.h"
#include "engram/net/server.h"

namespace engram::server {

class HealthService {
 public:
  // REQUIRES: before server.Start().
  void AddTo(net::Server& server);

  // The node is a member of its cluster; any thread.
  void StartServing();

  // Tells those who watch that the node is NOT_SERVING, and ends their calls, so that draining does
  // not wait for them. Checks answer NOT_SERVING from then on.
  void StopServing();

 private:
  using SharedCall = std::shared_ptr<net::ServerCall>;

  void Check(net::ServerCall call, const std::string& request);
  void Watch(net::ServerCall call);
  void BeginWatch(const SharedCall& call, const std::string& request);
  bool serving();

  Mutex mutex_;
  bool serving_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::list<SharedCall> watchers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace engram::server
