#include "engram/server/peek.h"

#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include <random>

#include "engram/v1/memory.pb.h"

namespace engram::server {
namespace {

TEST(Peek, FindsTheSpaceAmongTheOtherFields) {
  v1::StoreRequest request;
  request.set_space("notes");
  request.set_id("tea");
  request.set_content(std::string(10'000, 'x'));
  request.add_embedding(1.0f);
  (*request.mutable_metadata())["a"] = "b";
  std::string bytes = request.SerializeAsString();
  EXPECT_EQ(PeekSpace(bytes), "notes");
  EXPECT_EQ(PeekId(bytes), "tea");
}

TEST(Peek, PointsIntoTheMessage) {
  v1::GetRequest request;
  request.set_space("a-space-too-long-for-the-small-string-buffer");
  std::string bytes = request.SerializeAsString();
  std::string_view space = *PeekSpace(bytes);
  EXPECT_GE(space.data(), bytes.data());
  EXPECT_LE(space.data() + space.size(), bytes.data() + bytes.size());
}

TEST(Peek, TakesFieldOneWhereverItStandsAndTheLastOfSeveral) {
  v1::GetRequest id_only;
  id_only.set_id("x");
  v1::GetRequest first;
  first.set_space("first");
  v1::GetRequest second;
  second.set_space("second");
  std::string bytes =
      id_only.SerializeAsString() + first.SerializeAsString() + second.SerializeAsString();
  EXPECT_EQ(PeekSpace(bytes), "second");
  v1::GetRequest parsed;
  ASSERT_TRUE(parsed.ParseFromString(bytes));
  EXPECT_EQ(parsed.space(), "second");
}

TEST(Peek, AnAbsentFieldIsEmpty) { EXPECT_EQ(PeekSpace(""), ""); }

TEST(Peek, RefusesWhatIsCutOff) {
  v1::GetRequest request;
  request.set_space("notes");
  request.set_id("tea");
  std::string bytes = request.SerializeAsString();
  EXPECT_FALSE(PeekSpace(bytes.substr(0, bytes.size() - 1)).has_value());
  EXPECT_FALSE(PeekSpace(bytes.substr(0, 3)).has_value());
  EXPECT_FALSE(PeekSpace("\x07").has_value());
}

// Whatever the bytes, the peek and the parser agree: what the peek accepts is what the parser sees.
TEST(Peek, AgreesWithTheParserOnDamagedMessages) {
  v1::GetRequest request;
  request.set_space("notes");
  request.set_id("tea");
  const std::string good = request.SerializeAsString();
  std::mt19937 random(11);
  google::protobuf::LogSilencer quiet;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = good;
    bytes[random() % bytes.size()] = static_cast<char>(random());
    if (random() % 4 == 0) bytes.resize(random() % bytes.size());
    v1::GetRequest parsed;
    if (!parsed.ParseFromString(bytes)) continue;
    EXPECT_EQ(PeekSpace(bytes), parsed.space());
  }
}

}  // namespace
}  // namespace engram::server
