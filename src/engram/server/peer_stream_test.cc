// The sender's end of a stream between nodes, against a peer that does what the test says.
#include "engram/server/peer_stream.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "engram/base/error.h"
#include "engram/net/grpc_status.h"
#include "engram/net/testing/fixture.h"
#include "engram/server/metadata_names.h"
#include "engram/server/operations.h"

namespace engram::server {
namespace {

using net::testing::Eventually;
using net::testing::In;
using net::testing::kPatience;
using net::testing::RunOn;
using namespace std::chrono_literals;

// The end of a request, when it comes.
class Pending {
 public:
  PeerStream::Done Done() {
    return [promise = promise_](PassedResult result) { promise->set_value(std::move(result)); };
  }
  PassedResult Wait() {
    if (future_.wait_for(kPatience) != std::future_status::ready) {
      ADD_FAILURE() << "the request did not end";
      std::abort();
    }
    return future_.get();
  }

 private:
  std::shared_ptr<std::promise<PassedResult>> promise_ =
      std::make_shared<std::promise<PassedResult>>();
  std::future<PassedResult> future_ = promise_->get_future();
};

class PeerStreamTest : public net::testing::NetTest {
 protected:
  PeerStreamTest() {
    StartServer({}, [this](net::Server& server) {
      server.AddStream(kPassOnMethod, [this](net::ServerCall call) { Serve(std::move(call)); });
    });
    channel();
  }
  ~PeerStreamTest() override {
    RunOn(loop(), [&] {
      stream_.reset();
      call_.reset();
    });
    Stop();
  }

  // ---- the peer

  void Serve(net::ServerCall call) {
    cluster_ = call.metadata().Find(kMdCluster).value_or("");
    call_.emplace(std::move(call));
    if (!greets_) return;
    call_->AddHeader(kMdServedBy, "peer");
    call_->SendHeaders();
    ReadOn();
  }
  void ReadOn() {
    call_->Read([this](const std::optional<std::string>& message) {
      if (!message.has_value()) {
        sender_done_ = true;
        if (ends_with_sender_) call_->Finish(absl::OkStatus());
        return;
      }
      EXPECT_TRUE(received_.emplace_back().ParseFromString(*message));
      ReadOn();
    });
  }
  size_t received() {
    return RunOn(loop(), [&] { return received_.size(); });
  }
  void Reply(const peer::v1::PassedReply& reply) {
    RunOn(loop(), [&] { call_->Send(reply.SerializeAsString()); });
  }
  void ReplyTo(uint64_t number, std::string body) {
    peer::v1::PassedReply reply;
    reply.set_number(number);
    reply.set_body(std::move(body));
    Reply(reply);
  }
  void Finish(const absl::Status& status) {
    RunOn(loop(), [&] { call_->Finish(status); });
  }

  // ---- the sender

  void Open(PeerStream::Options options = {}) {
    options.cluster = "test";
    RunOn(loop(), [&] { stream_ = PeerStream::Open(loop(), channel_, options); });
  }
  bool Takes(size_t bytes = 1) {
    return RunOn(loop(), [&] { return stream_->Takes(bytes); });
  }
  void OpenAndWait(PeerStream::Options options = {}) {
    Open(std::move(options));
    ASSERT_TRUE(Eventually([&] { return Takes(); }));
  }
  Pending Pass(std::string body, TimePoint deadline = In(kPatience)) {
    return RunOn(loop(), [&] { return PassOnLoop(std::move(body), deadline); });
  }
  Pending PassOnLoop(std::string body, TimePoint deadline) {
    Pending pending;
    peer::v1::PassedRequest head;
    head.set_operation(peer::v1::OPERATION_GET);
    head.set_space("s");
    number_ = stream_->Pass(head, std::move(body), deadline, pending.Done());
    return pending;
  }

  bool greets_ = true;
  bool ends_with_sender_ = true;
  std::string cluster_;
  std::optional<net::ServerCall> call_;
  std::vector<peer::v1::PassedRequest> received_;
  bool sender_done_ = false;

  std::shared_ptr<PeerStream> stream_;
  uint64_t number_ = 0;  // of the last request
};

TEST_F(PeerStreamTest, EveryRequestGetsItsOwnReplyInWhateverOrder) {
  OpenAndWait();
  Pending first = Pass("one"), second = Pass("two");
  ASSERT_TRUE(Eventually([&] { return received() == 2; }));
  EXPECT_EQ(received_[0].body(), "one");
  EXPECT_EQ(received_[1].body(), "two");
  EXPECT_EQ(received_[0].space(), "s");
  EXPECT_EQ(received_[0].operation(), peer::v1::OPERATION_GET);
  EXPECT_GT(received_[0].timeout_ns(), 0u);
  ReplyTo(received_[1].number(), "2");
  ReplyTo(received_[0].number(), "1");
  PassedResult one = first.Wait(), two = second.Wait();
  EXPECT_TRUE(one.status.ok()) << one.status;
  EXPECT_EQ(one.message, "1");
  EXPECT_EQ(one.request, "one") << "given back, to be sent again";
  EXPECT_EQ(one.served_by, NodeId("peer"));
  EXPECT_EQ(two.message, "2");
  EXPECT_EQ(cluster_, "test");
}

TEST_F(PeerStreamTest, TellsAllThatTheReplyTells) {
  OpenAndWait();
  Pending pending = Pass("r");
  peer::v1::PassedReply reply;
  reply.set_number(number_);
  reply.set_degraded(true);
  v1::Assignment assignment;
  assignment.set_space("s");
  assignment.set_primary("other");
  reply.set_assignment(assignment.SerializeAsString());
  Reply(reply);
  const PassedResult result = pending.Wait();
  EXPECT_TRUE(result.degraded);
  ASSERT_TRUE(result.assignment.has_value());
  EXPECT_EQ(result.assignment->primary, NodeId("other"));
}

TEST_F(PeerStreamTest, AnErrorKeepsItsDetails) {
  OpenAndWait();
  Pending pending = Pass("r");
  const ErrorDetail detail{ErrorCode::kOverloaded, "", "s", "peer", 100ms};
  const absl::Status status = MakeError(detail, "too much");
  peer::v1::PassedReply reply;
  reply.set_number(number_);
  reply.set_status(static_cast<int>(status.code()));
  reply.set_message(std::string(status.message()));
  reply.set_details(net::EncodeDetails(status));
  Reply(reply);
  const PassedResult result = pending.Wait();
  EXPECT_EQ(CodeOf(result.status), ErrorCode::kOverloaded);
  EXPECT_EQ(DetailOf(result.status).retry_after, 100ms);
  EXPECT_EQ(result.delivery, net::Delivery::kAnswered);
}

TEST_F(PeerStreamTest, WhatAPeerLeavesUnansweredWhenItEndsInOrderItHasNotBegun) {
  OpenAndWait();
  Pending pending = Pass("r");
  Finish(absl::OkStatus());
  const PassedResult result = pending.Wait();
  EXPECT_EQ(CodeOf(result.status), ErrorCode::kShuttingDown);
  EXPECT_EQ(result.delivery, net::Delivery::kNotSent);
  EXPECT_EQ(result.request, "r");
  EXPECT_FALSE(Takes());
}

TEST_F(PeerStreamTest, WhatIsUnderWayWhenTheStreamBreaksMayHaveBeenDone) {
  OpenAndWait();
  Pending pending = Pass("r");
  Finish(MakeError(ErrorCode::kInternal, "broken"));
  const PassedResult result = pending.Wait();
  EXPECT_EQ(CodeOf(result.status), ErrorCode::kUndetermined);
  EXPECT_EQ(result.delivery, net::Delivery::kUndetermined);
}

TEST_F(PeerStreamTest, WhatIsUnderWayWhenTheConnectionIsLostMayHaveBeenDone) {
  OpenAndWait();
  Pending pending = Pass("r");
  RunOn(loop(), [&] { channel_->Close(); });
  const PassedResult result = pending.Wait();
  EXPECT_EQ(result.delivery, net::Delivery::kUndetermined);
  EXPECT_EQ(result.request, "r");
}

TEST_F(PeerStreamTest, ARequestEndsAtItsDeadlineAndALateReplyIsNobodys) {
  OpenAndWait();
  Pending late = Pass("late", In(10ms));
  const uint64_t late_number = number_;
  Pending later = Pass("later");
  const PassedResult result = late.Wait();
  EXPECT_EQ(CodeOf(result.status), ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(result.delivery, net::Delivery::kUndetermined);
  ReplyTo(late_number, "too late");
  ReplyTo(number_, "in time");
  EXPECT_EQ(later.Wait().message, "in time");
}

TEST_F(PeerStreamTest, ACancelledRequestEndsAtOnce) {
  OpenAndWait();
  Pending pending = Pass("r");
  EXPECT_EQ(RunOn(loop(), [&] { return stream_->CopyRequest(number_); }), "r");
  RunOn(loop(), [&] { stream_->Cancel(number_); });
  EXPECT_EQ(CodeOf(pending.Wait().status), ErrorCode::kCancelled);
  EXPECT_EQ(RunOn(loop(), [&] { return stream_->CopyRequest(number_); }), std::nullopt);
  RunOn(loop(), [&] { stream_->Cancel(number_); });  // nothing more to do
}

// Whoever asks another node meanwhile needs the bytes.
TEST_F(PeerStreamTest, ARequestCanBeCopiedUntilItsEndIsTold) {
  OpenAndWait();
  Pending pending = Pass("r");
  RunOn(loop(), [&] {
    stream_->Cancel(number_);
    EXPECT_EQ(stream_->CopyRequest(number_), "r");
  });
  EXPECT_EQ(pending.Wait().request, "r");
}

TEST_F(PeerStreamTest, IsLeftWhenNothingIsAnsweredAnyMore) {
  OpenAndWait({.cluster = "", .reopen_pause = 0ms});
  std::vector<Pending> pending;
  for (int i = 0; i < PeerStream::kUnansweredMax; ++i) pending.push_back(Pass("r", In(1ms)));
  for (Pending& request : pending) {
    EXPECT_EQ(CodeOf(request.Wait().status), ErrorCode::kDeadlineExceeded);
  }
  EXPECT_FALSE(Takes());
  EXPECT_TRUE(stream_->ReplaceableAt(In(1ms)));
}

TEST_F(PeerStreamTest, IsNotLeftWhileSomethingIsAnswered) {
  OpenAndWait();
  for (int i = 0; i < 2 * PeerStream::kUnansweredMax; ++i) {
    Pass("late", In(1ms)).Wait();
    Pending answered = Pass("r");
    ReplyTo(number_, "here");
    EXPECT_EQ(answered.Wait().message, "here");
  }
  EXPECT_TRUE(Takes());
}

TEST_F(PeerStreamTest, APeerThatDoesNotKnowTheMethodIsNotAskedAgainSoon) {
  greets_ = false;
  Open();
  ASSERT_TRUE(Eventually([&] { return RunOn(loop(), [&] { return call_.has_value(); }); }));
  Finish(MakeError(ErrorCode::kUnimplemented, "unknown method"));
  ASSERT_TRUE(Eventually([&] { return RunOn(loop(), [&] { return stream_->over(); }); }));
  EXPECT_FALSE(stream_->ReplaceableAt(In(30s)));
  EXPECT_TRUE(stream_->ReplaceableAt(In(2min)));
}

TEST_F(PeerStreamTest, TakesNothingUntilThePeerHasGreetedIt) {
  greets_ = false;
  Open();
  ASSERT_TRUE(Eventually([&] { return RunOn(loop(), [&] { return call_.has_value(); }); }));
  EXPECT_FALSE(Takes());
}

TEST_F(PeerStreamTest, TakesNothingLargeAndNoMoreThanItsBound) {
  OpenAndWait();
  EXPECT_TRUE(Takes(PeerStream::kRequestBytesMax));
  EXPECT_FALSE(Takes(PeerStream::kRequestBytesMax + 1));
  std::vector<Pending> pending;
  for (size_t i = 0; i < PeerStream::kInFlightMax; ++i) {
    ASSERT_TRUE(Takes());
    pending.push_back(Pass("r"));
  }
  EXPECT_FALSE(Takes());
  ReplyTo(number_, "done");
  pending.back().Wait();
  EXPECT_TRUE(Takes());
}

// The server tells its clients to go (GOAWAY) when it stops, or when a connection has lived long
// enough; what is under way goes on.
TEST_F(PeerStreamTest, LeavesAConnectionThatIsToEnd) {
  ends_with_sender_ = false;
  OpenAndWait();
  Pending pending = Pass("r");
  ASSERT_TRUE(Eventually([&] { return received() == 1; }));
  std::thread drain([&] { server_->Drain(In(kPatience)); });
  ASSERT_TRUE(Eventually([&] { return !Takes(); }));
  EXPECT_TRUE(Eventually([&] { return RunOn(loop(), [&] { return sender_done_; }); }));
  ReplyTo(number_, "still answered");
  EXPECT_EQ(pending.Wait().message, "still answered");
  Finish(absl::OkStatus());
  drain.join();
}

TEST_F(PeerStreamTest, AnUnusedOneIsGivenUp) {
  Open({.cluster = "", .idle_max = 1ms, .reopen_pause = 0ms});
  ASSERT_TRUE(Eventually([&] { return RunOn(loop(), [&] { return sender_done_; }); }));
  ASSERT_TRUE(
      Eventually([&] { return RunOn(loop(), [&] { return stream_->ReplaceableAt(In(1ms)); }); }));
  EXPECT_FALSE(Takes());
}

TEST_F(PeerStreamTest, OneInUseIsNotGivenUp) {
  const PeerStream::Options options{.cluster = "", .idle_max = 1ms, .reopen_pause = 0ms};
  std::optional<Pending> pending;
  ASSERT_TRUE(Eventually([&] {
    return RunOn(loop(), [&] {
      if (stream_ == nullptr || stream_->ReplaceableAt(In(1ms))) {  // given up before it was used
        stream_ = PeerStream::Open(loop(), channel_, options);
      }
      if (stream_->Takes(1)) pending = PassOnLoop("r", In(50ms));
      return pending.has_value();
    });
  }));
  // Many times idle_max later, and not because the stream has ended.
  EXPECT_EQ(CodeOf(pending->Wait().status), ErrorCode::kDeadlineExceeded);
}

TEST_F(PeerStreamTest, WhatIsNoReplyEndsTheStream) {
  OpenAndWait();
  Pending pending = Pass("r");
  RunOn(loop(), [&] { call_->Send("\xff"); });
  EXPECT_EQ(pending.Wait().delivery, net::Delivery::kUndetermined);
  EXPECT_FALSE(Takes());
}

TEST_F(PeerStreamTest, KnowsItsChannelFromOneThatTookItsPlace) {
  Open();
  EXPECT_TRUE(stream_->IsOn(channel_));
  auto another = net::Channel::Create(loop(), address(), {});
  EXPECT_FALSE(stream_->IsOn(another));
  RunOn(loop(), [&] { another.reset(); });
}

}  // namespace
}  // namespace engram::server
