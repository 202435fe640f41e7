// One node's control plane: what it answers, and what it finds on its disk in its next life.
// tests/integration/ tries many of them together.
#include "engram/cluster/control_plane.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <thread>

#include "engram/base/error.h"
#include "engram/net/server.h"
#include "engram/storage/testing/temp_dir.h"

namespace engram::cluster {
namespace {

using peer::v1::JoinRequest;
using peer::v1::JoinResponse;
using peer::v1::ProbeRequest;
using peer::v1::ProbeResponse;

constexpr char kCluster[] = "01HZX0000000000000000000AB";

// Of one life of the node "me"; what is in the store outlives it.
struct Life {
  explicit Life(ClusterStore& store, std::vector<std::string> seeds = {}) {
    ControlOptions options;
    options.node = NodeId("me");
    options.cluster_name = "test";
    options.gossip_listen = "127.0.0.1:0";
    options.info = {"127.0.0.1:7", "127.0.0.1:9", "", ""};
    options.seeds.seeds = std::move(seeds);
    const ControlPorts ports{loops.at(0), calls,        requests,  nodes,
                             table,       reachability, directory, store};
    control = std::make_unique<ControlPlane>(std::move(options), ports, 1);
    control->OnMember([this] { is_member = true; });
    loops.Start();
  }
  ~Life() {
    calls.Close();
    requests.Close();
    loops.Stop();
  }

  absl::Status Boot() {
    if (absl::Status status = control->Load(); !status.ok()) return status;
    return control->Start();
  }
  template <class Reply, class Request>
  std::future<absl::StatusOr<Reply>> Ask(const Request& request) {
    auto promise = std::make_shared<std::promise<absl::StatusOr<Reply>>>();
    loops.at(0).Post([this, request, promise] {
      control->Serve(request, [promise](absl::StatusOr<Reply> r) { promise->set_value(r); });
    });
    return promise->get_future();
  }

  net::EventLoopGroup loops{1};
  net::ConnectionPool calls{loops, {}, 1};
  net::ConnectionPool requests{loops, {}, 1};
  routing::NodeTable nodes;
  routing::RoutingTable table{nodes};
  routing::ReachabilityCell reachability;
  Directory directory{nodes, nodes.Intern(NodeId("me")), "127.0.0.1:7"};
  std::atomic<bool> is_member = false;
  std::unique_ptr<ControlPlane> control;
};

class ControlPlaneTest : public testing::Test {
 protected:
  // What a member of the cluster would say of it.
  static std::string StateOf(const std::string& node) {
    std::mt19937_64 random(1);
    const membership::Self self{NodeId(node),
                                membership::Incarnation{1},
                                {"127.0.0.1:7", "127.0.0.1:9", "", ""},
                                membership::TagOf(kCluster)};
    return membership::Swim(self, {}, random, net::EventLoop::Now()).FullStateBytes();
  }
  void HasJoined(const std::string& members) {
    ASSERT_TRUE(store_.SaveClusterId(kCluster).ok());
    ASSERT_TRUE(store_.SaveMembers(members).ok());
  }

  storage::TempDir dir_;
  std::unique_ptr<storage::Database> database_ =
      *storage::Database::Open({.dir = dir_.path() / "data"});
  ClusterStore store_{*database_};
};

// It listens before it has begun to look for the others, and they ask at once.
TEST_F(ControlPlaneTest, AMemberThatIsStartingSaysWhichClusterItIsOf) {
  HasJoined(StateOf("other"));
  Life life(store_);
  ASSERT_TRUE(life.control->Load().ok());
  EXPECT_EQ(life.directory.cluster_id(), kCluster);
  const auto reply = life.Ask<ProbeResponse>(ProbeRequest()).get();
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply->cluster_id(), kCluster);
}

}  // namespace
}  // namespace engram::cluster
