// The methods of engram.peer.v1.GossipService and ReplicationService, and the metadata that marks
// calls between nodes.
#pragma once

#include <string_view>

namespace engram::cluster {

inline constexpr std::string_view kJoinMethod = "/engram.peer.v1.GossipService/Join";
inline constexpr std::string_view kProbeMethod = "/engram.peer.v1.GossipService/Probe";
inline constexpr std::string_view kExchangeMethod = "/engram.peer.v1.GossipService/Exchange";
inline constexpr std::string_view kCompareMethod = "/engram.peer.v1.GossipService/CompareRecords";
inline constexpr std::string_view kSettleMethod = "/engram.peer.v1.GossipService/SettleRecords";
inline constexpr std::string_view kReplicateMethod = "/engram.peer.v1.ReplicationService/Replicate";

// The id of the sender's cluster: another's nodes are refused.
inline constexpr std::string_view kMdCluster = "engram-cluster";

}  // namespace engram::cluster
