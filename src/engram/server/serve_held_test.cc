// A read that brings a session, at a holder whose copy does or does not have what it has seen; and
// what is said with the answer.
#include "engram/server/serve_held.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "engram/server/convert.h"
#include "engram/server/replication_port.h"
#include "engram/storage/testing/temp_dir.h"
#include "engram/v1/memory.pb.h"

namespace engram::server {
namespace {

const SpaceId kSpace("notes");
const Version kSeen{{3, NodeId("other")}, 7};

class FakeReplication : public ReplicationPort {
 public:
  bool Has(const SpaceId& space, const Version& change) const override {
    ++asked;
    return has && space == kSpace && change == kSeen;
  }
  Standing StandingOf(const SpaceId&) const override { return standing; }
  std::vector<Lag> Lags() const override { return {}; }
  void Move(const SpaceId&, const NodeId&, TimePoint,
            absl::AnyInvocable<void(absl::Status)> done) override {
    done(absl::OkStatus());
  }

  std::atomic<bool> has{false};
  mutable std::atomic<int> asked{0};
  Standing standing;
};

class ServeHeldTest : public testing::Test {
 protected:
  ServeHeldTest() {
    memory::EngineOptions options;
    options.dir = dir_.path();
    options.cluster_id = "c";
    options.node_id = config_.node_id;
    options.encode = [](memory::Memory m) {
      return ToGetResponse(std::move(m)).SerializeAsString();
    };
    options.wall_clock = WallNow;
    engine_ = *memory::Engine::Open(std::move(options));
    local_ = std::make_unique<LocalService>(config_.node_id, *engine_, context_.held,
                                            context_.table, workers_, admission_);
    context_.replication = &replication_;
    loops_.Start();
    StoreTea();
  }
  ~ServeHeldTest() override {
    pool_.Close();
    loops_.Stop();
  }

  void StoreTea() {
    v1::StoreRequest tea;
    tea.set_space(kSpace.value());
    tea.set_id("tea");
    tea.set_content("tea is at four");
    LocalRequest request{routing::Operation::kStore, kSpace, tea.SerializeAsString(), {}};
    request.identity.request_id = RequestId::Make(WallNow(), random_);
    request.create_space = memory::CreateSpace::kYes;
    ASSERT_TRUE(Ask(std::move(request)).message.ok());
  }

  // The copy here is that of a replica, from now on.
  void BeReplica() {
    const placement::Assignment elsewhere{kSpace, NodeId("other"), {config_.node_id}, kSeen};
    context_.held.Apply(std::span(&elsewhere, 1));
  }

  HeldAnswer Ask(LocalRequest request) {
    std::promise<HeldAnswer> answer;
    loops_.at(0).Post([&] {
      ServeHeld(context_, *local_, context_.StateOf(loops_.at(0)), std::move(request),
                [&](HeldAnswer a) { answer.set_value(std::move(a)); });
    });
    return answer.get_future().get();
  }

  HeldAnswer Get(const std::optional<Version>& session, const std::string& id = "tea") {
    v1::GetRequest get;
    get.set_space(kSpace.value());
    get.set_id(id);
    LocalRequest request{routing::Operation::kGet, kSpace, get.SerializeAsString(), {}};
    request.session = session;
    return Ask(std::move(request));
  }

  storage::TempDir dir_;
  std::mt19937_64 random_{1};
  NodeConfig config_ = [] {
    NodeConfig config;
    config.node_id = NodeId("self");
    return config;
  }();
  net::EventLoopGroup loops_{1};
  net::ConnectionPool pool_{loops_, {}};
  NodeContext context_{config_, loops_, pool_, 1};
  WorkerPool workers_{1, 10};
  Admission admission_{config_, loops_};
  std::unique_ptr<memory::Engine> engine_;
  std::unique_ptr<LocalService> local_;
  FakeReplication replication_;
};

TEST_F(ServeHeldTest, WithoutASessionNothingIsChecked) {
  EXPECT_TRUE(Get(std::nullopt).message.ok());
  EXPECT_EQ(replication_.asked, 0);
}

TEST_F(ServeHeldTest, ACopyThatHasWhatWasSeenAnswers) {
  BeReplica();
  replication_.has = true;
  const HeldAnswer answer = Get(kSeen);
  EXPECT_TRUE(answer.message.ok()) << answer.message.status();
  EXPECT_FALSE(answer.degraded);
  EXPECT_EQ(replication_.asked, 1);
}

TEST_F(ServeHeldTest, AReplicaThatDoesNotGetItSendsToThePrimary) {
  BeReplica();
  const HeldAnswer answer = Get(kSeen);
  EXPECT_EQ(CodeOf(answer.message.status()), ErrorCode::kWrongNode);
  auto known = AttachedAssignment(answer.message.status());
  ASSERT_TRUE(known.has_value());
  EXPECT_EQ(known->primary, NodeId("other"));
  EXPECT_GT(replication_.asked, 1);
}

TEST_F(ServeHeldTest, AReplicaThatGetsItMeanwhileAnswers) {
  BeReplica();
  std::thread shipping([this] {
    while (replication_.asked == 0) std::this_thread::yield();
    replication_.has = true;
  });
  EXPECT_TRUE(Get(kSeen).message.ok());
  shipping.join();
}

TEST_F(ServeHeldTest, ThePrimaryThatLacksItFlagsItsAnswer) {
  const HeldAnswer answer = Get(kSeen);
  EXPECT_TRUE(answer.message.ok()) << answer.message.status();
  EXPECT_TRUE(answer.degraded);
}

TEST_F(ServeHeldTest, AnAnswerSaysHowFarItsCopyIs) {
  replication_.standing = {true, std::chrono::milliseconds(40), {{2, NodeId("self")}, 9}};
  const HeldAnswer answer = Get(std::nullopt);
  EXPECT_TRUE(answer.degraded);
  EXPECT_EQ(answer.staleness_ms, 40u);
  EXPECT_EQ(answer.seen, "2:self:9");
  v1::GetResponse got;
  ASSERT_TRUE(got.ParseFromString(*answer.message));
  EXPECT_EQ(got.staleness_ms(), 40u);
  EXPECT_EQ(got.content(), "tea is at four");
}

TEST_F(ServeHeldTest, ThatThereIsNoSuchMemorySaysSoToo) {
  replication_.standing = {true, std::chrono::milliseconds(40), {{2, NodeId("self")}, 9}};
  const HeldAnswer answer = Get(std::nullopt, "coffee");
  EXPECT_EQ(CodeOf(answer.message.status()), ErrorCode::kNotFound);
  EXPECT_TRUE(answer.degraded);
  EXPECT_EQ(answer.staleness_ms, 40u);
  EXPECT_EQ(answer.seen, "2:self:9");
}

TEST_F(ServeHeldTest, WhereNothingIsReplicatedNothingIsSaid) {
  context_.replication = nullptr;
  const HeldAnswer answer = Get(kSeen);
  EXPECT_TRUE(answer.message.ok());
  EXPECT_FALSE(answer.degraded);
  EXPECT_FALSE(answer.staleness_ms.has_value());
  EXPECT_EQ(answer.seen, "");
}

}  // namespace
}  // namespace engram::server
