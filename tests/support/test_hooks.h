// Puts the routing of running nodes into any state, and looks at their copies: the client of
// engram.peer.v1.TestService, which nodes serve that were started with kTestHooksFlags.
//
// Single-threaded use; each call blocks until the node has done it, and fails the test otherwise,
// but for InspectCopy and Call.
#pragma once

#include <google/protobuf/message_lite.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "engram/net/channel.h"
#include "engram/net/event_loop.h"
#include "engram/peer/v1/test.pb.h"
#include "support/cluster.h"

namespace engram::testing {

// Of TestClusterOptions. Only the test changes what the nodes know: kQuietMembership.
inline const std::vector<std::string> kTestHooksFlags = {
    "--test-hooks", "on", "--probe-period", "1h", "--exchange-period", "1h"};

// `counter` counts the moves of the space; 0 and 1 are older than what a node makes up by itself
// when a space is created there.
v1::Assignment MakeAssignment(const TestCluster& cluster, const std::string& space,
                              uint64_t counter, int primary, const std::vector<int>& replicas = {});

class TestHooks {
 public:
  // Of all nodes of the cluster, which must outlive it.
  explicit TestHooks(const TestCluster& cluster);
  ~TestHooks();
  TestHooks(const TestHooks&) = delete;
  TestHooks& operator=(const TestHooks&) = delete;

  // What the node knows of all spaces.
  void InstallTable(int node, const std::vector<v1::Assignment>& assignments);
  // The node holds the space by this assignment from now on.
  void Hold(int node, const v1::Assignment& assignment);
  // The node holds the space no more.
  void Drop(int node, const std::string& space);
  // The node reaches `reachable` of `total` nodes, itself among them; without a strict majority it
  // is cut off.
  void Reach(int node, uint32_t reachable, uint32_t total);

  // What the node's own copy of the space is; an error if it has none, or does not answer.
  absl::StatusOr<peer::v1::InspectCopyResponse> InspectCopy(int node, const std::string& space);

  // Any method of the service; the status it ends with. `cluster`: another one's id.
  absl::Status Call(int node, std::string_view method, const google::protobuf::MessageLite& request,
                    const std::optional<std::string>& cluster = std::nullopt);

 private:
  net::CallResult Ask(int node, std::string_view method,
                      const google::protobuf::MessageLite& request, const std::string& cluster);

  const std::string cluster_id_;
  net::EventLoop loop_;
  std::vector<std::shared_ptr<net::Channel>> channels_;  // used on the loop
};

}  // namespace engram::testing
