#include "engram/base/ulid.h"

#include <gtest/gtest.h>

namespace engram {
namespace {

TEST(Ulid, TextAndBytesComeBack) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 1000; ++i) {
    Ulid id = Ulid::Make(WallMillis{1'700'000'000'000 + i}, random);
    EXPECT_EQ(Ulid::Parse(id.ToString()), id);
    EXPECT_EQ(Ulid::FromBytes(id.ToBytes()), id);
    EXPECT_EQ(ToInt(id.time()), 1'700'000'000'000 + i);
  }
}

TEST(Ulid, MatchesThePublishedExample) {
  auto id = Ulid::Parse("01ARZ3NDEKTSV4RRFFQ69G5FAV");
  ASSERT_TRUE(id.has_value());
  EXPECT_EQ(ToInt(id->time()), 1469922850259);
  EXPECT_EQ(id->ToString(), "01ARZ3NDEKTSV4RRFFQ69G5FAV");
}

TEST(Ulid, TextOrderIsTimeOrder) {
  std::mt19937_64 random(7);
  Ulid earlier = Ulid::Make(WallMillis{1000}, random);
  Ulid later = Ulid::Make(WallMillis{1001}, random);
  EXPECT_LT(earlier.ToString(), later.ToString());
  EXPECT_LT(earlier.ToBytes(), later.ToBytes());
  EXPECT_LT(earlier, later);
}

TEST(Ulid, RefusesWhatIsNotOne) {
  for (const char* text : {"", "01ARZ3NDEKTSV4RRFFQ69G5FA", "81ARZ3NDEKTSV4RRFFQ69G5FAV",
                           "01ARZ3NDEKTSV4RRFFQ69G5FAU", "01ARZ3NDEKTSV4RRFFQ69G5FAVX"}) {
    EXPECT_FALSE(Ulid::Parse(text).has_value()) << text;
  }
}

TEST(Ulid, DerivedIdsAreStableAndDistinct) {
  std::mt19937_64 random(7);
  Ulid parent = Ulid::Make(WallMillis{5}, random);
  EXPECT_EQ(Ulid::Derive(parent, 3), Ulid::Derive(parent, 3));
  EXPECT_NE(Ulid::Derive(parent, 3), Ulid::Derive(parent, 4));
  EXPECT_EQ(Ulid::Derive(parent, 3).time(), parent.time());
}

}  // namespace
}  // namespace engram
