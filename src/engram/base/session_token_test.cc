#include "engram/base/session_token.h"

#include <gtest/gtest.h>

#include <initializer_list>

#include "engram/base/error.h"

namespace engram {
namespace {

const Version kChange{{7, NodeId("node-2")}, 1234};

TEST(SessionToken, IsReadAsItWasWritten) {
  EXPECT_EQ(ToSessionToken(kChange), "7:node-2:1234");
  EXPECT_EQ(ParseSessionToken("7:node-2:1234"), kChange);
}

TEST(SessionToken, WhatIsNoneIsRefused) {
  for (const char* text : {"", "7", "7:node-2", ":node-2:1", "7:node-2:", "7::1", "x:node-2:1",
                           "7:node-2:-1", "7:node 2:1", "7:node-2:99999999999999999999"}) {
    EXPECT_FALSE(ParseSessionToken(text).has_value()) << text;
  }
}

TEST(SessionToken, OneWithoutASpaceIsOfTheRequestsSpace) {
  auto tokens = ParseSessionTokens("engram-session", "7:node-2:1234", "notes");
  ASSERT_TRUE(tokens.ok());
  EXPECT_EQ(tokens->size(), 1u);
  EXPECT_EQ(tokens->at("notes"), kChange);
}

TEST(SessionToken, EachSpaceHasItsOwn) {
  auto tokens = ParseSessionTokens("engram-session", "a=1:x:2,b=7:node-2:1234", "");
  ASSERT_TRUE(tokens.ok());
  EXPECT_EQ(tokens->at("b"), kChange);
  EXPECT_EQ(tokens->at("a").sequence, 2u);
}

TEST(SessionToken, ABadOneAmongSeveralIsNamed) {
  for (const char* text : {"a=1:x:2,7", "a=1:x:2,7:node-2:1234", "A=1:x:2", "=1:x:2", "a=,"}) {
    auto tokens = ParseSessionTokens("engram-session", text, "");
    EXPECT_EQ(DetailOf(tokens.status()).field, "engram-session") << text;
  }
}

}  // namespace
}  // namespace engram
