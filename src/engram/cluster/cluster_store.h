// What a node keeps on disk about its cluster, so that a restart finds back: the cluster's id, the
// node's own incarnation, who is a member, and who holds what.
//
//   key                   value, each after a format byte
//   cluster/id            the cluster's id
//   cluster/incarnation   the largest one used
//   cluster/members       a full state (membership/datagram.h)
//   cluster/assignment/S  who holds the space S: primary, replicas, version
//
// They lie in the family kCluster, beside the keys of memory/keys.h.
//
// Thread-safety: thread-compatible; the control loop's. Writes that only save work after a restart
// are not synced.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engram/membership/member.h"
#include "engram/placement/assignment.h"
#include "engram/storage/database.h"

namespace engram::cluster {

struct StoredCluster {
  std::string cluster_id;  // empty: the node has never been a member of any
  membership::Incarnation incarnation{};
  std::string members;  // empty: none stored
};

class ClusterStore {
 public:
  // `database` must outlive it.
  explicit ClusterStore(storage::Database& database) : database_(database) {}

  // kStorageFailed says which key is damaged.
  [[nodiscard]] absl::StatusOr<StoredCluster> Load() const;
  [[nodiscard]] absl::StatusOr<std::vector<placement::Assignment>> LoadAssignments() const;

  // Synced: the node must never belong to another cluster, or live twice under one incarnation.
  [[nodiscard]] absl::Status SaveClusterId(std::string_view id);
  [[nodiscard]] absl::Status SaveIncarnation(membership::Incarnation incarnation);

  [[nodiscard]] absl::Status SaveMembers(std::string_view state);
  [[nodiscard]] absl::Status SaveAssignments(std::span<const placement::Assignment> changed);

 private:
  [[nodiscard]] absl::Status Put(std::string_view key, std::string_view value, storage::Sync sync);
  [[nodiscard]] absl::StatusOr<std::optional<std::string>> Get(std::string_view key) const;

  storage::Database& database_;
};

}  // namespace engram::cluster
