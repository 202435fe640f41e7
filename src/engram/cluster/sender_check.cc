#include "engram/cluster/sender_check.h"

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "engram/base/error.h"
#include "engram/cluster/gossip_methods.h"

namespace engram::cluster {

absl::Status CheckSender(const Directory& directory, const net::ServerCall& call) {
  const std::string_view cluster = call.metadata().Find(kMdCluster).value_or("");
  const std::string& ours = directory.cluster_id();
  if (cluster == ours && !ours.empty()) return absl::OkStatus();
  if (ours.empty()) return MakeError(ErrorCode::kNoLocalData, "this node is not a member yet");
  return InvalidArgument(
      kMdCluster,
      fmt::format("this node is of cluster '{}', the request came from '{}'", ours, cluster));
}

}  // namespace engram::cluster
