// Documents that must say what the code says.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "engram/base/error.h"
#include "engram/v1/error.pb.h"

namespace engram::server {
namespace {

TEST(Docs, ErrorsListsEveryCodeAsTheTableHasIt) {
  std::ifstream in(ENGRAM_SOURCE_DIR "/docs/ERRORS.md");
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  for (int i = 0; i < kErrorCodeCount; ++i) {
    const ErrorInfo& info = InfoOf(static_cast<ErrorCode>(i));
    std::string row = fmt::format("| {} | {} | ", info.name, absl::StatusCodeToString(info.grpc));
    size_t at = text.find(row);
    ASSERT_NE(at, std::string::npos) << row;
    EXPECT_NE(text.substr(at, text.find('\n', at) - at).find(info.next), std::string::npos)
        << info.name;
  }
}

TEST(Docs, TheProtoHasTheSameErrorCodes) {
  for (int i = 0; i < kErrorCodeCount; ++i) {
    std::string name(InfoOf(static_cast<ErrorCode>(i)).name);
    EXPECT_EQ(v1::ErrorCode_Name(i), "ERROR_CODE_" + name);
  }
  EXPECT_FALSE(v1::ErrorCode_IsValid(kErrorCodeCount));
}

}  // namespace
}  // namespace engram::server
