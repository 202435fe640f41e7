// Against servers that do not answer as they should; tests/integration/dns_test.cc has a real one.
#include "engram/cluster/dns_resolver.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <thread>

#include "engram/base/error.h"
#include "engram/net/udp_socket.h"

namespace engram::cluster {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Result = absl::StatusOr<std::vector<std::string>>;

// A name server that answers a query with what the test says; nullopt is silence.
class FakeServer {
 public:
  using Answer = std::function<std::optional<std::string>(std::string query)>;

  FakeServer(net::EventLoop& loop, const Answer& answer) {
    auto opened = net::UdpSocket::Open(
        loop, "127.0.0.1:0", {}, [this, answer](std::string_view query, const std::string& from) {
          ++queries;
          const std::optional<std::string> reply = answer(std::string(query));
          if (reply.has_value()) socket_->Send(from, *reply);
        });
    EXPECT_TRUE(opened.ok()) << opened.status();
    socket_ = *std::move(opened);
  }
  std::string address() const { return socket_->address(); }

  int queries = 0;

 private:
  std::unique_ptr<net::UdpSocket> socket_;
};

// The header of a query made that of an answer with `code` and `answers` records (RFC 1035, 4.1.1).
std::string Header(std::string query, int code, int answers) {
  query[2] = static_cast<char>(query[2] | 0x80);
  query[3] = static_cast<char>(0x80 | code);
  query[7] = static_cast<char>(answers);
  return query;
}

// The question repeated and one record that says "10.0.0.I", the question's own name by a pointer.
std::string OneAddress(const std::string& query, char last) {
  const bool asks_for_a = query[query.size() - 3] == 1;
  if (!asks_for_a) return Header(query, 0, 0);
  using namespace std::string_literals;
  return Header(query, 0, 1) + "\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x0a\0\0"s + last;
}

class DnsResolverTest : public ::testing::Test {
 protected:
  void Resolver(std::vector<std::string> servers, Duration limit = 20s) {
    resolver_ = std::make_unique<DnsResolver>(
        loop_, DnsOptions{.servers = std::move(servers), .limit = limit});
  }
  bool RunUntil(const std::function<bool()>& condition) {
    for (const TimePoint end = net::EventLoop::Now() + 60s; net::EventLoop::Now() < end;
         std::this_thread::yield()) {
      loop_.RunReady();
      if (condition()) return true;
    }
    return false;
  }
  Result Wait(std::optional<Result>& result) {
    EXPECT_TRUE(RunUntil([&] { return result.has_value(); }));
    return result.value_or(absl::UnknownError("no result"));
  }
  Result Host(const std::string& name) {
    std::optional<Result> result;
    resolver_->ResolveHost(name, 7000, [&](Result r) { result = std::move(r); });
    EXPECT_FALSE(result.has_value()) << "called back before the call returned";
    return Wait(result);
  }
  Result Service(const std::string& name) {
    std::optional<Result> result;
    resolver_->ResolveService(name, [&](Result r) { result = std::move(r); });
    EXPECT_FALSE(result.has_value()) << "called back before the call returned";
    return Wait(result);
  }

  net::EventLoop loop_;
  std::unique_ptr<DnsResolver> resolver_;
};

TEST_F(DnsResolverTest, GivesWhatAServerSays) {
  FakeServer server(loop_, [](const std::string& query) { return OneAddress(query, 7); });
  Resolver({server.address()});
  const Result result = Host("a.test");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(*result, ElementsAre("10.0.0.7:7000"));
  EXPECT_EQ(resolver_->under_way(), 0u);
}

TEST_F(DnsResolverTest, TellsASilentServerFromANameThatIsNone) {
  FakeServer silent(loop_, [](const std::string&) { return std::nullopt; });
  Resolver({silent.address()}, 100ms);
  const Result unanswered = Host("a.test");
  EXPECT_EQ(CodeOf(unanswered.status()), ErrorCode::kConnectionFailed);
  EXPECT_THAT(std::string(unanswered.status().message()),
              HasSubstr("no DNS server answers for a.test"));
  EXPECT_EQ(CodeOf(Service("_a._tcp.test").status()), ErrorCode::kConnectionFailed);

  FakeServer knows_none(loop_, [](const std::string& query) { return Header(query, 3, 0); });
  Resolver({knows_none.address()});
  for (const Result& none : {Host("a.test"), Service("_a._tcp.test")}) {
    EXPECT_EQ(CodeOf(none.status()), ErrorCode::kInvalidEndpoint);
    EXPECT_THAT(std::string(none.status().message()), HasSubstr("DNS knows no "));
  }
}

TEST_F(DnsResolverTest, AsksTheNextServerIfOneIsSilentOrRefuses) {
  FakeServer refuses(loop_, [](const std::string& query) { return Header(query, 5, 0); });
  FakeServer silent(loop_, [](const std::string&) { return std::nullopt; });
  FakeServer server(loop_, [](const std::string& query) { return OneAddress(query, 7); });
  Resolver({refuses.address(), silent.address(), server.address()});
  const Result result = Host("a.test");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(*result, ElementsAre("10.0.0.7:7000"));
  EXPECT_GT(silent.queries, 0);
}

TEST_F(DnsResolverTest, SaysThatAServerRefuses) {
  FakeServer refuses(loop_, [](const std::string& query) { return Header(query, 5, 0); });
  Resolver({refuses.address()});
  for (const Result& refused : {Host("a.test"), Service("_a._tcp.test")}) {
    EXPECT_EQ(CodeOf(refused.status()), ErrorCode::kConnectionFailed);
    EXPECT_THAT(std::string(refused.status().message()),
                HasSubstr("they refuse, or cannot be reached"));
  }
}

TEST_F(DnsResolverTest, SaysThatNobodyListensThere) {
  std::string nobody;
  {
    FakeServer gone(loop_, [](const std::string&) { return std::nullopt; });
    nobody = gone.address();
  }
  Resolver({nobody});
  EXPECT_EQ(CodeOf(Host("a.test").status()), ErrorCode::kConnectionFailed);
}

TEST_F(DnsResolverTest, GarbageIsNoAnswer) {
  FakeServer garbage(loop_, [](const std::string&) { return std::string(40, '\xa5'); });
  Resolver({garbage.address()}, 100ms);
  EXPECT_EQ(CodeOf(Host("a.test").status()), ErrorCode::kConnectionFailed);
  EXPECT_EQ(CodeOf(Service("_a._tcp.test").status()), ErrorCode::kConnectionFailed);
  EXPECT_GT(garbage.queries, 0);
}

TEST_F(DnsResolverTest, AnAnswerThatBreaksOffIsMalformed) {
  FakeServer broken(loop_, [](const std::string& query) { return Header(query, 0, 3) + "\xc0"; });
  Resolver({broken.address()});
  for (const Result& malformed : {Host("a.test"), Service("_a._tcp.test")}) {
    EXPECT_EQ(CodeOf(malformed.status()), ErrorCode::kInternal) << malformed.status();
    EXPECT_THAT(std::string(malformed.status().message()), HasSubstr("cannot be read"));
  }
}

TEST_F(DnsResolverTest, AskingForNothingIsRefused) {
  Resolver({"127.0.0.1:9"});
  const std::string too_long(300, 'a');
  for (const Result& bad : {Host(too_long), Service(too_long)}) {
    EXPECT_EQ(CodeOf(bad.status()), ErrorCode::kInvalidEndpoint) << bad.status();
  }
}

TEST_F(DnsResolverTest, IsNotCalledBackOnceItIsDestroyed) {
  FakeServer server(loop_, [](const std::string&) { return std::nullopt; });
  Resolver({server.address()});
  bool called = false;
  resolver_->ResolveHost("a.test", 1, [&](const Result&) { called = true; });
  resolver_->ResolveService("_a._tcp.test", [&](const Result&) { called = true; });
  ASSERT_TRUE(RunUntil([&] { return server.queries >= 3; }));
  resolver_.reset();
  loop_.RunReady();
  EXPECT_FALSE(called);
}

TEST_F(DnsResolverTest, MayBeDestroyedByWhatItCalls) {
  FakeServer server(loop_, [](const std::string& query) { return OneAddress(query, 7); });
  Resolver({server.address()});
  resolver_->ResolveHost("a.test", 1, [&](const Result&) { resolver_.reset(); });
  EXPECT_TRUE(RunUntil([&] { return resolver_ == nullptr; }));
}

TEST_F(DnsResolverTest, TheLoopMayEndWhileItAsks) {
  auto loop = std::make_unique<net::EventLoop>();
  FakeServer silent(loop_, [](const std::string&) { return std::nullopt; });
  auto resolver = std::make_unique<DnsResolver>(*loop, DnsOptions{.servers = {silent.address()}});
  resolver->ResolveHost("a.test", 1, [](const Result&) {});
  loop->RunReady();
  resolver.reset();
  loop.reset();
}

TEST_F(DnsResolverTest, AnswersManyAtOnce) {
  FakeServer server(loop_, [](const std::string& query) { return OneAddress(query, 7); });
  Resolver({server.address()});
  int answered = 0;
  for (int i = 0; i < 50; ++i) {
    resolver_->ResolveHost(fmt::format("a{}.test", i), 1, [&](const Result& result) {
      EXPECT_TRUE(result.ok()) << result.status();
      ++answered;
    });
  }
  EXPECT_TRUE(RunUntil([&] { return answered == 50; }));
}

TEST(SortServices, ByPriorityThenTheHeavierFirst) {
  std::vector<ServiceRecord> records = {
      {20, 100, "late", 1}, {10, 5, "light", 1}, {10, 60, "heavy", 2}, {10, 60, "heavy", 1}};
  SortServices(records);
  EXPECT_EQ(
      records,
      (std::vector<ServiceRecord>{
          {10, 60, "heavy", 1}, {10, 60, "heavy", 2}, {10, 5, "light", 1}, {20, 100, "late", 1}}));
}

TEST(CheckDnsServer, TakesAddressesOnly) {
  for (const char* server : {"10.0.0.1", "10.0.0.1:5353", "fd00::1", "[fd00::1]:53"}) {
    EXPECT_TRUE(CheckDnsServer(server).ok()) << server;
  }
  for (const char* server : {"", "dns.example.org", "10.0.0.1:0", "10.0.0.256", "a:53"}) {
    EXPECT_EQ(DetailOf(CheckDnsServer(server)).field, "dns-servers") << server;
  }
}

}  // namespace
}  // namespace engram::cluster
