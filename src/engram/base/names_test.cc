#include "engram/base/names.h"

#include <gtest/gtest.h>

#include <string>

#include "engram/base/error.h"

namespace engram {
namespace {

TEST(Names, SpacesFollowTheirAlphabet) {
  EXPECT_TRUE(CheckSpaceName("space", "noun.food_2-b").ok());
  EXPECT_TRUE(CheckSpaceName("space", std::string(128, 'a')).ok());
  for (const std::string& bad : {std::string(), std::string(129, 'a'), std::string("Upper"),
                                 std::string("a b"), std::string("ä"), std::string("a\0b", 3)}) {
    absl::Status status = CheckSpaceName("space", bad);
    EXPECT_EQ(CodeOf(status), ErrorCode::kInvalidArgument) << bad;
    EXPECT_EQ(DetailOf(status).field, "space");
  }
}

TEST(Names, WhatIsWrongIsShownAsItIsTyped) {
  auto error_of = [](const std::string& name) {
    return std::string(CheckSpaceName("space", name).message());
  };
  EXPECT_EQ(error_of("Bad"), "space may hold only [a-z0-9._-], not 'B' at 0");
  EXPECT_EQ(error_of("a b"), "space may hold only [a-z0-9._-], not a space at 1");
  EXPECT_EQ(error_of("a\n"), "space may hold only [a-z0-9._-], not the byte 0x0a at 1");
}

TEST(Names, TooLongNamesTheLimit) {
  EXPECT_EQ(CheckSpaceName("space", std::string(129, 'a')).message(),
            "space has 129 bytes, the limit is 128");
}

TEST(Names, MemoryIdsMayHoldUpperCaseAndColons) {
  EXPECT_TRUE(CheckMemoryId("id", "01ARZ3NDEKTSV4RRFFQ69G5FAV").ok());
  EXPECT_TRUE(CheckMemoryId("id", "noun.food:07555863").ok());
  EXPECT_FALSE(CheckMemoryId("id", "a/b").ok());
  EXPECT_FALSE(CheckMemoryId("id", std::string(65, 'a')).ok());
}

}  // namespace
}  // namespace engram
