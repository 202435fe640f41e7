// What went over the switch of a SwitchedNetwork, and what was sent but cut off: packets by the
// hosts they went between and by what kind of packet it was.
//
// A plain value; all counts are since the network was made. Compare two to know what happened in
// between. Hosts are counted from 0; bytes are those of IP packets.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace engram::testing {

using Hosts = std::vector<int>;

enum class Fate : uint8_t { kDelivered, kCut };

enum class PacketKind : uint8_t {
  kUdp,
  kTcpSyn,      // begins a connection, or tries again to begin it
  kTcpPayload,  // carries bytes, the first time or again
  kTcpOther,    // acknowledges or ends
};

struct PacketCount {
  uint64_t packets = 0;
  uint64_t bytes = 0;

  void operator+=(const PacketCount& other) {
    packets += other.packets;
    bytes += other.bytes;
  }
};

class SwitchTraffic {
 public:
  // From any of the one hosts to any of the others.
  PacketCount Of(PacketKind kind, Fate fate, const Hosts& from, const Hosts& to) const;
  // Of all kinds.
  PacketCount Of(Fate fate, const Hosts& from, const Hosts& to) const;

 private:
  friend class SwitchRules;
  using Key = std::tuple<Fate, PacketKind, int, int>;

  std::map<Key, PacketCount> counts_;
};

// The packet filter that cuts and counts, in the network namespace of a bridge.
class SwitchRules {
 public:
  // Host i has the address "<prefix>.<i + 1>".
  explicit SwitchRules(std::string prefix) : prefix_(std::move(prefix)) {}

  std::string Address(int host) const { return prefix_ + "." + std::to_string(host + 1); }

  // In the language of nft: what is there from the start, what changes.
  static std::string Initial();
  std::string Cut(const Hosts& from, const Hosts& to) const;
  static std::string Heal();
  // Of what `nft list` prints of kTable, in JSON.
  static constexpr char kTable[] = "table bridge engram";
  SwitchTraffic Parse(std::string_view listed) const;

 private:
  const std::string prefix_;
};

}  // namespace engram::testing
