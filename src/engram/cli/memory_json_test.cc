#include "engram/cli/memory_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace engram::cli {
namespace {

using testing::HasSubstr;

std::string ErrorOf(std::string_view line) {
  return std::string(ParseMemoryLine(line, "").status().message());
}

TEST(MemoryJson, ReadsEveryKey) {
  auto request = ParseMemoryLine(
      R"({"space":"s","id":"i","content":"c","tags":["t"],"metadata":{"k":"v"},"kind":"semantic","confidence":0.5,)"
      R"("embedding":[1,2.5],"links":[{"to":"j","weight":0.25},{"to":"k"}],"occurred_at":"2026-01-31T12:00:00Z"})",
      "");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->space(), "s");
  EXPECT_EQ(request->metadata().at("k"), "v");
  EXPECT_EQ(request->kind(), v1::KIND_SEMANTIC);
  EXPECT_EQ(request->embedding(1), 2.5f);
  EXPECT_EQ(request->links(0).weight(), 0.25);
  EXPECT_FALSE(request->links(1).has_weight());
  EXPECT_EQ(request->occurred_at().seconds(), 1769860800);
}

TEST(MemoryJson, TakesTheDefaultSpace) {
  EXPECT_EQ(ParseMemoryLine(R"({"content":"c"})", "notes")->space(), "notes");
  EXPECT_EQ(ParseMemoryLine(R"({"content":"c","space":"own"})", "notes")->space(), "own");
}

TEST(MemoryJson, SaysWhatIsWrong) {
  EXPECT_EQ(ErrorOf("not json"), "the line is not a JSON object");
  EXPECT_EQ(ErrorOf("[1]"), "the line is not a JSON object");
  EXPECT_EQ(ErrorOf(R"({"space":"s","content":"c","tag":["x"]})"), "there is no key 'tag'");
  EXPECT_EQ(ErrorOf(R"({"space":"s","content":7})"), "content must be a string");
  EXPECT_EQ(ErrorOf(R"({"space":"s"})"), "content is missing or empty");
  EXPECT_THAT(ErrorOf(R"({"content":"c"})"), HasSubstr("--space"));
  EXPECT_THAT(ErrorOf(R"({"space":"s","content":"c","links":["x"]})"), HasSubstr("\"to\": ID"));
  EXPECT_THAT(ErrorOf(R"({"space":"s","content":"c","occurred_at":"soon"})"),
              HasSubstr("2026-01-31"));
  EXPECT_THAT(ErrorOf(R"({"space":"s","content":"c","kind":"odd"})"), HasSubstr("\"semantic\""));
  EXPECT_THAT(ErrorOf(R"({"space":"s","content":"c","embedding":["1"]})"),
              HasSubstr("list of numbers"));
}

}  // namespace
}  // namespace engram::cli
