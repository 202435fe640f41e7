#include "support/test_hooks.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <future>
#include <utility>

namespace engram::testing {

v1::Assignment MakeAssignment(const TestCluster& cluster, const std::string& space,
                              uint64_t counter, int primary, const std::vector<int>& replicas) {
  v1::Assignment assignment;
  assignment.set_space(space);
  assignment.set_primary(cluster.Name(primary));
  for (int replica : replicas) assignment.add_replicas(cluster.Name(replica));
  v1::Version& version = *assignment.mutable_version();
  version.mutable_epoch()->set_counter(counter);
  version.mutable_epoch()->set_primary(cluster.Name(primary));
  version.set_sequence(1);
  return assignment;
}

TestHooks::TestHooks(const TestCluster& cluster) : cluster_id_(cluster.ClusterId()) {
  for (int i = 0; i < cluster.size(); ++i) {
    channels_.push_back(net::Channel::Create(loop_, cluster.Address(i), {}));
  }
  loop_.Start();
}

TestHooks::~TestHooks() {
  // Connections close on their own thread.
  std::promise<void> closed;
  loop_.Post([&] {
    for (const auto& channel : channels_) channel->Close();
    channels_.clear();
    closed.set_value();
  });
  closed.get_future().wait();
  loop_.Stop();
}

void TestHooks::InstallTable(int node, const std::vector<v1::Assignment>& assignments) {
  peer::v1::InstallTableRequest request;
  request.mutable_assignments()->Add(assignments.begin(), assignments.end());
  const absl::Status status = Call(node, "InstallTable", request);
  ASSERT_TRUE(status.ok()) << status;
}

void TestHooks::Hold(int node, const v1::Assignment& assignment) {
  peer::v1::HoldRequest request;
  *request.mutable_assignment() = assignment;
  const absl::Status status = Call(node, "Hold", request);
  ASSERT_TRUE(status.ok()) << status;
}

void TestHooks::Drop(int node, const std::string& space) {
  peer::v1::DropRequest request;
  request.set_space(space);
  const absl::Status status = Call(node, "Drop", request);
  ASSERT_TRUE(status.ok()) << status;
}

void TestHooks::Reach(int node, uint32_t reachable, uint32_t total) {
  peer::v1::ReachRequest request;
  request.set_reachable(reachable);
  request.set_total(total);
  const absl::Status status = Call(node, "Reach", request);
  ASSERT_TRUE(status.ok()) << status;
}

absl::StatusOr<peer::v1::InspectCopyResponse> TestHooks::InspectCopy(int node,
                                                                     const std::string& space) {
  peer::v1::InspectCopyRequest request;
  request.set_space(space);
  const net::CallResult result = Ask(node, "InspectCopy", request, cluster_id_);
  if (!result.status.ok()) return result.status;
  peer::v1::InspectCopyResponse response;
  response.ParseFromString(result.message);
  return response;
}

absl::Status TestHooks::Call(int node, std::string_view method,
                             const google::protobuf::MessageLite& request,
                             const std::optional<std::string>& cluster) {
  return Ask(node, method, request, cluster.value_or(cluster_id_)).status;
}

net::CallResult TestHooks::Ask(int node, std::string_view method,
                               const google::protobuf::MessageLite& request,
                               const std::string& cluster) {
  net::CallOptions options{std::chrono::steady_clock::now() + std::chrono::seconds(30), {}};
  options.metadata.Add("engram-cluster", cluster);
  std::promise<net::CallResult> answer;
  loop_.Post([&] {
    channels_[static_cast<size_t>(node)]->Unary(
        fmt::format("/engram.peer.v1.TestService/{}", method), std::move(options),
        request.SerializeAsString(),
        [&answer](net::CallResult result) { answer.set_value(std::move(result)); });
  });
  return answer.get_future().get();
}

}  // namespace engram::testing
