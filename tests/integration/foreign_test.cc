// Clients that are not ours: Python's and Node's gRPC, from the published protos, through every
// node.
#include <gtest/gtest.h>

#include "support/cluster.h"

namespace engram::testing {
namespace {

std::vector<std::string> WithNodes(std::vector<std::string> command, const TestCluster& cluster) {
  for (int i = 0; i < cluster.size(); ++i)
    command.insert(command.end(), {"--node", cluster.Address(i)});
  return command;
}

TEST(Foreign, PythonDrivesTheCluster) {
  TestCluster cluster;
  CommandResult result =
      RunCommand(WithNodes({FOREIGN_DIR "/run_python", "--gen-dir", PYTHON_GEN_DIR}, cluster));
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
}

TEST(Foreign, NodeDrivesTheCluster) {
  TestCluster cluster;
  CommandResult result = RunCommand(WithNodes({FOREIGN_DIR "/run_node"}, cluster));
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
}

}  // namespace
}  // namespace engram::testing
