// TLS between server and channel: who is let in, who is not, and that files may change.
#include "engram/net/tls.h"

#include <gmock/gmock.h>
#include <openssl/ssl.h>

#include <fstream>

#include "engram/base/error.h"
#include "engram/net/testing/fixture.h"
#include "engram/net/testing/raw_peer.h"
#include "engram/net/testing/test_ca.h"

namespace engram::net {
namespace {

using testing::Eventually;
using ::testing::HasSubstr;
using testing::RunOn;
using testing::TestCa;
using Side = TlsContext::Side;

std::shared_ptr<TlsContext> Make(Side side, const TlsOptions& options) {
  auto context = TlsContext::Create(side, options);
  EXPECT_TRUE(context.ok()) << std::string(context.status().message());
  return *context;
}

std::string Reason(const absl::Status& status) { return std::string(status.message()); }

class TlsTest : public testing::NetTest {
 protected:
  void Serve(const TlsOptions& tls) {
    ServerOptions options;
    options.tls = Make(Side::kServer, tls);
    StartServer(options);
  }
  void ServeOneWay() { Serve(ca_.Issue("server")); }
  void ServeMutual() {
    TlsOptions tls = ca_.Issue("server");
    tls.ca_file = ca_.ca_file();
    Serve(tls);
  }
  // A call over a new channel.
  CallResult CallWith(const TlsOptions& tls, const std::string& request = "hello") {
    if (channel_ != nullptr) RunOn(loop(), [&] { channel_.reset(); });
    ChannelOptions options;
    options.tls = Make(Side::kChannel, tls);
    UseChannel(address(), options);
    return Call(testing::kUnary, request);
  }
  TlsOptions Trusting(const TestCa& ca) {
    TlsOptions tls;
    tls.ca_file = ca.ca_file();
    return tls;
  }
  TlsOptions Showing(TlsOptions certificate) {
    certificate.ca_file = ca_.ca_file();
    return certificate;
  }

  TestCa ca_;
  TestCa other_ca_;
};

TEST_F(TlsTest, CallsGoThrough) {
  ServeOneWay();
  EXPECT_EQ(CallWith(Trusting(ca_)).message, "hello");
  for (int i = 0; i < 100; ++i) EXPECT_EQ(Call(testing::kUnary, "again").message, "again");
  EXPECT_EQ(Count(&Counters::connections_accepted), 1u);
}

TEST_F(TlsTest, LargeMessagesGoThroughBothWays) {
  ServeOneWay();
  const std::string large(3u << 20, 'x');
  EXPECT_EQ(CallWith(Trusting(ca_), large).message, large);
  std::vector<testing::PendingCall> calls;
  for (int i = 0; i < 10; ++i) calls.push_back(Begin(testing::kUnary, large));
  for (auto& call : calls) EXPECT_EQ(call.Wait().message, large);
}

TEST_F(TlsTest, ServerOfAnotherCaIsRefused) {
  ServeOneWay();
  const CallResult result = CallWith(Trusting(other_ca_));
  EXPECT_EQ(CodeOf(result.status), ErrorCode::kConnectionFailed);
  EXPECT_EQ(result.delivery, Delivery::kNotSent);
  EXPECT_THAT(Reason(result.status), HasSubstr("certificate is refused"));
}

TEST_F(TlsTest, CertificateForAnotherHostIsRefusedUnlessExpected) {
  Serve(ca_.Issue("server", "DNS:engram.example"));
  EXPECT_THAT(Reason(CallWith(Trusting(ca_)).status), HasSubstr("IP address mismatch"));
  TlsOptions tls = Trusting(ca_);
  tls.expected_name = "engram.example";
  EXPECT_EQ(CallWith(tls).message, "hello");
}

TEST_F(TlsTest, MutualTlsLetsInOnlyClientsOfItsCa) {
  ServeMutual();
  EXPECT_EQ(CallWith(Showing(ca_.Issue("client"))).message, "hello");
  const CallResult without = CallWith(Trusting(ca_));
  EXPECT_EQ(without.delivery, Delivery::kNotSent);
  EXPECT_THAT(Reason(without.status), HasSubstr("certificate required"));
  EXPECT_EQ(CallWith(Showing(other_ca_.Issue("client"))).delivery, Delivery::kNotSent);
  EXPECT_EQ(Count(&Counters::tls_handshakes_failed), 2u);
}

TEST_F(TlsTest, PlainClientIsTurnedAway) {
  ServeOneWay();
  UseChannel(address());
  const CallResult result = Call(testing::kUnary, "x");
  EXPECT_EQ(result.delivery, Delivery::kNotSent);
  EXPECT_TRUE(WasNotUnderstood(result.status)) << Reason(result.status);
  EXPECT_EQ(CallWith(Trusting(ca_)).message, "hello");
}

TEST_F(TlsTest, PlainServerIsNamedAsSuch) {
  StartServer();
  const CallResult result = CallWith(Trusting(ca_));
  EXPECT_EQ(result.delivery, Delivery::kNotSent);
  EXPECT_EQ(CodeOf(result.status), ErrorCode::kConnectionFailed);
  EXPECT_TRUE(WasNotUnderstood(result.status)) << Reason(result.status);
}

TEST_F(TlsTest, NobodyThereIsNotTakenForAMisunderstanding) {
  UseChannel("127.0.0.1:1");
  EXPECT_FALSE(WasNotUnderstood(Call(testing::kUnary, "x").status));
}

TEST_F(TlsTest, StalledHandshakeIsEnded) {
  ServerOptions options;
  options.tls = Make(Side::kServer, ca_.Issue("server"));
  options.preface_timeout = std::chrono::milliseconds(30);
  StartServer(options);
  testing::RawPeer peer(server_->port());
  peer.Send("\x16\x03\x01");  // a record of a handshake begins
  EXPECT_TRUE(peer.SeesEnd());
  EXPECT_EQ(Count(&Counters::connections_unfinished), 1u);
  EXPECT_LE(Count(&Counters::socket_reads), 10u);  // it waited for the rest, and did not ask for it
}

TEST_F(TlsTest, NoNameIsNotAnyName) {
  ServeOneWay();
  TlsOptions tls = Trusting(ca_);
  tls.expected_name = ".example";
  EXPECT_THAT(Reason(CallWith(tls).status), HasSubstr("no name that a certificate can be for"));
}

TEST_F(TlsTest, NewFilesServeNewConnectionsAndOldConnectionsGoOn) {
  ServeOneWay();
  EXPECT_EQ(CallWith(Trusting(ca_)).message, "hello");
  const std::shared_ptr<Channel> old = std::exchange(channel_, nullptr);

  const TlsOptions was = ca_.Issue("server");
  const TlsOptions fresh = other_ca_.Issue("server");
  std::filesystem::copy_file(fresh.certificate_file, was.certificate_file,
                             std::filesystem::copy_options::overwrite_existing);
  std::filesystem::copy_file(fresh.key_file, was.key_file,
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_TRUE(Eventually([&] { return CallWith(Trusting(other_ca_)).status.ok(); }));

  RunOn(loop(), [&] { channel_ = old; });
  EXPECT_EQ(Call(testing::kUnary, "still there").message, "still there");
}

TEST(TlsContext, KeepsWhatItHasUntilNewFilesFit) {
  TestCa ca;
  std::vector<absl::Status> reloads;
  TlsOptions options = ca.Issue("server");
  options.on_reload = [&](const absl::Status& status) { reloads.push_back(status); };
  const auto context = Make(Side::kServer, options);
  TimePoint now = EventLoop::Now();
  const auto session_begins = [&] {
    now += std::chrono::seconds(2);
    ssl_st* session = context->NewSession(now);
    EXPECT_NE(session, nullptr);
    SSL_free(session);
  };
  session_begins();
  EXPECT_TRUE(reloads.empty());
  std::ofstream(options.certificate_file) << "no certificate";
  session_begins();
  session_begins();
  ASSERT_EQ(reloads.size(), 1u);
  EXPECT_THAT(Reason(reloads[0]), HasSubstr(options.certificate_file));
  ca.Issue("server");
  session_begins();
  ASSERT_EQ(reloads.size(), 2u);
  EXPECT_TRUE(reloads[1].ok());
}

TEST(TlsContext, SaysWhichFileIsWrong) {
  TestCa ca;
  const auto refusal = [](const TlsOptions& options, Side side = Side::kServer) {
    return Reason(TlsContext::Create(side, options).status());
  };
  TlsOptions good = ca.Issue("a");
  TlsOptions options = good;
  options.certificate_file = "/nowhere.pem";
  EXPECT_EQ(refusal(options), "tls-cert: cannot use /nowhere.pem: No such file or directory");
  options = good;
  options.key_file = ca.Issue("b").key_file;
  EXPECT_THAT(refusal(options), HasSubstr("key values mismatch"));
  options = good;
  options.key_file = "";
  EXPECT_THAT(refusal(options), HasSubstr("must be given together"));
  options = good;
  options.ca_file = good.key_file;
  EXPECT_THAT(refusal(options), HasSubstr("tls-ca: cannot use"));
  options.ca_key = "tls-client-ca";
  EXPECT_THAT(refusal(options), HasSubstr("tls-client-ca: cannot use"));
  EXPECT_THAT(refusal({}), HasSubstr("needs tls-cert"));
  EXPECT_TRUE(TlsContext::Create(Side::kChannel, {}).ok());
}

}  // namespace
}  // namespace engram::net
