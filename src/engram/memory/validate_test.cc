// Every limit, at the limit and one beyond.
#include "engram/memory/validate.h"

#include <functional>
#include <limits>

#include "engram/memory/limits.h"
#include "engram/memory/testing/engine_fixture.h"

namespace engram::memory {
namespace {

constexpr RequestWindow kWindow{WallMillis{kTestStart}, std::chrono::hours(1)};

WriteIdentity IdentityAt(int64_t millis) {
  std::mt19937_64 random(1);
  return {Ulid::Make(WallMillis{millis}, random), 0};
}

StoreCommand GoodStore() {
  StoreCommand command;
  command.space = SpaceId("s");
  command.content = "text";
  command.identity = IdentityAt(kTestStart);
  return command;
}

struct StoreCase {
  const char* name;
  const char* field;  // "" : accepted
  std::function<void(StoreCommand&)> change;
};

std::vector<StoreCase> StoreCases() {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  auto metadata = [](size_t bytes) {
    return std::map<std::string, std::string>{{"k", std::string(bytes - 1, 'v')}};
  };
  using Command = StoreCommand;
  return {
      {"Good", "", [](Command&) {}},
      {"BadSpace", "space", [](Command& c) { c.space = SpaceId("No Spaces"); }},
      {"BadId", "id", [](Command& c) { c.id = MemoryId("a/b"); }},
      {"EmptyId", "id", [](Command& c) { c.id = MemoryId(""); }},
      {"EmptyContent", "content", [](Command& c) { c.content.clear(); }},
      {"LongestContent", "", [](Command& c) { c.content.assign(kContentBytesMax, 'x'); }},
      {"ContentTooLong", "content",
       [](Command& c) { c.content.assign(kContentBytesMax + 1, 'x'); }},
      {"ContentNotUtf8", "content", [](Command& c) { c.content = "\xff"; }},
      {"MostTags", "", [](Command& c) { c.tags.assign(kTagsMax, "t"); }},
      {"TooManyTags", "tags", [](Command& c) { c.tags.assign(kTagsMax + 1, "t"); }},
      {"EmptyTag", "tags", [](Command& c) { c.tags = {""}; }},
      {"LongestTag", "", [](Command& c) { c.tags = {std::string(kTagBytesMax, 't')}; }},
      {"TagTooLong", "tags", [](Command& c) { c.tags = {std::string(kTagBytesMax + 1, 't')}; }},
      {"MostMetadata", "", [=](Command& c) { c.metadata = metadata(kMetadataBytesMax); }},
      {"TooMuchMetadata", "metadata",
       [=](Command& c) { c.metadata = metadata(kMetadataBytesMax + 1); }},
      {"EmptyMetadataKey", "metadata",
       [](Command& c) {
         c.metadata = {{"", "v"}};
       }},
      {"ConfidenceOne", "", [](Command& c) { c.confidence = 1; }},
      {"ConfidenceAboveOne", "confidence", [](Command& c) { c.confidence = 1.01; }},
      {"ConfidenceNegative", "confidence", [](Command& c) { c.confidence = -0.01; }},
      {"ConfidenceNaN", "confidence", [=](Command& c) { c.confidence = nan; }},
      {"EmbeddingNaN", "embedding",
       [=](Command& c) {
         c.embedding = {1, nan};
       }},
      {"EmbeddingInfinite", "embedding",
       [=](Command& c) {
         c.embedding = {1, infinity};
       }},
      {"EmbeddingZero", "embedding",
       [](Command& c) {
         c.embedding = {0, 0};
       }},
      {"LongestEmbedding", "", [](Command& c) { c.embedding.assign(kEmbeddingNumbersMax, 1); }},
      {"EmbeddingTooLong", "embedding",
       [](Command& c) { c.embedding.assign(kEmbeddingNumbersMax + 1, 1); }},
      {"MostLinks", "",
       [](Command& c) {
         c.links.assign(kLinksMax, {MemoryId("m"), 1});
       }},
      {"TooManyLinks", "links",
       [](Command& c) {
         c.links.assign(kLinksMax + 1, {MemoryId("m"), 1});
       }},
      {"LinkToBadId", "links.to",
       [](Command& c) {
         c.links = {{MemoryId(""), 1}};
       }},
      {"LinkToItself", "links",
       [](Command& c) {
         c.id = MemoryId("m");
         c.links = {{MemoryId("m"), 1}};
       }},
      {"LinkToItsDerivedId", "links",
       [](Command& c) {
         c.links = {{MemoryId(Ulid::Derive(c.identity.request_id, 0).ToString()), 1}};
       }},
      {"LinkWeightZero", "weight",
       [](Command& c) {
         c.links = {{MemoryId("m"), 0}};
       }},
      {"LinkWeightAboveOne", "weight",
       [](Command& c) {
         c.links = {{MemoryId("m"), 1.5}};
       }},
      {"LinkWeightNaN", "weight",
       [=](Command& c) {
         c.links = {{MemoryId("m"), nan}};
       }},
      {"UnknownKind", "kind", [](Command& c) { c.kind = static_cast<Kind>(9); }},
      {"ZeroRequestId", "request_id", [](Command& c) { c.identity = {}; }},
      {"OldestRequestId", "", [](Command& c) { c.identity = IdentityAt(kTestStart - 3'600'000); }},
      {"RequestIdTooOld", "request_id",
       [](Command& c) { c.identity = IdentityAt(kTestStart - 3'600'001); }},
      {"RequestIdAhead", "", [](Command& c) { c.identity = IdentityAt(kTestStart + 300'000); }},
      {"RequestIdTooFarAhead", "request_id",
       [](Command& c) { c.identity = IdentityAt(kTestStart + 300'001); }},
  };
}

class ValidateStoreCase : public ::testing::TestWithParam<StoreCase> {};

TEST_P(ValidateStoreCase, IsJudged) {
  StoreCommand command = GoodStore();
  GetParam().change(command);
  const absl::Status status = ValidateStore(command, kWindow);
  if (std::string_view(GetParam().field).empty()) {
    EXPECT_TRUE(status.ok()) << status;
  } else {
    EXPECT_EQ(InvalidField(status), GetParam().field);
  }
}

INSTANTIATE_TEST_SUITE_P(Limits, ValidateStoreCase, ::testing::ValuesIn(StoreCases()),
                         [](const auto& tested) { return tested.param.name; });

struct RecallCase {
  const char* name;
  const char* field;
  std::function<void(RecallQuery&)> change;
};

std::vector<RecallCase> RecallCases() {
  using Query = RecallQuery;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  return {
      {"Good", "", [](Query&) {}},
      {"BadSpace", "space", [](Query& q) { q.space = SpaceId(""); }},
      {"NothingAsked", "query", [](Query& q) { q.text.clear(); }},
      {"EmbeddingAlone", "",
       [](Query& q) {
         q.text.clear();
         q.embedding = {1};
       }},
      {"LongestQuery", "", [](Query& q) { q.text.assign(kQueryBytesMax, 'x'); }},
      {"QueryTooLong", "query", [](Query& q) { q.text.assign(kQueryBytesMax + 1, 'x'); }},
      {"QueryNotUtf8", "query", [](Query& q) { q.text = "\xc3"; }},
      {"EmbeddingNaN", "embedding", [=](Query& q) { q.embedding = {nan}; }},
      {"LimitZero", "limit", [](Query& q) { q.limit = 0; }},
      {"LimitMost", "", [](Query& q) { q.limit = kRecallLimitMax; }},
      {"LimitTooHigh", "limit", [](Query& q) { q.limit = kRecallLimitMax + 1; }},
      {"TagTooLong", "tags", [](Query& q) { q.tags = {std::string(kTagBytesMax + 1, 't')}; }},
      {"EmptyMetadataKey", "metadata",
       [](Query& q) {
         q.metadata = {{"", "v"}};
       }},
      {"UnknownKind", "kind", [](Query& q) { q.kind = static_cast<Kind>(3); }},
      {"MinConfidenceTooHigh", "min_confidence", [](Query& q) { q.min_confidence = 2; }},
      {"AfterNotBeforeBefore", "after", [](Query& q) { q.after = q.before = WallMillis{5}; }},
  };
}

class ValidateRecallCase : public ::testing::TestWithParam<RecallCase> {};

TEST_P(ValidateRecallCase, IsJudged) {
  RecallQuery query;
  query.space = SpaceId("s");
  query.text = "words";
  GetParam().change(query);
  const absl::Status status = ValidateRecall(query);
  if (std::string_view(GetParam().field).empty()) {
    EXPECT_TRUE(status.ok()) << status;
  } else {
    EXPECT_EQ(InvalidField(status), GetParam().field);
  }
}

INSTANTIATE_TEST_SUITE_P(Limits, ValidateRecallCase, ::testing::ValuesIn(RecallCases()),
                         [](const auto& tested) { return tested.param.name; });

TEST(ValidateLink, JudgesIdsAndWeight) {
  LinkCommand link{SpaceId("s"), MemoryId("a"), MemoryId("b"), 1.0, IdentityAt(kTestStart)};
  EXPECT_TRUE(ValidateLink(link, kWindow).ok());
  link.weight = 0;
  EXPECT_EQ(InvalidField(ValidateLink(link, kWindow)), "weight");
  link.to = link.from;
  link.weight = 1;
  EXPECT_EQ(InvalidField(ValidateLink(link, kWindow)), "to");
  link.to = MemoryId("not valid");
  EXPECT_EQ(InvalidField(ValidateLink(link, kWindow)), "to");
  link.from = MemoryId("not valid");
  EXPECT_EQ(InvalidField(ValidateLink(link, kWindow)), "from");
}

TEST(ValidateForget, JudgesTheId) {
  ForgetCommand forget{SpaceId("s"), MemoryId(""), IdentityAt(kTestStart)};
  EXPECT_EQ(InvalidField(ValidateForget(forget, kWindow)), "id");
}

TEST(ValidateMessages, NameTheLimit) {
  StoreCommand command = GoodStore();
  command.content.assign(kContentBytesMax + 1, 'x');
  EXPECT_THAT(ValidateStore(command, kWindow).ToString(),
              ::testing::HasSubstr("content has 3670017 bytes, the limit is 3670016"));
}

}  // namespace
}  // namespace engram::memory
