// What five nodes that nobody asks for anything send each other and compute. The figures are
// printed (`tools/bench idle`).
//
// ENGRAM_IDLE_SECONDS=N watches them for longer.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "support/split_cluster.h"

namespace engram::testing {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kNodes = 5;
const Hosts kAll = {0, 1, 2, 3, 4};

std::chrono::seconds WatchFor() {
  const char* text = std::getenv("ENGRAM_IDLE_SECONDS");
  return std::chrono::seconds(text == nullptr ? 3 : std::max(1, std::atoi(text)));
}

// User and system, of the whole process: the 14th and 15th word of its status; the 2nd is its name
// in parentheses.
double CpuSeconds(pid_t pid) {
  const std::string status = ReadAll(fmt::format("/proc/{}/stat", pid));
  std::istringstream words(status.substr(status.rfind(')') + 1));
  std::string skipped;
  for (int i = 3; i < 14; ++i) words >> skipped;
  double user = 0;
  double system = 0;
  words >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

struct Reading {
  SwitchTraffic traffic;
  std::vector<SwitchedNetwork::DeviceBytes> bytes;
  std::vector<double> cpu_seconds;
  Clock::time_point at = Clock::now();
};

Reading Read(SplitCluster& cluster) {
  Reading reading;
  reading.traffic = cluster.network().Traffic();
  for (int node : kAll) {
    reading.bytes.push_back(cluster.network().DeviceBytesOf(node));
    reading.cpu_seconds.push_back(CpuSeconds(cluster.nodes().node(node).pid()));
  }
  return reading;
}

void Print(const Reading& before, const Reading& after) {
  const double seconds = std::chrono::duration<double>(after.at - before.at).count();
  fmt::print("{} nodes, {:.0f} s\n", kNodes, seconds);
  fmt::print("| node | bytes/s sent | bytes/s received | UDP packets/s | CPU of a core |\n");
  fmt::print("| --- | --- | --- | --- | --- |\n");
  for (int node : kAll) {
    const auto i = static_cast<size_t>(node);
    const auto udp = [&](const Reading& reading) {
      return reading.traffic.Of(PacketKind::kUdp, Fate::kDelivered, {node}, kAll).packets;
    };
    fmt::print("| {} | {:.0f} | {:.0f} | {:.1f} | {:.2f} % |\n", node + 1,
               static_cast<double>(after.bytes[i].sent - before.bytes[i].sent) / seconds,
               static_cast<double>(after.bytes[i].received - before.bytes[i].received) / seconds,
               static_cast<double>(udp(after) - udp(before)) / seconds,
               100 * (after.cpu_seconds[i] - before.cpu_seconds[i]) / seconds);
  }
}

TEST(IdleNodes, KeepContactByDatagramsAloneAndAllStayAlive) {
  auto network = SwitchedNetwork::Create(kNodes);
  if (!network.ok()) GTEST_SKIP() << network.status();
  SplitCluster cluster(**network, kNodes);
  const Reading before = Read(cluster);
  EXPECT_FALSE(Eventually([] { return false; }, WatchFor()));
  const Reading after = Read(cluster);
  Print(before, after);
  for (int node : kAll) {
    const PacketCount sent = after.traffic.Of(PacketKind::kUdp, Fate::kDelivered, {node}, kAll);
    EXPECT_GT(sent.packets, 0u) << node;
    constexpr uint64_t kLongest = 1'400 + 28;  // SPEC C1, and the headers
    EXPECT_LE(sent.bytes, sent.packets * kLongest) << node;
  }
  EXPECT_TRUE(cluster.AwaitAllAlive());
}

}  // namespace
}  // namespace engram::testing
