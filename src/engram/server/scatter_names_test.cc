#include "engram/server/scatter_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engram/base/error.h"

namespace engram::server {
namespace {

using ::testing::ElementsAre;

absl::StatusOr<SpaceNames> Parsed(const std::vector<std::string>& spaces) {
  return ParseSpaceNames({spaces.begin(), spaces.end()});
}

TEST(ScatterNames, EachIsAskedOnceInTheOrderGiven) {
  auto parsed = Parsed({"b", "a-*", "a", "b", "a-*", "*"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(parsed->names, ElementsAre("b", "a"));
  EXPECT_THAT(parsed->patterns, ElementsAre("a-*", "*"));
}

TEST(ScatterNames, WhatIsNoNameIsRefused) {
  for (const char* bad : {"", "A", "a b", "a?*", "a/*"}) {
    EXPECT_EQ(DetailOf(Parsed({bad}).status()).field, "spaces") << bad;
  }
  EXPECT_TRUE(Parsed(std::vector<std::string>(kSpacesAskedMax, "s")).ok());
  EXPECT_EQ(DetailOf(Parsed(std::vector<std::string>(kSpacesAskedMax + 1, "s")).status()).field,
            "spaces");
}

TEST(ScatterNames, AStarStandsForAnyNumberOfCharacters) {
  for (const char* pattern : {"notes-1", "notes-*", "*", "**", "*1", "n*e*1", "notes-1*", "*-*"}) {
    EXPECT_TRUE(Matches(pattern, "notes-1")) << pattern;
  }
  for (const char* pattern : {"", "notes", "otes-*", "*2", "n*x*1", "notes-1*1", "notes-11"}) {
    EXPECT_FALSE(Matches(pattern, "notes-1")) << pattern;
  }
  EXPECT_TRUE(Matches("a*b", "axbxb"));
  EXPECT_TRUE(Matches("*", ""));
}

}  // namespace
}  // namespace engram::server
