// One node's control plane: what it answers, and what it finds on its disk in its next life.
// tests/integration/ tries many of them together.
#include "engram/cluster/control_plane.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <utility>

#include "engram/base/error.h"
#include "engram/cluster/gossip_methods.h"
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
  // What a member of the cluster would say of others.
  static std::string StateOf(const std::string& node,
                             membership::MemberState state = membership::MemberState::kAlive,
                             std::string_view cluster = kCluster) {
    // The dead accuse nobody: that is the node's own word, from its former life.
    const bool alive = state == membership::MemberState::kAlive;
    std::string bytes =
        membership::BeginDatagram(NodeId(alive ? node : "me"), membership::FullState{});
    bytes += membership::EncodeUpdate({NodeId(node),
                                       {membership::Incarnation{1}, state},
                                       membership::MemberInfo{"127.0.0.1:9", "127.0.0.1:7", "", ""},
                                       {}});
    membership::SealDatagram(bytes, membership::TagOf(cluster));
    return bytes;
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

TEST_F(ControlPlaneTest, WhoDoesNotFindTheOthersIsNoMemberAndMakesNothing) {
  HasJoined(StateOf("other"));
  Life life(store_);
  ASSERT_TRUE(life.Boot().ok());
  EXPECT_FALSE(life.is_member);
  EXPECT_TRUE(life.reachability.Load().partitioned);
  EXPECT_EQ(life.reachability.Load().total, 2u);
}

TEST_F(ControlPlaneTest, WhoHasBeenAskedByAnotherMemberIsOneAgain) {
  HasJoined(StateOf("other"));
  Life life(store_);
  ASSERT_TRUE(life.Boot().ok());
  peer::v1::ExchangeRequest request;
  request.set_state(StateOf("other"));
  EXPECT_TRUE(life.Ask<peer::v1::ExchangeResponse>(request).get().ok());
  EXPECT_TRUE(life.is_member);
}

// Of two nodes the other one is gone for good: once an operator has said so this one is whole.
TEST_F(ControlPlaneTest, WhoIsLeftAloneByAnOperatorIsAMemberAgain) {
  HasJoined(StateOf("other", membership::MemberState::kDead));
  Life life(store_);
  ASSERT_TRUE(life.Boot().ok());
  EXPECT_FALSE(life.is_member);
  std::promise<absl::Status> removed;
  life.control->Remove(NodeId("other"),
                       [&](const absl::Status& status) { removed.set_value(status); });
  EXPECT_EQ(removed.get_future().get(), absl::OkStatus());
  EXPECT_TRUE(life.is_member);
  EXPECT_FALSE(life.reachability.Load().partitioned);
}

// Else it would take itself for the only member.
TEST_F(ControlPlaneTest, WhoCannotReadItsMembersDoesNotStart) {
  HasJoined("noise");
  Life life(store_);
  EXPECT_EQ(CodeOf(life.Boot()), ErrorCode::kStorageFailed);
}

// Else a founder that crashes then would be a majority of one.
TEST_F(ControlPlaneTest, WhoHasJustComeIsKeptOnDiskAtOnce) {
  {
    Life life(store_);
    ASSERT_TRUE(life.Boot().ok());
    EXPECT_TRUE(life.is_member);
    peer::v1::ExchangeRequest request;
    request.set_state(
        StateOf("other", membership::MemberState::kAlive, life.directory.cluster_id()));
    ASSERT_TRUE(life.Ask<peer::v1::ExchangeResponse>(request).get().ok());
  }
  Life again(store_);
  ASSERT_TRUE(again.Boot().ok());
  EXPECT_EQ(again.reachability.Load().total, 2u);
  EXPECT_FALSE(again.is_member);
}

// A node that asks again before it is answered must not have its first try cut off by the end of
// another.
TEST_F(ControlPlaneTest, WhoAsksTwiceIsDialledBackOnce) {
  net::EventLoopGroup loops(1);
  std::atomic<int> dialled = 0;
  std::optional<net::ServerCall> held;
  net::ServerOptions listen;
  listen.host = "127.0.0.1";
  net::Server joining(loops, listen);
  std::promise<void> asked;
  joining.AddUnary(kProbeMethod, [&](net::ServerCall call, const std::string&) {
    if (++dialled > 1) return;
    held = std::move(call);
    asked.set_value();
  });
  loops.Start();
  ASSERT_TRUE(joining.Start().ok());
  Life life(store_);
  ASSERT_TRUE(life.Boot().ok());
  JoinRequest request;
  request.set_cluster_name("test");
  request.set_node_id("new");
  request.set_rpc_address("127.0.0.1:" + std::to_string(joining.port()));
  auto first = life.Ask<JoinResponse>(request);
  auto second = life.Ask<JoinResponse>(request);
  asked.get_future().wait();
  loops.at(0).Post([&] {
    ProbeResponse reply;
    reply.set_node_id("new");
    std::exchange(held, std::nullopt)->Reply(reply.SerializeAsString());
  });
  EXPECT_TRUE(first.get().ok());
  EXPECT_TRUE(second.get().ok());
  EXPECT_EQ(dialled, 1);
  life.calls.Close();
  joining.Drain(net::EventLoop::Now());
  loops.Stop();
}

// DNS may give a node its own address by another name.
TEST_F(ControlPlaneTest, WhoAsksItselfIsNotRefused) {
  net::EventLoopGroup loops(1);
  net::ServerOptions listen;
  listen.host = "127.0.0.1";
  net::Server seed(loops, listen);
  std::promise<std::string> asked;
  seed.AddUnary(kJoinMethod, [&, first = true](const net::ServerCall&, std::string body) mutable {
    if (std::exchange(first, false)) asked.set_value(std::move(body));
  });
  loops.Start();
  ASSERT_TRUE(seed.Start().ok());
  Life life(store_, {"127.0.0.1:" + std::to_string(seed.port())});
  ASSERT_TRUE(life.Boot().ok());
  JoinRequest own;
  ASSERT_TRUE(own.ParseFromString(asked.get_future().get()));
  EXPECT_EQ(CodeOf(life.Ask<JoinResponse>(own).get().status()), ErrorCode::kNoLocalData);
  own.set_life(own.life() + 1);
  EXPECT_EQ(CodeOf(life.Ask<JoinResponse>(own).get().status()), ErrorCode::kInvalidArgument);
  life.calls.Close();
  seed.Drain(net::EventLoop::Now());
  loops.Stop();
}

TEST_F(ControlPlaneTest, AnybodyCanOnlyMakeItDialSoManyAddresses) {
  Life life(store_);
  ASSERT_TRUE(life.Boot().ok());
  JoinRequest request;
  request.set_cluster_name("test");
  request.set_node_id("new");
  std::vector<std::future<absl::StatusOr<JoinResponse>>> answers;
  std::promise<void> all;
  // In one task, so that none ends before the last begins.
  life.loops.at(0).Post([&] {
    for (int i = 0; i < 65; ++i) {
      request.set_rpc_address("127.0.0.1:" + std::to_string(1 + i));
      auto answer = std::make_shared<std::promise<absl::StatusOr<JoinResponse>>>();
      answers.push_back(answer->get_future());
      life.control->Serve(
          request, [answer](absl::StatusOr<JoinResponse> r) { answer->set_value(std::move(r)); });
    }
    all.set_value();
  });
  all.get_future().wait();
  for (size_t i = 0; i < 64; ++i) {
    EXPECT_EQ(CodeOf(answers[i].get().status()), ErrorCode::kInvalidEndpoint);
  }
  EXPECT_EQ(CodeOf(answers[64].get().status()), ErrorCode::kOverloaded);
}

}  // namespace
}  // namespace engram::cluster
