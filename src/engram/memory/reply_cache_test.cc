#include "engram/memory/reply_cache.h"

#include <gtest/gtest.h>

#include <optional>

#include "engram/memory/testing/engine_fixture.h"

namespace engram::memory {
namespace {

ReplyCache::Bytes BytesOf(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

bool Holds(ReplyCache& cache, std::string_view key) { return cache.Find(key).found != nullptr; }

TEST(ReplyCache, KeepsWhatWasRead) {
  ReplyCache cache(1 << 20);
  const auto missed = cache.Find("k");
  ASSERT_EQ(missed.found, nullptr);
  cache.Keep("k", missed.ticket, BytesOf("v"));
  const auto hit = cache.Find("k");
  ASSERT_NE(hit.found, nullptr);
  EXPECT_EQ(*hit.found, "v");
}

TEST(ReplyCache, ForgetsWhatIsBeingWritten) {
  ReplyCache cache(1 << 20);
  cache.Keep("k", cache.Find("k").ticket, BytesOf("v"));
  const ReplyCache::WriteGuard guard(cache, {"k"});
  EXPECT_FALSE(Holds(cache, "k"));
}

TEST(ReplyCache, KeepsNothingReadDuringAWrite) {
  ReplyCache cache(1 << 20);
  std::optional<ReplyCache::WriteGuard> guard;
  guard.emplace(cache, std::vector<std::string>{"k"});
  const auto missed = cache.Find("k");
  cache.Keep("k", missed.ticket, BytesOf("early"));
  EXPECT_FALSE(Holds(cache, "k"));
  guard.reset();
  cache.Keep("k", missed.ticket, BytesOf("late"));
  EXPECT_FALSE(Holds(cache, "k"));
}

TEST(ReplyCache, KeepsNothingReadBeforeAWriteThatIsOver) {
  ReplyCache cache(1 << 20);
  const auto missed = cache.Find("k");
  { const ReplyCache::WriteGuard guard(cache, {"k"}); }
  cache.Keep("k", missed.ticket, BytesOf("outdated"));
  EXPECT_FALSE(Holds(cache, "k"));
}

TEST(ReplyCache, ForgetsWhatIsNotAskedForWhenFull) {
  ReplyCache cache(1 << 20);
  cache.Keep("hot", cache.Find("hot").ticket, BytesOf("v"));
  cache.Keep("cold", cache.Find("cold").ticket, BytesOf("v"));
  for (int i = 0; i < 3000; ++i) {
    const std::string key = std::to_string(i);
    cache.Keep(key, cache.Find(key).ticket, BytesOf(std::string(1000, 'x')));
    ASSERT_TRUE(Holds(cache, "hot"));
  }
  EXPECT_FALSE(Holds(cache, "cold"));
  int held = 0;
  for (int i = 0; i < 3000; ++i) held += Holds(cache, std::to_string(i)) ? 1 : 0;
  EXPECT_LE(held * 1000, 1 << 20);
  EXPECT_GT(held, 200);
}

TEST(ReplyCache, HoldsNothingWithoutRoom) {
  ReplyCache cache(0);
  cache.Keep("k", cache.Find("k").ticket, BytesOf("v"));
  EXPECT_FALSE(Holds(cache, "k"));
}

class GetEncoded : public EngineTest {
 protected:
  std::string Show(const std::string& id) {
    auto bytes = engine_->GetEncoded(space_, MemoryId(id));
    return bytes.ok() ? **bytes : std::string(bytes.status().message());
  }
};

TEST_F(GetEncoded, ShowsEveryWriteAtOnce) {
  ASSERT_TRUE(Store("a", "one").ok());
  ASSERT_TRUE(Store("b", "other").ok());
  EXPECT_EQ(Show("a"), "one, 0 links");
  EXPECT_EQ(Show("a"), "one, 0 links");
  ASSERT_TRUE(Store("a", "two").ok());
  EXPECT_EQ(Show("a"), "two, 0 links");
  ASSERT_TRUE(Link("a", "b").ok());
  EXPECT_EQ(Show("a"), "two, 1 links");
  ASSERT_TRUE(Store("c", "third").ok());
  ASSERT_TRUE(Link("a", "c").ok());
  EXPECT_EQ(Show("a"), "two, 2 links");
  ASSERT_TRUE(Forget("a").ok());
  EXPECT_FALSE(engine_->GetEncoded(space_, MemoryId("a")).ok());
}

TEST_F(GetEncoded, EncodesAHotMemoryOnce) {
  ASSERT_TRUE(Store("a", "one").ok());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Show("a"), "one, 0 links");
  EXPECT_EQ(encoded_.load(), 1);
}

TEST_F(GetEncoded, FailsAsGetDoes) {
  ASSERT_TRUE(Store("a", "one").ok());
  EXPECT_EQ(engine_->GetEncoded(space_, MemoryId("none")).status(),
            engine_->Get(space_, MemoryId("none")).status());
  EXPECT_EQ(engine_->GetEncoded(SpaceId("none"), MemoryId("a")).status(),
            engine_->Get(SpaceId("none"), MemoryId("a")).status());
}

}  // namespace
}  // namespace engram::memory
