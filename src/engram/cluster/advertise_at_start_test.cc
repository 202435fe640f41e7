#include "engram/cluster/advertise_at_start.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engram/base/error.h"

namespace engram::cluster {
namespace {

using ::testing::HasSubstr;

absl::Status Check(std::string_view address, const std::vector<std::string>& seeds = {}) {
  return CheckAdvertisedAtStart({"advertise", address}, seeds);
}

TEST(CheckAdvertisedAtStart, TakesNumbersAndNamesThatCanBeResolved) {
  EXPECT_TRUE(Check("10.0.0.7:50051", {"10.0.0.1:50051"}).ok());
  EXPECT_TRUE(Check("localhost:50051", {"127.0.0.1:50052"}).ok());
}

TEST(CheckAdvertisedAtStart, RefusesANameThatIsNone) {
  const absl::Status status = Check("no_such_name..:50051");
  EXPECT_EQ(CodeOf(status), ErrorCode::kInvalidEndpoint);
  EXPECT_EQ(DetailOf(status).field, "advertise");
  EXPECT_THAT(std::string(status.message()), HasSubstr("its name cannot be resolved ("));
}

TEST(CheckAdvertisedAtStart, RefusesWhatTheTextTells) {
  EXPECT_THAT(std::string(Check("0.0.0.0:50051").message()), HasSubstr("any address"));
  EXPECT_THAT(std::string(Check("localhost:50051", {"10.0.0.1:50051"}).message()),
              HasSubstr("but seed 10.0.0.1:50051 is not"));
}

}  // namespace
}  // namespace engram::cluster
