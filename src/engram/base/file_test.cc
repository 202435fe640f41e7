#include "engram/base/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace engram {
namespace {

using testing::HasSubstr;

class File : public testing::Test {
 protected:
  File() {
    std::string pattern = (std::filesystem::temp_directory_path() / "engram-file-XXXXXX").string();
    dir_ = mkdtemp(pattern.data());
  }
  ~File() override { std::filesystem::remove_all(dir_); }

  std::filesystem::path dir_;
};

TEST_F(File, WhatIsWrittenIsRead) {
  std::string text("a\0b\n", 4);
  ASSERT_TRUE(WriteFile(dir_ / "x", "before").ok());
  ASSERT_TRUE(WriteFile(dir_ / "x", text).ok());
  EXPECT_EQ(*ReadFile(dir_ / "x"), text);
}

TEST_F(File, WhatCannotBeReadSaysWhy) {
  EXPECT_THAT(std::string(ReadFile(dir_ / "none").status().message()), HasSubstr("No such file"));
  EXPECT_THAT(std::string(ReadFile(dir_).status().message()), HasSubstr("Is a directory"));
  EXPECT_FALSE(WriteFile(dir_ / "none" / "x", "y").ok());
}

}  // namespace
}  // namespace engram
