#include "engram/client/client.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <latch>
#include <mutex>
#include <thread>

#include "engram/base/error.h"
#include "engram/net/grpc_status.h"
#include "engram/net/server.h"
#include "engram/net/testing/test_ca.h"

namespace engram::client {
namespace {

// A node that does with each store and get what the test wants; remembers the request ids of
// stores.
class FakeNode {
 public:
  using Handler = std::function<void(FakeNode&, net::ServerCall)>;

  explicit FakeNode(Handler handler, const net::ServerOptions& options = {})
      : handler_(std::move(handler)), server_(loops_, options) {
    server_.AddUnary(
        "/engram.v1.MemoryService/Store", [this](net::ServerCall call, const std::string&) {
          {
            std::scoped_lock lock(mutex_);
            request_ids_.emplace_back(call.metadata().Find("engram-request-id").value_or(""));
            acks_.emplace_back(call.metadata().Find("engram-ack").value_or(""));
          }
          handler_(*this, std::move(call));
        });
    server_.AddUnary(
        "/engram.v1.MemoryService/Get", [this](net::ServerCall call, const std::string&) {
          {
            std::scoped_lock lock(mutex_);
            sessions_.emplace_back(call.metadata().Find("engram-session").value_or(""));
          }
          handler_(*this, std::move(call));
        });
    loops_.Start();
    EXPECT_TRUE(server_.Start().ok());
  }
  ~FakeNode() {
    Die();
    if (death_.joinable()) death_.join();
    loops_.Stop();
  }

  std::string address() const { return fmt::format("127.0.0.1:{}", server_.port()); }
  // Ends the connections under the calls in flight, as a kill would.
  void Die() { server_.Drain(TimePoint::min()); }
  void DieSoon() {
    death_ = std::thread([this] { Die(); });
  }
  std::vector<std::string> request_ids() {
    std::scoped_lock lock(mutex_);
    return request_ids_;
  }
  std::vector<std::string> acks() {
    std::scoped_lock lock(mutex_);
    return acks_;
  }
  // Of gets.
  std::vector<std::string> sessions() {
    std::scoped_lock lock(mutex_);
    return sessions_;
  }

 private:
  Handler handler_;
  net::EventLoopGroup loops_{1};
  net::Server server_;
  std::mutex mutex_;
  std::vector<std::string> request_ids_;
  std::vector<std::string> acks_;
  std::vector<std::string> sessions_;
  std::thread death_;
};

std::unique_ptr<Client> Connect(const std::vector<std::string>& nodes) {
  ClientOptions options;
  options.nodes = nodes;
  return *Client::Create(options);
}

// Takes the request and dies without an answer. The call is kept, so that its end is the
// connection's.
FakeNode::Handler TakesAndDies(std::vector<net::ServerCall>& kept) {
  return [&kept](FakeNode& node, net::ServerCall call) {
    kept.push_back(std::move(call));
    node.DieSoon();
  };
}

constexpr char kNobody[] = "127.0.0.1:1";  // a port that only root may take and nobody does

v1::Version VersionAt(uint64_t counter, uint64_t sequence) {
  v1::Version version;
  version.mutable_epoch()->set_counter(counter);
  version.mutable_epoch()->set_primary("node-1");
  version.set_sequence(sequence);
  return version;
}

v1::StoreRequest StoreInto(const std::string& space) {
  v1::StoreRequest request;
  request.set_space(space);
  return request;
}

v1::GetRequest GetFrom(const std::string& space) {
  v1::GetRequest request;
  request.set_space(space);
  return request;
}

// Answers every store with the version, and every get with what the reader shall have seen by it.
FakeNode::Handler AnswersWith(const v1::Version& version, const std::string& seen = "") {
  return [version, seen](FakeNode&, net::ServerCall call) {
    v1::StoreResponse response;
    *response.mutable_version() = version;
    if (!seen.empty()) {
      call.AddTrailer("engram-session", seen);
      return call.Reply(v1::GetResponse().SerializeAsString());
    }
    call.Reply(response.SerializeAsString());
  };
}

TEST(Client, AReadBringsWhatItsClientHasWritten) {
  FakeNode node(AnswersWith(VersionAt(2, 5)));
  auto client = Connect({node.address()});
  ASSERT_TRUE(client->Get(GetFrom("notes")).ok());
  ASSERT_TRUE(client->Store(StoreInto("notes")).ok());
  ASSERT_TRUE(client->Get(GetFrom("notes")).ok());
  ASSERT_TRUE(client->Get(GetFrom("other")).ok());
  EXPECT_EQ(node.sessions(), (std::vector<std::string>{"", "2:node-1:5", ""}));
}

TEST(Client, AReadBringsWhatAnEarlierOneHasSeen) {
  FakeNode node(AnswersWith({}, "3:node-2:7"));
  auto client = Connect({node.address()});
  ASSERT_TRUE(client->Get(GetFrom("notes")).ok());
  ASSERT_TRUE(client->Get(GetFrom("notes")).ok());
  Ask older;
  older.session = "1:node-1:1";
  ASSERT_TRUE(client->Get(GetFrom("notes"), older).ok());
  EXPECT_EQ(node.sessions(), (std::vector<std::string>{"", "3:node-2:7", "1:node-1:1"}));
}

TEST(Client, WithoutASessionNothingIsBrought) {
  FakeNode node(AnswersWith(VersionAt(2, 5)));
  ClientOptions options;
  options.nodes = {node.address()};
  options.session = false;
  auto client = *Client::Create(options);
  ASSERT_TRUE(client->Store(StoreInto("notes")).ok());
  ASSERT_TRUE(client->Get(GetFrom("notes")).ok());
  EXPECT_EQ(node.sessions(), std::vector<std::string>{""});
}

TEST(Client, AWriteSaysWhoseAcknowledgementItWants) {
  FakeNode node(AnswersWith(VersionAt(2, 5)));
  ClientOptions options;
  options.nodes = {node.address()};
  options.ack = Ack::kQuorum;
  ASSERT_TRUE((*Client::Create(options))->Store(StoreInto("notes")).ok());
  ASSERT_TRUE(Connect({node.address()})->Store(StoreInto("notes")).ok());
  EXPECT_EQ(node.acks(), (std::vector<std::string>{"quorum", ""}));
}

// Says who holds the space, as a node does that does not, and where the nodes are.
class NoHolder {
 public:
  explicit NoHolder(const std::string& holder_address) : server_(loops_, {}) {
    server_.AddStream("/engram.v1.MemoryService/Consolidate", [](net::ServerCall call) {
      v1::Assignment assignment;
      assignment.set_space("notes");
      assignment.set_primary("node-2");
      absl::Status status = MakeError(ErrorCode::kNoLocalData, "node-2 does");
      status.SetPayload(net::kAssignmentPayload, absl::Cord(assignment.SerializeAsString()));
      call.Finish(status);
    });
    server_.AddUnary("/engram.v1.ClusterService/ListNodes",
                     [holder_address](net::ServerCall call, const std::string&) {
                       v1::ListNodesResponse nodes;
                       v1::NodeInfo* holder = nodes.add_nodes();
                       holder->set_id("node-2");
                       holder->set_address(holder_address);
                       call.Reply(nodes.SerializeAsString());
                     });
    loops_.Start();
    EXPECT_TRUE(server_.Start().ok());
  }
  ~NoHolder() {
    server_.Drain(TimePoint::min());
    loops_.Stop();
  }
  std::string address() const { return fmt::format("127.0.0.1:{}", server_.port()); }

 private:
  net::EventLoopGroup loops_{1};
  net::Server server_;
};

// Two groups, the totals, and the end given.
class Holder {
 public:
  explicit Holder(const absl::Status& end) : server_(loops_, {}) {
    server_.AddStream("/engram.v1.MemoryService/Consolidate", [end](net::ServerCall call) {
      v1::ConsolidateResponse part;
      for (const char* id : {"one", "two"}) {
        part.mutable_group()->set_id(id);
        call.Send(part.SerializeAsString());
      }
      part.mutable_totals()->set_created(2);
      *part.mutable_totals()->mutable_version() = VersionAt(3, 9);
      call.Send(part.SerializeAsString());
      call.Finish(end);
    });
    server_.AddUnary("/engram.v1.MemoryService/Get",
                     [this](net::ServerCall call, const std::string&) {
                       session_ = call.metadata().Find("engram-session").value_or("");
                       call.Reply(v1::GetResponse().SerializeAsString());
                     });
    loops_.Start();
    EXPECT_TRUE(server_.Start().ok());
  }
  ~Holder() {
    server_.Drain(TimePoint::min());
    loops_.Stop();
  }
  std::string address() const { return fmt::format("127.0.0.1:{}", server_.port()); }
  // Of the last get, once it has been answered.
  std::string session() const { return session_; }

 private:
  net::EventLoopGroup loops_{1};
  net::Server server_;
  std::string session_;
};

struct Consolidated {
  std::vector<std::string> groups;
  uint64_t created = 0;
  absl::Status status;
};

Consolidated ConsolidateNotes(Client& client) {
  v1::ConsolidateRequest request;
  request.set_space("notes");
  Consolidated result;
  auto answer = client.Consolidate(request, [&](const v1::ConsolidateResponse& part) {
    if (part.has_group()) result.groups.push_back(part.group().id());
    if (part.has_totals()) result.created = part.totals().created();
  });
  result.status = answer.status();
  return result;
}

TEST(Client, AConsolidationGoesToAHolderThatTheAskedNodeNames) {
  Holder holder(absl::OkStatus());
  NoHolder asked(holder.address());
  const Consolidated result = ConsolidateNotes(*Connect({asked.address()}));
  EXPECT_TRUE(result.status.ok()) << result.status;
  EXPECT_EQ(result.groups, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(result.created, 2u);
}

TEST(Client, WhatAConsolidationHasWrittenIsSeenByTheNextRead) {
  Holder holder(absl::OkStatus());
  auto client = Connect({holder.address()});
  ASSERT_TRUE(ConsolidateNotes(*client).status.ok());
  ASSERT_TRUE(client->Get(GetFrom("notes")).ok());
  EXPECT_EQ(holder.session(), "3:node-1:9");
}

TEST(Client, WhatWasConsolidatedBeforeAnErrorIsTold) {
  Holder holder(MakeError(ErrorCode::kStorageFailed, "the disk is full"));
  const Consolidated result = ConsolidateNotes(*Connect({holder.address()}));
  EXPECT_EQ(CodeOf(result.status), ErrorCode::kStorageFailed) << result.status;
  EXPECT_EQ(result.groups.size(), 2u);
  EXPECT_EQ(result.created, 2u);
}

TEST(Client, AHolderThatCannotBeReachedIsNamed) {
  NoHolder asked(kNobody);
  const Consolidated result = ConsolidateNotes(*Connect({asked.address()}));
  EXPECT_EQ(CodeOf(result.status), ErrorCode::kConnectionFailed) << result.status;
  EXPECT_NE(result.status.message().find(kNobody), std::string::npos) << result.status;
}

TEST(Client, AWriteThatANodeMayHaveDoneIsNotCalledFailed) {
  std::vector<net::ServerCall> kept;
  FakeNode first(TakesAndDies(kept));
  absl::Status status = Connect({first.address(), kNobody})->Store({}).status();
  EXPECT_EQ(CodeOf(status), ErrorCode::kUndetermined) << status;
}

TEST(Client, NeitherIsItWhenTheNextNodeRefuses) {
  std::vector<net::ServerCall> kept;
  FakeNode first(TakesAndDies(kept));
  FakeNode second([](FakeNode&, net::ServerCall call) {
    call.Reply(MakeError(ErrorCode::kAllReplicasFailed, "the owner is away"));
  });
  absl::Status status = Connect({first.address(), second.address()})->Store({}).status();
  EXPECT_EQ(CodeOf(status), ErrorCode::kUndetermined) << status;
}

TEST(Client, TheNextNodeGetsTheSameRequestId) {
  std::vector<net::ServerCall> kept;
  FakeNode first(TakesAndDies(kept));
  FakeNode second([](FakeNode&, net::ServerCall call) {
    v1::StoreResponse response;
    response.set_id("stored");
    call.Reply(response.SerializeAsString());
  });
  auto stored = Connect({first.address(), second.address()})->Store({});
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->message.id(), "stored");
  ASSERT_EQ(first.request_ids().size(), 1u);
  EXPECT_EQ(first.request_ids(), second.request_ids());
}

TEST(Client, ASilentNodeIsToldApartFromOneThatReportsALateOne) {
  // Its loop stands still, so that not even its wire says that the deadline has passed.
  std::latch asked_enough(1);
  FakeNode silent([&](FakeNode&, net::ServerCall call) {
    asked_enough.wait();
    call.Reply(std::string());
  });
  FakeNode reporting([](FakeNode&, net::ServerCall call) {
    call.Reply(MakeError(ErrorCode::kDeadlineExceeded, "node-2 is late"));
  });
  ClientOptions options;
  options.nodes = {silent.address()};
  options.timeout = std::chrono::seconds(1);
  absl::Status status = (*Client::Create(options))->Get({}).status();
  asked_enough.count_down();
  EXPECT_EQ(CodeOf(status), ErrorCode::kDeadlineExceeded) << status;
  EXPECT_TRUE(NobodyAnswered(status));
  EXPECT_NE(status.message().find(silent.address()), std::string::npos) << status;
  status = Connect({reporting.address()})->Store({}).status();
  EXPECT_EQ(CodeOf(status), ErrorCode::kDeadlineExceeded) << status;
  EXPECT_FALSE(NobodyAnswered(status));
}

TEST(Client, AWriteIsSentUnderTheGivenRequestId) {
  FakeNode node([](FakeNode&, net::ServerCall call) { call.Reply(std::string()); });
  Ask ask;
  ask.request_id = NewRequestId();
  ASSERT_TRUE(Connect({node.address()})->Store({}, ask).ok());
  EXPECT_EQ(node.request_ids(), std::vector{ask.request_id.ToString()});
}

TEST(Client, AnErrorOfTheNodeItselfIsFinal) {
  FakeNode first(
      [](FakeNode&, net::ServerCall call) { call.Reply(InvalidArgument("space", "bad")); });
  FakeNode second([](FakeNode&, net::ServerCall call) { call.Reply(std::string()); });
  EXPECT_EQ(CodeOf(Connect({first.address(), second.address()})->Store({}).status()),
            ErrorCode::kInvalidArgument);
  EXPECT_TRUE(second.request_ids().empty());
}

class ClientTlsTest : public ::testing::Test {
 protected:
  static void Answer(FakeNode&, net::ServerCall call) { call.Reply(std::string()); }
  net::ServerOptions MutualTls() {
    net::TlsOptions tls = ca_.Issue("node", "DNS:node.example");
    tls.ca_file = ca_.ca_file();
    net::ServerOptions options;
    options.tls = *net::TlsContext::Create(net::TlsContext::Side::kServer, tls);
    return options;
  }
  ClientTls Certified() {
    net::TlsOptions own = ca_.Issue("client");
    return {.ca_file = ca_.ca_file(),
            .certificate_file = own.certificate_file,
            .key_file = own.key_file,
            .expected_name = "node.example"};
  }
  static absl::Status StoreOver(std::optional<ClientTls> tls, const FakeNode& node) {
    ClientOptions options;
    options.nodes = {node.address()};
    options.tls = std::move(tls);
    return (*Client::Create(options))->Store({}).status();
  }

  net::testing::TestCa ca_;
};

TEST_F(ClientTlsTest, ShowsItsCertificateAndExpectsTheName) {
  FakeNode node(Answer, MutualTls());
  EXPECT_TRUE(StoreOver(Certified(), node).ok()) << StoreOver(Certified(), node);
}

TEST_F(ClientTlsTest, WhoIsNotUnderstoodIsToldApartFromWhoIsNotThere) {
  FakeNode wants_tls(Answer, MutualTls());
  FakeNode plain(Answer);
  ClientTls uncertified = Certified();
  uncertified.certificate_file = uncertified.key_file = "";
  ClientTls another_name = Certified();
  another_name.expected_name = "other.example";
  for (const absl::Status& status :
       {StoreOver(std::nullopt, wants_tls), StoreOver(uncertified, wants_tls),
        StoreOver(another_name, wants_tls), StoreOver(Certified(), plain)}) {
    EXPECT_EQ(CodeOf(status), ErrorCode::kConnectionFailed) << status;
    EXPECT_TRUE(MayDisagreeOnTls(status)) << status;
  }
  EXPECT_FALSE(MayDisagreeOnTls(Connect({kNobody})->Store({}).status()));
}

TEST_F(ClientTlsTest, FilesThatCannotBeUsedAreNamed) {
  ClientOptions options;
  options.tls.emplace().ca_file = "/no/such/file";
  absl::Status status = Client::Create(options).status();
  EXPECT_EQ(DetailOf(status).field, "tls-ca");
  EXPECT_NE(status.message().find("/no/such/file"), std::string::npos) << status;
}

TEST(Client, NobodyReachedIsConnectionFailed) {
  EXPECT_EQ(CodeOf(Connect({kNobody, kNobody})->Store({}).status()), ErrorCode::kConnectionFailed);
  EXPECT_TRUE(NobodyAnswered(Connect({kNobody})->Store({}).status()));
  EXPECT_EQ(CodeOf(Client::Create({.nodes = {"localhost"}}).status()), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace engram::client
