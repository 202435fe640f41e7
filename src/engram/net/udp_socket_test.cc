// Real sockets on loopback. The loops are not started: a test plays their thread, and what one
// socket sends on loopback has arrived when Send() returns.
#include "engram/net/udp_socket.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/udp.hpp>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "engram/base/error.h"
#include "engram/net/testing/fixture.h"

namespace engram::net {
namespace {

using namespace std::chrono_literals;
using Udp = boost::asio::ip::udp;
using ::testing::Test;

constexpr char kLoopback[] = "127.0.0.1:0";
constexpr char kLoopbackV6[] = "[::1]:0";

// A socket that remembers what came.
class Peer {
 public:
  Peer(EventLoop& loop, const std::string& address, const UdpOptions& options = {}) {
    auto opened =
        UdpSocket::Open(loop, address, options, [this](std::string_view bytes, const auto& from) {
          received.emplace_back(bytes);
          senders.push_back(from);
          if (then) then();
        });
    EXPECT_TRUE(opened.ok()) << opened.status();
    if (opened.ok()) socket = *std::move(opened);
  }
  std::string address() const { return socket->address(); }
  const UdpCounters& counters() const { return socket->counters(); }

  std::vector<std::string> received;
  std::vector<std::string> senders;
  std::function<void()> then;
  std::unique_ptr<UdpSocket> socket;
};

bool HasIpv6() {
  boost::asio::io_context context;
  Udp::socket socket(context);
  boost::system::error_code error;
  socket.open(Udp::v6(), error);
  if (!error) socket.bind({boost::asio::ip::address_v6::loopback(), 0}, error);
  return !error;
}

class UdpSocketTest : public Test {
 protected:
  // Lets the loop work until it is true.
  bool RunUntil(const std::function<bool()>& condition) {
    return testing::Eventually([&] {
      loop_.RunReady();
      return condition();
    });
  }

  EventLoop loop_;
};

std::vector<std::string> Numbers(int count) {
  std::vector<std::string> numbers;
  for (int i = 0; i < count; ++i) numbers.push_back(std::to_string(i));
  return numbers;
}

TEST_F(UdpSocketTest, HandsOverWhatCameAndFromWhom) {
  Peer a(loop_, kLoopback);
  Peer b(loop_, kLoopback);
  a.socket->Send(b.address(), "hello");
  ASSERT_TRUE(RunUntil([&] { return !b.received.empty(); }));
  EXPECT_EQ(b.received, std::vector<std::string>{"hello"});
  EXPECT_EQ(b.senders, std::vector<std::string>{a.address()});
}

TEST_F(UdpSocketTest, AnswersGoToWhereADatagramCameFrom) {
  Peer a(loop_, kLoopback);
  Peer b(loop_, kLoopback);
  b.then = [&] { b.socket->Send(b.senders.back(), "well, thank you"); };
  a.socket->Send(b.address(), "how are you?");
  ASSERT_TRUE(RunUntil([&] { return !a.received.empty(); }));
  EXPECT_EQ(a.received.back(), "well, thank you");
}

TEST_F(UdpSocketTest, KeepsTheOrderOfABurst) {
  Peer a(loop_, kLoopback);
  Peer b(loop_, kLoopback);
  const std::vector<std::string> burst = Numbers(100);
  for (const std::string& bytes : burst) a.socket->Send(b.address(), bytes);
  ASSERT_TRUE(RunUntil([&] { return b.received.size() >= burst.size(); }));
  EXPECT_EQ(b.received, burst);
}

TEST_F(UdpSocketTest, ReceivesAllThatWaitsInOneWakeUp) {
  Peer a(loop_, kLoopback);
  Peer b(loop_, kLoopback);
  loop_.RunReady();
  for (const std::string& bytes : Numbers(100)) a.socket->Send(b.address(), bytes);
  size_t at_next_task = 0;
  b.then = [&] {
    if (b.received.size() == 1) loop_.Post([&] { at_next_task = b.received.size(); });
  };
  ASSERT_TRUE(RunUntil([&] { return at_next_task > 0; }));
  EXPECT_EQ(at_next_task, 100u);
}

TEST_F(UdpSocketTest, LetsTimersRunWhileDatagramsKeepComing) {
  Peer a(loop_, kLoopback);
  a.then = [&] { a.socket->Send(a.address(), "again"); };
  a.socket->Send(a.address(), "first");
  bool fired = false;
  EventLoop::Timer timer(loop_);
  timer.RunAt(EventLoop::Now(), [&] {
    fired = true;
    a.then = nullptr;
  });
  EXPECT_TRUE(RunUntil([&] { return fired && a.then == nullptr; }));
}

TEST_F(UdpSocketTest, DrainsBeforeATimerThatIsDue) {
  Peer a(loop_, kLoopback);
  Peer b(loop_, kLoopback);
  for (const std::string& bytes : Numbers(50)) a.socket->Send(b.address(), bytes);
  EXPECT_TRUE(b.received.empty());
  b.socket->DrainNow();
  EXPECT_EQ(b.received, Numbers(50));
}

TEST_F(UdpSocketTest, DrainingWithinTheHandlerKeepsTheOrder) {
  Peer a(loop_, kLoopback);
  Peer b(loop_, kLoopback);
  b.then = [&] { b.socket->DrainNow(); };
  for (const std::string& bytes : Numbers(20)) a.socket->Send(b.address(), bytes);
  b.socket->DrainNow();
  EXPECT_EQ(b.received, Numbers(20));
}

TEST_F(UdpSocketTest, CarriesEmptyAndLargestDatagrams) {
  Peer a(loop_, kLoopback);
  Peer b(loop_, kLoopback);
  const std::string largest(UdpOptions().datagram_bytes_max, 'x');
  a.socket->Send(b.address(), "");
  a.socket->Send(b.address(), largest);
  b.socket->DrainNow();
  EXPECT_EQ(b.received, (std::vector<std::string>{"", largest}));
  EXPECT_EQ(b.counters().received_bytes.value(), largest.size());
}

TEST_F(UdpSocketTest, CountsAndSkipsWhatIsTooLargeToTake) {
  Peer a(loop_, kLoopback, {.datagram_bytes_max = 65507});
  Peer b(loop_, kLoopback);
  a.socket->Send(b.address(), std::string(1401, 'x'));
  a.socket->Send(b.address(), std::string(65507, 'x'));
  a.socket->Send(b.address(), "small");
  b.socket->DrainNow();
  EXPECT_EQ(b.received, std::vector<std::string>{"small"});
  EXPECT_EQ(b.counters().received_too_large.value(), 2u);
  EXPECT_EQ(b.counters().received.value(), 1u);
}

TEST_F(UdpSocketTest, DoesNotSendWhatIsTooLarge) {
  Peer a(loop_, kLoopback);
  a.socket->Send(a.address(), std::string(1401, 'x'));
  Peer jumbo(loop_, kLoopback, {.datagram_bytes_max = 1u << 20});
  jumbo.socket->Send(a.address(), std::string(65508, 'x'));  // what UDP cannot carry
  EXPECT_EQ(a.counters().dropped_too_large.value(), 1u);
  EXPECT_EQ(jumbo.counters().dropped_too_large.value(), 1u);
  EXPECT_EQ(a.counters().sent.value() + jumbo.counters().sent.value(), 0u);
}

TEST_F(UdpSocketTest, GoesOnWhenNobodyListensThere) {
  Peer a(loop_, kLoopback);
  Peer b(loop_, kLoopback);
  std::string nobody;
  {
    Peer gone(loop_, kLoopback);
    nobody = gone.address();
  }
  for (int i = 0; i < 10; ++i) a.socket->Send(nobody, "anybody?");
  b.socket->Send(a.address(), "I am");
  a.socket->Send(b.address(), "you are");
  ASSERT_TRUE(RunUntil([&] { return !a.received.empty() && !b.received.empty(); }));
  EXPECT_EQ(a.received.back(), "I am");
  EXPECT_EQ(b.received.back(), "you are");
}

TEST_F(UdpSocketTest, CountsWhatHasNoWayOut) {
  Peer a(loop_, kLoopback);
  a.socket->Send("255.255.255.255:9", "to all");  // needs leave that it does not ask for
  a.socket->Send("[::1]:9", "to another family");
  EXPECT_EQ(a.counters().dropped_unreachable.value(), 2u);
  EXPECT_EQ(a.counters().sent.value(), 0u);
}

TEST_F(UdpSocketTest, CountsAddressesThatAreNone) {
  Peer a(loop_, kLoopback);
  for (const char* bad : {"", "127.0.0.1", "127.0.0.1:0", ":5", "::1:5", "host:port", "[]:1"}) {
    a.socket->Send(bad, "x");
  }
  EXPECT_EQ(a.counters().dropped_bad_address.value(), 7u);
}

TEST_F(UdpSocketTest, FindsNames) {
  Peer a(loop_, kLoopback);
  Peer b(loop_, kLoopback);
  const std::string by_name = fmt::format("localhost:{}", b.socket->port());
  a.socket->Send(by_name, "waits");
  ASSERT_TRUE(RunUntil([&] { return !b.received.empty(); }));
  a.socket->Send(by_name, "goes at once");
  b.socket->DrainNow();
  EXPECT_EQ(b.received, (std::vector<std::string>{"waits", "goes at once"}));
  EXPECT_EQ(a.counters().names_resolved.value(), 1u);
}

TEST_F(UdpSocketTest, KeepsAFewDatagramsForANameAndInOrder) {
  Peer a(loop_, kLoopback);
  Peer b(loop_, kLoopback);
  const std::string by_name = fmt::format("localhost:{}", b.socket->port());
  for (const std::string& bytes : Numbers(10)) a.socket->Send(by_name, bytes);
  ASSERT_TRUE(RunUntil([&] { return b.received.size() >= 4; }));
  EXPECT_EQ(b.received, Numbers(4));
  EXPECT_EQ(a.counters().dropped_unresolved.value(), 6u);
}

TEST_F(UdpSocketTest, CountsNamesThatAreNone) {
  Peer a(loop_, kLoopback);
  a.socket->Send("no_such_name..:7946", "x");
  ASSERT_TRUE(RunUntil([&] { return a.counters().names_failed.value() == 1; }));
  EXPECT_EQ(a.counters().dropped_unresolved.value(), 1u);
}

TEST_F(UdpSocketTest, SpeaksIpv6) {
  if (!HasIpv6()) GTEST_SKIP() << "this machine has no IPv6";
  Peer a(loop_, kLoopbackV6);
  Peer b(loop_, kLoopbackV6);
  a.socket->Send(b.address(), "six");
  ASSERT_TRUE(RunUntil([&] { return !b.received.empty(); }));
  EXPECT_EQ(b.senders.back(), fmt::format("[::1]:{}", a.socket->port()));
}

TEST_F(UdpSocketTest, OneSocketTakesBothFamilies) {
  if (!HasIpv6()) GTEST_SKIP() << "this machine has no IPv6";
  Peer both(loop_, "[::]:0");
  Peer four(loop_, kLoopback);
  Peer six(loop_, kLoopbackV6);
  four.socket->Send(fmt::format("127.0.0.1:{}", both.socket->port()), "four");
  six.socket->Send(fmt::format("[::1]:{}", both.socket->port()), "six");
  both.socket->DrainNow();
  ASSERT_EQ(both.senders, (std::vector<std::string>{four.address(), six.address()}));
  for (const std::string& sender : both.senders) both.socket->Send(sender, "to " + sender);
  four.socket->DrainNow();
  six.socket->DrainNow();
  EXPECT_EQ(four.received, std::vector<std::string>{"to " + four.address()});
  EXPECT_EQ(six.received, std::vector<std::string>{"to " + six.address()});
}

TEST_F(UdpSocketTest, MayBeClosedWithinItsHandler) {
  Peer a(loop_, kLoopback);
  Peer b(loop_, kLoopback);
  b.then = [&] { b.socket.reset(); };
  for (int i = 0; i < 5; ++i) a.socket->Send(b.address(), "x");
  ASSERT_TRUE(RunUntil([&] { return b.socket == nullptr; }));
  loop_.RunReady();
  EXPECT_EQ(b.received.size(), 1u);
}

TEST_F(UdpSocketTest, HandsNothingOverAfterItWasClosed) {
  Peer a(loop_, kLoopback);
  Peer b(loop_, kLoopback);
  a.socket->Send(b.address(), "too late");
  a.socket->Send(fmt::format("localhost:{}", b.socket->port()), "never");
  b.socket->Close();
  a.socket.reset();  // with a name still being resolved
  loop_.RunReady();
  b.socket->DrainNow();
  b.socket->Send(b.address(), "nor this");
  EXPECT_TRUE(b.received.empty());
  EXPECT_EQ(b.counters().sent.value(), 0u);
}

TEST_F(UdpSocketTest, TheLoopMayEndWithWaitsThatWereNotServed) {
  auto loop = std::make_unique<EventLoop>();
  {
    Peer a(*loop, kLoopback);
    a.socket->Send(a.address(), "x");
    a.socket->Send("localhost:9", "x");
  }
  loop.reset();
}

TEST_F(UdpSocketTest, SaysWhyItCannotListen) {
  Peer a(loop_, kLoopback);
  const auto reason = [&](const std::string& address) {
    const auto opened = UdpSocket::Open(loop_, address, {}, [](auto, const auto&) {});
    EXPECT_EQ(CodeOf(opened.status()), ErrorCode::kInvalidEndpoint) << address;
    return std::string(opened.status().message());
  };
  EXPECT_EQ(reason(a.address()),
            fmt::format("cannot listen on UDP {}: it is in use by another process", a.address()));
  EXPECT_EQ(reason("192.0.2.1:0"),
            "cannot listen on UDP 192.0.2.1:0: Cannot assign requested address");
  EXPECT_EQ(reason("7946"), "\"7946\" is not a host:port");
}

TEST_F(UdpSocketTest, CountersMayBeReadByAnotherThread) {
  EventLoop loop;
  Peer a(loop, kLoopback);
  loop.Start();
  loop.Post([&] {
    for (int i = 0; i < 100; ++i) a.socket->Send(a.address(), "x");
  });
  EXPECT_TRUE(testing::Eventually([&] { return a.counters().received.value() == 100; }));
  loop.Stop();
  EXPECT_EQ(a.counters().sent_bytes.value(), 100u);
}

}  // namespace
}  // namespace engram::net
