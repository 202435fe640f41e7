// The service that lets tests break a node's routing is not there unless asked for.
#include "support/test_hooks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engram/base/error.h"
#include "support/cluster.h"

namespace engram::testing {
namespace {

using ::testing::HasSubstr;

TestClusterOptions OneNode(std::vector<std::string> flags) {
  TestClusterOptions options;
  options.nodes = 1;
  options.flags = std::move(flags);
  return options;
}

TEST(TestHooks, AreOffUnlessAskedFor) {
  TestCluster cluster(OneNode({}));
  TestHooks hooks(cluster);
  for (const char* method : {"InstallTable", "Hold", "Drop", "Reach", "InspectCopy"}) {
    EXPECT_EQ(CodeOf(hooks.Call(0, method, peer::v1::DropRequest())), ErrorCode::kUnimplemented)
        << method;
  }
}

TEST(TestHooks, AreWarnedOfAndRefuseAnotherCluster) {
  TestCluster cluster(OneNode(kTestHooksFlags));
  TestHooks hooks(cluster);
  EXPECT_THAT(ReadAll(cluster.Log(0)), HasSubstr("test-hooks is on"));
  const peer::v1::DropRequest request;
  EXPECT_TRUE(hooks.Call(0, "Drop", request).ok());
  EXPECT_EQ(CodeOf(hooks.Call(0, "Drop", request, "other")), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace engram::testing
