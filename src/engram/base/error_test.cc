#include "engram/base/error.h"

#include <gtest/gtest.h>

namespace engram {
namespace {

TEST(Error, CarriesItsDetail) {
  ErrorDetail detail;
  detail.code = ErrorCode::kNoAssignment;
  detail.space = "notes";
  detail.node = "n1";
  detail.retry_after = std::chrono::milliseconds(250);
  absl::Status status = MakeError(detail, "nobody holds it");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  ErrorDetail back = DetailOf(status);
  EXPECT_EQ(back.code, ErrorCode::kNoAssignment);
  EXPECT_EQ(back.space, "notes");
  EXPECT_EQ(back.node, "n1");
  EXPECT_EQ(back.retry_after, std::chrono::milliseconds(250));
}

TEST(Error, InvalidArgumentNamesTheField) {
  EXPECT_EQ(DetailOf(InvalidArgument("space", "bad")).field, "space");
}

TEST(Error, DeducesTheCodeOfAForeignStatus) {
  EXPECT_EQ(CodeOf(absl::UnavailableError("x")), ErrorCode::kUndetermined);
  EXPECT_EQ(CodeOf(absl::OkStatus()), ErrorCode::kUnspecified);
}

TEST(Error, EveryCodeTellsWhatToDo) {
  for (int i = 0; i < kErrorCodeCount; ++i) {
    EXPECT_FALSE(InfoOf(static_cast<ErrorCode>(i)).next.empty());
    EXPECT_FALSE(InfoOf(static_cast<ErrorCode>(i)).name.empty());
  }
}

}  // namespace
}  // namespace engram
