#include "support/switched_network.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <set>
#include <thread>

#include "engram/storage/testing/temp_dir.h"
#include "support/tcp_sockets.h"

namespace engram::testing {
namespace {

constexpr int kHosts = 5;
constexpr uint16_t kPort = 7'000;
const Hosts kAll = {0, 1, 2, 3, 4};

sockaddr_in At(const std::string& address) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(kPort);
  EXPECT_EQ(inet_pton(AF_INET, address.c_str(), &at.sin_addr), 1);
  return at;
}

// A socket on the host at which the calling thread is.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) { EXPECT_GE(fd, 0); }
  Socket(int type, const std::string& address) : Socket(socket(AF_INET, type | SOCK_CLOEXEC, 0)) {
    const sockaddr_in at = At(address);
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&at), sizeof(at)), 0);
    if (type == SOCK_STREAM) {
      EXPECT_EQ(listen(fd_, 10), 0);
    }
  }
  ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  // Not sent together with what is sent next.
  bool Connect(const std::string& address) const {
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    const sockaddr_in to = At(address);
    return connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0;
  }
  void Send(const std::string& text) const {
    EXPECT_EQ(send(fd_, text.data(), text.size(), MSG_NOSIGNAL), std::ssize(text));
  }
  void SendTo(const std::string& address, const std::string& text) const {
    const sockaddr_in to = At(address);
    EXPECT_EQ(sendto(fd_, text.data(), text.size(), 0, reinterpret_cast<const sockaddr*>(&to),
                     sizeof(to)),
              std::ssize(text));
  }
  // What has arrived; "" if nothing has.
  std::string Receive() const {
    char buffer[1'000];
    const ssize_t got = recv(fd_, buffer, sizeof(buffer), MSG_DONTWAIT);
    return got <= 0 ? "" : std::string(buffer, static_cast<size_t>(got));
  }
  int fd() const { return fd_; }

 private:
  const int fd_;
};

class SwitchedNetworkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = SwitchedNetwork::Create(kHosts);
    if (!made.ok()) GTEST_SKIP() << made.status();
    network_ = *std::move(made);
    for (int i = 0; i < kHosts; ++i) mailboxes_.push_back(SocketOn(i, SOCK_DGRAM));
  }

  std::unique_ptr<Socket> SocketOn(int host, int type) const {
    const InsideNamespace inside(network_->host(host));
    return std::make_unique<Socket>(type, network_->Address(host));
  }

  // Every host sends a datagram to every other; returns which arrive, once each has arrived or was
  // cut off.
  using Ways = std::set<std::pair<int, int>>;
  Ways SendAll() {
    const uint64_t before = Settled();
    for (int from : kAll) {
      for (int to : kAll) {
        if (from != to) Mailbox(from).SendTo(network_->Address(to), std::to_string(from));
      }
    }
    EXPECT_TRUE(Eventually([&] { return Settled() == before + kHosts * (kHosts - 1); }));
    return Arrived(before + kHosts * (kHosts - 1) - Cut());
  }

  // Datagrams that are through the switch, or were dropped there.
  uint64_t Settled() const {
    return network_->Traffic().Of(PacketKind::kUdp, Fate::kDelivered, kAll, kAll).packets + Cut();
  }
  uint64_t Cut() const {
    return network_->Traffic().Of(PacketKind::kUdp, Fate::kCut, kAll, kAll).packets;
  }

  // Until `total` datagrams have arrived since the beginning.
  Ways Arrived(uint64_t total) {
    Ways ways;
    EXPECT_TRUE(Eventually([&] {
      for (int to : kAll) {
        for (std::string from; !(from = Mailbox(to).Receive()).empty(); ++arrived_) {
          ways.emplace(std::stoi(from), to);
        }
      }
      return arrived_ >= total;
    }));
    EXPECT_EQ(arrived_, total);
    return ways;
  }

  static Ways AllBut(const Ways& cut) {
    Ways ways;
    for (int from : kAll) {
      for (int to : kAll) {
        if (from != to && cut.count({from, to}) == 0) ways.emplace(from, to);
      }
    }
    return ways;
  }

  const Socket& Mailbox(int host) const { return *mailboxes_[static_cast<size_t>(host)]; }

  std::unique_ptr<SwitchedNetwork> network_;
  std::vector<std::unique_ptr<Socket>> mailboxes_;
  uint64_t arrived_ = 0;
};

TEST_F(SwitchedNetworkTest, AllHostsReachAllOthers) { EXPECT_EQ(SendAll(), AllBut({})); }

TEST_F(SwitchedNetworkTest, CutsBothWaysAndNothingElse) {
  network_->Cut({0, 1}, {2});
  EXPECT_EQ(SendAll(), AllBut({{0, 2}, {1, 2}, {2, 0}, {2, 1}}));
}

TEST_F(SwitchedNetworkTest, CutsOneWay) {
  network_->CutOneWay({3, 4}, {0});
  EXPECT_EQ(SendAll(), AllBut({{3, 0}, {4, 0}}));
}

TEST_F(SwitchedNetworkTest, CutsAddUpUntilAllIsHealed) {
  network_->Cut({0}, {1});
  network_->Cut({0, 4}, {1});
  network_->CutOneWay({2}, {3});
  EXPECT_EQ(SendAll(), AllBut({{0, 1}, {1, 0}, {4, 1}, {1, 4}, {2, 3}}));
  network_->Heal();
  EXPECT_EQ(SendAll(), AllBut({}));
}

TEST_F(SwitchedNetworkTest, TheTestReachesEveryHostWhateverIsCut) {
  network_->Cut(kAll, kAll);
  EXPECT_EQ(SendAll(), Ways());
  const Socket own(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  for (int host : kAll) {
    own.SendTo(network_->Address(host), "hello");
    EXPECT_TRUE(Eventually([&] { return Mailbox(host).Receive() == "hello"; })) << host;
  }
}

TEST_F(SwitchedNetworkTest, AThreadOfTheTestReachesTheHosts) {
  std::thread([&] {
    Socket(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)).SendTo(network_->Address(3), "hello");
  }).join();
  EXPECT_TRUE(Eventually([&] { return Mailbox(3).Receive() == "hello"; }));
}

TEST_F(SwitchedNetworkTest, CountsByDirectionAndFate) {
  constexpr uint64_t kHeaders = 28;  // of IPv4 and UDP
  network_->CutOneWay({1}, {0});
  const std::string text(100, 'x');
  for (int i = 0; i < 3; ++i) Mailbox(0).SendTo(network_->Address(1), text);
  for (int i = 0; i < 2; ++i) Mailbox(1).SendTo(network_->Address(0), text);
  ASSERT_TRUE(Eventually([&] { return Settled() == 5; }));
  const SwitchTraffic traffic = network_->Traffic();
  const PacketCount delivered = traffic.Of(PacketKind::kUdp, Fate::kDelivered, {0}, {1});
  EXPECT_EQ(delivered.packets, 3u);
  EXPECT_EQ(delivered.bytes, 3 * (text.size() + kHeaders));
  const PacketCount cut = traffic.Of(Fate::kCut, {1, 2}, {0});
  EXPECT_EQ(cut.packets, 2u);
  EXPECT_EQ(cut.bytes, 2 * (text.size() + kHeaders));
  EXPECT_EQ(traffic.Of(Fate::kCut, {0}, {1}).packets, 0u);
  EXPECT_EQ(traffic.Of(Fate::kDelivered, {1}, {0}).packets, 0u);
  EXPECT_EQ(traffic.Of(Fate::kDelivered, {0}, {2, 3, 4}).packets, 0u);
}

TEST_F(SwitchedNetworkTest, CountsWhatADeviceSendsAndReceives) {
  constexpr uint64_t kHeaders = 42;  // of Ethernet, IPv4 and UDP
  SendAll();                         // so that addresses are known
  const SwitchedNetwork::DeviceBytes before = network_->DeviceBytesOf(2);
  Mailbox(2).SendTo(network_->Address(0), std::string(1'000, 'x'));
  Mailbox(1).SendTo(network_->Address(2), std::string(100, 'x'));
  ASSERT_TRUE(Eventually([&] { return !Mailbox(2).Receive().empty(); }));
  ASSERT_TRUE(Eventually([&] { return !Mailbox(0).Receive().empty(); }));
  const SwitchedNetwork::DeviceBytes after = network_->DeviceBytesOf(2);
  // Now and then a host asks where another is.
  EXPECT_GE(after.sent - before.sent, 1'000 + kHeaders);
  EXPECT_LT(after.sent - before.sent, 1'500u);
  EXPECT_GE(after.received - before.received, 100 + kHeaders);
  EXPECT_LT(after.received - before.received, 600u);
}

// A TCP connection from host 0 to host 1.
class SwitchedTcp : public SwitchedNetworkTest {
 protected:
  void SetUp() override {
    SwitchedNetworkTest::SetUp();
    if (IsSkipped()) return;
    listener_ = SocketOn(1, SOCK_STREAM);
    {
      const InsideNamespace inside(network_->host(0));
      near_ = std::make_unique<Socket>(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    }
    ASSERT_TRUE(near_->Connect(network_->Address(1)));
    far_ = std::make_unique<Socket>(accept(listener_->fd(), nullptr, nullptr));
  }

  uint64_t Packets(PacketKind kind, Fate fate = Fate::kDelivered) const {
    return network_->Traffic().Of(kind, fate, {0}, {1}).packets;
  }
  // Of the near end of the connection.
  uint64_t Unacknowledged() const {
    const InsideNamespace inside(network_->host(0));
    for (const TcpSocket& socket : OpenTcpSockets()) {
      if (!socket.listening) return socket.unacknowledged_bytes;
    }
    ADD_FAILURE() << "there is no connection";
    return 0;
  }

  std::unique_ptr<Socket> listener_;
  std::unique_ptr<Socket> near_;
  std::unique_ptr<Socket> far_;
};

TEST_F(SwitchedTcp, TellsBeginningsAndPayloadFromTheRest) {
  EXPECT_EQ(Packets(PacketKind::kTcpSyn), 1u);
  EXPECT_EQ(Packets(PacketKind::kTcpPayload), 0u);
  EXPECT_EQ(network_->Traffic().Of(PacketKind::kTcpSyn, Fate::kDelivered, {1}, {0}).packets, 0u)
      << "the answer to a SYN begins nothing";
  const uint64_t others = Packets(PacketKind::kTcpOther);
  near_->Send("x");
  ASSERT_TRUE(Eventually([&] { return far_->Receive() == "x"; }));
  EXPECT_EQ(Packets(PacketKind::kTcpPayload), 1u);
  EXPECT_EQ(Packets(PacketKind::kTcpOther), others);
}

TEST_F(SwitchedTcp, SendsAgainIntoACutUntilItIsHealed) {
  network_->Cut({0}, {1});
  near_->Send("first");
  ASSERT_TRUE(Eventually([&] { return Packets(PacketKind::kTcpPayload, Fate::kCut) >= 3; }));
  EXPECT_EQ(far_->Receive(), "");
  network_->Heal();
  ASSERT_TRUE(Eventually([&] { return far_->Receive() == "first"; }));
}

TEST_F(SwitchedTcp, WhatIsWrittenIntoACutIsToldFromWhatIsSentAgain) {
  EXPECT_EQ(Unacknowledged(), 0u);
  network_->CutOneWay({1}, {0});  // it arrives, but nobody hears of it
  near_->Send("first");
  ASSERT_TRUE(Eventually([&] { return Packets(PacketKind::kTcpPayload) >= 3; }));
  EXPECT_EQ(Unacknowledged(), 5u);
  near_->Send("second");
  EXPECT_EQ(Unacknowledged(), 11u);
  network_->Heal();
  EXPECT_TRUE(Eventually([&] { return Unacknowledged() == 0; }));
}

TEST_F(SwitchedTcp, ConnectionsThatAreBegunIntoACutAreCounted) {
  network_->CutOneWay({0}, {1});
  const InsideNamespace inside(network_->host(0));
  const Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  EXPECT_FALSE(socket.Connect(network_->Address(1)));
  const InsideNamespace outside(network_->own());
  EXPECT_TRUE(Eventually([&] { return Packets(PacketKind::kTcpSyn, Fate::kCut) >= 1; }));
}

TEST_F(SwitchedNetworkTest, AProcessIsOnItsHost) {
  const storage::TempDir dir;
  for (int host : kAll) {
    const std::filesystem::path log = dir.path() / std::to_string(host);
    auto process =
        network_->Start(host, {"/usr/sbin/ip", "-4", "-brief", "address", "show", "up"}, log);
    EXPECT_EQ(process->Wait(std::chrono::seconds(60)), 0);
    const std::string shown = ReadAll(log);
    EXPECT_NE(shown.find(network_->Address(host) + "/24"), std::string::npos) << shown;
    EXPECT_NE(shown.find("127.0.0.1/8"), std::string::npos) << shown;
  }
}

ino_t InodeOf(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

// Processes that are in a network namespace.
int CountInside(ino_t inode) {
  int inside = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    if (InodeOf(entry.path() / "ns/net") == inode) ++inside;
  }
  return inside;
}

// Of the network namespace of the calling thread.
std::set<std::string> Devices() {
  std::set<std::string> names;
  struct if_nameindex* all = if_nameindex();
  for (auto* device = all; device->if_index != 0; ++device) names.insert(device->if_name);
  if_freenameindex(all);
  return names;
}

// What a test does that dies: it makes a network, starts a process on a host, tells which namespace
// that is, and is killed.
[[noreturn]] void DieWithANetwork(int out) {
  auto network = SwitchedNetwork::Create(2);
  if (network.ok()) {
    const auto process = (*network)->Start(1, {"/bin/sleep", "600"}, "/dev/null");
    const ino_t inode = InodeOf((*network)->host(1).Path());
    if (write(out, &inode, sizeof(inode)) == sizeof(inode)) raise(SIGKILL);
  }
  _exit(1);
}

TEST(SwitchedNetworkLeaves, NothingBehindWhenTheTestIsKilled) {
  if (auto made = SwitchedNetwork::Create(1); !made.ok()) GTEST_SKIP() << made.status();
  const std::set<std::string> before = Devices();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) DieWithANetwork(ends[1]);
  ino_t inode = 0;
  ASSERT_EQ(read(ends[0], &inode, sizeof(inode)), static_cast<ssize_t>(sizeof(inode)));
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(WTERMSIG(status), SIGKILL);
  ASSERT_NE(inode, 0u);
  EXPECT_TRUE(Eventually([&] { return CountInside(inode) == 0; }));
  EXPECT_EQ(Devices(), before);
  close(ends[0]);
  close(ends[1]);
}

TEST(SwitchedNetworkLeaves, TheThreadWhereItWas) {
  const ino_t before = InodeOf("/proc/thread-self/ns/net");
  {
    auto made = SwitchedNetwork::Create(1);
    if (!made.ok()) GTEST_SKIP() << made.status();
    EXPECT_NE(InodeOf("/proc/thread-self/ns/net"), before);
  }
  EXPECT_EQ(InodeOf("/proc/thread-self/ns/net"), before);
}

}  // namespace
}  // namespace engram::testing
