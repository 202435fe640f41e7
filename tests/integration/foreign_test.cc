// Clients that are not ours: Python's and Node's gRPC, from the published protos, through every
// node.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "support/cluster.h"

namespace engram::testing {
namespace {

using ::testing::HasSubstr;

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

// A tool that has no protos of ours: reflection tells it what there is.
class BufCurl : public ::testing::Test {
 protected:
  CommandResult Run(std::vector<std::string> args, const std::string& path) {
    args.insert(args.begin(), {BUF, "curl", "--protocol", "grpc", "--http2-prior-knowledge"});
    args.push_back("http://" + cluster_.Address(0) + path);
    return RunCommand(args);
  }

  TestCluster cluster_;
  storage::TempDir dir_;
};

TEST_F(BufCurl, ListsAndCallsByReflection) {
  EXPECT_THAT(Run({"--list-methods"}, "").out, HasSubstr("engram.v1.MemoryService/StoreStream"));
  std::string space = cluster_.SpaceOn(1);
  CommandResult stored =
      Run({"-d", R"({"space":")" + space + R"(","id":"tea","content":"tea is at four"})"},
          "/engram.v1.MemoryService/Store");
  EXPECT_THAT(stored.out, HasSubstr("\"created\": true")) << stored.err;
  CommandResult recalled = Run({"-d", R"({"space":")" + space + R"(","query":"tea"})"},
                               "/engram.v1.MemoryService/Recall");
  EXPECT_THAT(recalled.out, HasSubstr("tea is at four")) << recalled.err;
}

TEST_F(BufCurl, ChecksTheHealthOfTheNodeAndItsServices) {
  std::string check = "/grpc.health.v1.Health/Check";
  EXPECT_THAT(Run({"-d", "{}"}, check).out, HasSubstr("\"SERVING\""));
  EXPECT_THAT(Run({"-d", R"({"service":"engram.v1.MemoryService"})"}, check).out,
              HasSubstr("\"SERVING\""));
  EXPECT_THAT(Run({"-d", R"({"service":"nothing"})"}, check).err, HasSubstr("not_found"));
}

TEST_F(BufCurl, AWatchEndsWithTheNode) {
  std::filesystem::path log = dir_.path() / "watch";
  Process watch({BUF, "curl", "--protocol", "grpc", "--http2-prior-knowledge", "-d", "{}",
                 "http://" + cluster_.Address(0) + "/grpc.health.v1.Health/Watch"},
                log);
  auto seen = [&](const std::string& text) { return ReadAll(log).find(text) != std::string::npos; };
  ASSERT_TRUE(Eventually([&] { return seen("\"SERVING\""); }));
  cluster_.node(0).Signal(SIGTERM);
  EXPECT_EQ(cluster_.node(0).Wait(std::chrono::seconds(60)), 0);
  EXPECT_EQ(watch.Wait(std::chrono::seconds(60)), 0);
  EXPECT_TRUE(seen("\"NOT_SERVING\""));
}

}  // namespace
}  // namespace engram::testing
