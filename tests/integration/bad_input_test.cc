// Bad input gets INVALID_ARGUMENT naming the field and the limit; nothing is stored (SPEC §8).
// Direct and over one hop.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <future>
#include <limits>

#include "engram/base/error.h"
#include "engram/net/channel.h"
#include "engram/net/event_loop.h"
#include "support/cluster.h"

namespace engram::testing {
namespace {

using ::testing::HasSubstr;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// Sends bytes that no client library would.
class RawClient {
 public:
  explicit RawClient(const std::string& address)
      : channel_(net::Channel::Create(loop_, address, {})) {
    loop_.Start();
  }
  ~RawClient() {
    std::promise<void> closed;
    loop_.Post([&] {
      channel_->Close();
      channel_.reset();
      closed.set_value();
    });
    closed.get_future().wait();
    loop_.Stop();
  }

  absl::Status Call(const std::string& method, std::string body, net::Metadata metadata = {}) {
    std::promise<absl::Status> promise;
    loop_.Post([&] {
      net::CallOptions options{std::chrono::steady_clock::now() + std::chrono::seconds(30),
                               std::move(metadata)};
      channel_->Unary(method, std::move(options), std::move(body),
                      [&](const net::CallResult& result) { promise.set_value(result.status); });
    });
    return promise.get_future().get();
  }

 private:
  net::EventLoop loop_;
  std::shared_ptr<net::Channel> channel_;
};

// The parameter: through which node the bad request comes; node 0 owns the space.
class BadInput : public ::testing::TestWithParam<int> {
 protected:
  BadInput()
      : cluster_(TwoNodes()), client_(cluster_.Client({GetParam()})), space_(cluster_.SpaceOn(0)) {
    v1::StoreRequest first = Good();
    first.set_id("first");
    for (int i = 0; i < 3; ++i) first.add_embedding(1.0f);
    EXPECT_TRUE(client_->Store(first).ok());
  }
  void TearDown() override {
    auto spaces = client_->ListSpaces({});
    ASSERT_TRUE(spaces.ok());
    ASSERT_EQ(spaces->message.spaces_size(), 1) << "a bad request has made a space";
    EXPECT_EQ(spaces->message.spaces(0).memories(), 1u) << "a bad request has stored something";
  }
  static TestClusterOptions TwoNodes() {
    TestClusterOptions options;
    options.nodes = 2;
    return options;
  }
  v1::StoreRequest Good() const {
    v1::StoreRequest request;
    request.set_space(space_);
    request.set_content("good");
    return request;
  }
  void ExpectRefused(const v1::StoreRequest& request, const std::string& field,
                     const std::string& message) {
    absl::Status status = client_->Store(request).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_EQ(DetailOf(status).field, field) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
  }

  TestCluster cluster_;
  std::unique_ptr<client::Client> client_;
  std::string space_;
};

INSTANTIATE_TEST_SUITE_P(Through, BadInput, ::testing::Values(0, 1),
                         [](const auto& p) { return p.param == 0 ? "Owner" : "AnotherNode"; });

TEST_P(BadInput, ASpaceNameOutsideItsAlphabet) {
  v1::StoreRequest request = Good();
  request.set_space("Not A Space");
  ExpectRefused(request, "space", "[a-z0-9._-]");
  request.set_space("");
  ExpectRefused(request, "space", "must not be empty");
  request.set_space(std::string(129, 'a'));
  ExpectRefused(request, "space", "128");
}

TEST_P(BadInput, EmptyContent) {
  v1::StoreRequest request = Good();
  request.clear_content();
  ExpectRefused(request, "content", "empty");
}

TEST_P(BadInput, ABadId) {
  v1::StoreRequest request = Good();
  request.set_id("a/b");
  ExpectRefused(request, "id", "[A-Za-z0-9._:-]");
}

TEST_P(BadInput, AnEmbeddingThatIsNotANumberOrOfAnotherDimension) {
  v1::StoreRequest request = Good();
  for (float x : {1.0f, kNaN, 2.0f}) request.add_embedding(x);
  ExpectRefused(request, "embedding", "finite");
  request.clear_embedding();
  for (float x : {1.0f, 2.0f}) request.add_embedding(x);
  ExpectRefused(request, "embedding", "takes 3");
  request.clear_embedding();
  for (int i = 0; i < 3; ++i) request.add_embedding(0.0f);
  ExpectRefused(request, "embedding", "zero");
}

TEST_P(BadInput, TooMuchMetadata) {
  v1::StoreRequest request = Good();
  (*request.mutable_metadata())["k"] = std::string(8'192, 'v');
  ExpectRefused(request, "metadata", "8192");
}

TEST_P(BadInput, AConfidenceOutOfRange) {
  v1::StoreRequest request = Good();
  request.set_confidence(1.5);
  ExpectRefused(request, "confidence", "1");
  request.set_confidence(std::nan(""));
  ExpectRefused(request, "confidence", "1");
}

TEST_P(BadInput, AnUnknownIdIsNotFound) {
  v1::GetRequest get;
  get.set_space(space_);
  get.set_id("nobody");
  EXPECT_EQ(CodeOf(client_->Get(get).status()), ErrorCode::kNotFound);
  v1::ForgetRequest forget;
  forget.set_space(space_);
  forget.set_id("nobody");
  EXPECT_EQ(CodeOf(client_->Forget(forget).status()), ErrorCode::kNotFound);
  v1::LinkRequest link;
  link.set_space(space_);
  link.set_from("first");
  link.set_to("nobody");
  EXPECT_EQ(CodeOf(client_->Link(link).status()), ErrorCode::kNotFound);
}

TEST_P(BadInput, ABadRecall) {
  v1::RecallRequest request;
  request.set_space(space_);
  EXPECT_EQ(CodeOf(client_->Recall(request).status()), ErrorCode::kInvalidArgument);
  request.set_query("good");
  request.set_limit(1'001);
  absl::Status status = client_->Recall(request).status();
  EXPECT_EQ(DetailOf(status).field, "limit");
  EXPECT_THAT(std::string(status.message()), HasSubstr("1000"));
}

TEST_P(BadInput, AMessageThatIsTooLarge) {
  v1::StoreRequest request = Good();
  request.set_content(std::string((4u << 20) + 1, 'x'));
  absl::Status status = client_->Store(request).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("4194304"));
  v1::GetRequest get;
  get.set_space(space_);
  get.set_id("first");
  EXPECT_TRUE(client_->Get(get).ok()) << "others are still served on the same connection";
}

TEST_P(BadInput, BytesThatAreNoMessage) {
  RawClient raw(cluster_.Address(GetParam()));
  std::string good = Good().SerializeAsString();
  absl::Status cut = raw.Call("/engram.v1.MemoryService/Store", good.substr(0, good.size() - 1));
  EXPECT_EQ(cut.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(cut.message()), HasSubstr("cut off"));
  EXPECT_EQ(raw.Call("/engram.v1.MemoryService/Store", "\xff\xff\xff").code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(raw.Call("/engram.v1.MemoryService/Store", "").code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_P(BadInput, TextThatIsNoUtf8) {
  RawClient raw(cluster_.Address(GetParam()));
  std::string bytes = Good().SerializeAsString();
  bytes.replace(bytes.find("good"), 4, "\xff\xfe\xff\xfe");
  absl::Status status = raw.Call("/engram.v1.MemoryService/Store", bytes);
  EXPECT_EQ(DetailOf(status).field, "content") << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("content is not valid UTF-8"));
}

TEST_P(BadInput, AFieldThatThisVersionDoesNotKnow) {
  RawClient raw(cluster_.Address(GetParam()));
  v1::StoreRequest request = Good();
  request.GetReflection()->MutableUnknownFields(&request)->AddVarint(99, 1);
  absl::Status status = raw.Call("/engram.v1.MemoryService/Store", request.SerializeAsString());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no field number 99"));
}

TEST_P(BadInput, ARequestIdThatIsNone) {
  RawClient raw(cluster_.Address(GetParam()));
  net::Metadata metadata;
  metadata.Add("engram-request-id", "twelve");
  absl::Status status =
      raw.Call("/engram.v1.MemoryService/Store", Good().SerializeAsString(), metadata);
  EXPECT_EQ(DetailOf(status).field, "engram-request-id");
}

TEST_P(BadInput, AnUnknownMethod) {
  RawClient raw(cluster_.Address(GetParam()));
  EXPECT_EQ(raw.Call("/engram.v1.MemoryService/Storr", "").code(),
            absl::StatusCode::kUnimplemented);
}

TEST_P(BadInput, APeerOfAnotherClusterOrWithAnotherSpaceInItsBytes) {
  RawClient raw(cluster_.Address(0));
  net::Metadata metadata;
  metadata.Add("engram-space", space_);
  metadata.Add("engram-request-id", "01ARZ3NDEKTSV4RRFFQ69G5FAV");
  std::string method = "/engram.peer.v1.PeerService/Get";
  v1::GetRequest get;
  get.set_space("another");
  get.set_id("first");
  EXPECT_THAT(std::string(raw.Call(method, get.SerializeAsString(), metadata).message()),
              HasSubstr("cluster"));
  metadata.Add("engram-cluster", cluster_.ClusterId());
  EXPECT_THAT(std::string(raw.Call(method, get.SerializeAsString(), metadata).message()),
              HasSubstr("names space 'another' but was routed by '" + space_ + "'"));
}

}  // namespace
}  // namespace engram::testing
