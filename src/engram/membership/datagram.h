// What nodes send each other over UDP, and the full state that they exchange over RPC.
//
//   bytes   what
//   2       "EG"
//   1       version of the format: 1
//   8       tag of the cluster: XXH3-64 of its id
//   8       XXH3-64 of everything that follows, seeded with the tag
//   -       sender's id: length, bytes
//   1       kind: 1 ping, 2 ack, 3 ping request, 4 nack, 5 gossip, 6 full state
//   -       ping: sequence, id of the node that is meant
//           ack, nack: sequence
//           ping request: sequence, id of the node that is meant, milliseconds until a nack is
//           wanted
//   -       updates until the end, or until a byte 8, behind which another layer's news follows
//           (rider.h); each update:
//             1 byte: state (0 alive, 1 suspect, 2 dead, 3 left); plus 4 if the info follows
//             id, incarnation
//             info: gossip address, RPC address, zone, rack
//             if suspect: how many accusers, their ids
//
// Numbers are little-endian if their size is given, else varints; texts are a varint length and
// bytes (base/codec.h). A number or text out of its bounds makes the whole datagram garbled. The
// checksum is against accidents and strangers, not against attackers: nothing here is secret.
//
// Everything here is pure and thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "engram/membership/member.h"

namespace engram::membership {

enum class ClusterTag : uint64_t {};
ClusterTag TagOf(std::string_view cluster_id);

inline constexpr size_t kAddressBytesMax = 255;
inline constexpr size_t kLabelBytesMax = 64;  // zone, rack

// Are you there? `target` is named because another node may have taken over its address.
struct Ping {
  uint32_t sequence = 0;
  NodeId target;
};
// To a ping, or to a ping request if the one that was meant answered.
struct Ack {
  uint32_t sequence = 0;
};
// Ask the target for me, at the address by which you know it. If it does not answer in time, a nack
// tells me that at least you do.
struct PingRequest {
  uint32_t sequence = 0;
  NodeId target;
  Duration nack_after{};  // whole milliseconds, at most a minute
};
struct Nack {
  uint32_t sequence = 0;
};
struct Gossip {};
struct FullState {};

using Message = std::variant<Ping, Ack, PingRequest, Nack, Gossip, FullState>;

struct Datagram {
  NodeId sender;
  Message message;
  std::vector<Update> updates;
  std::string rider;
};

// A datagram is written in three steps: Begin, append encoded updates, Seal.
std::string BeginDatagram(const NodeId& sender, const Message& message);
std::string EncodeUpdate(const Update& update);
// Stands between the updates and another layer's news.
inline constexpr char kRiderFollows = 8;
// Fills in what the head says of the rest.
void SealDatagram(std::string& datagram, ClusterTag cluster);

enum class Verdict : uint8_t {
  kRead,
  kGarbled,       // damaged, cut, or never one of ours
  kOtherVersion,  // of the format
  kForeignCluster,
};
inline constexpr int kVerdictCount = 4;

// `read` is complete only with kRead.
Verdict ReadDatagram(std::string_view bytes, ClusterTag cluster, Datagram& read);

}  // namespace engram::membership
