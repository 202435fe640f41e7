#include "engram/base/codec.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace engram {
namespace {

TEST(Codec, ReadsBackWhatWasWritten) {
  Encoder out;
  out.Byte(7);
  out.Varint(std::numeric_limits<uint64_t>::max());
  out.Signed(std::numeric_limits<int64_t>::min());
  out.Signed(-3);
  out.Double(0.25);
  out.Bytes(std::string_view("a\0b", 3));
  out.Floats(std::vector<float>{1.5F, -2.0F});

  Decoder in(out.data());
  EXPECT_EQ(in.Byte(), 7);
  EXPECT_EQ(in.Varint(), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(in.Signed(), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(in.Signed(), -3);
  EXPECT_EQ(in.Double(), 0.25);
  EXPECT_EQ(in.Bytes(), std::string_view("a\0b", 3));
  EXPECT_EQ(in.Floats(), (std::vector<float>{1.5F, -2.0F}));
  EXPECT_TRUE(in.Finished());
}

TEST(Codec, EveryTruncationIsNoticed) {
  Encoder out;
  out.Varint(300);
  out.Bytes("content");
  out.Double(1.0);
  for (size_t size = 0; size < out.data().size(); ++size) {
    Decoder in(std::string_view(out.data()).substr(0, size));
    in.Varint();
    in.Bytes();
    in.Double();
    EXPECT_FALSE(in.Finished()) << size;
  }
}

TEST(Codec, LeftOverBytesAreNoticed) {
  Decoder in("\x01\x02");
  in.Byte();
  EXPECT_TRUE(in.ok());
  EXPECT_FALSE(in.Finished());
}

TEST(Codec, VarintOfMoreThan64BitsIsMalformed) {
  Decoder in("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");
  in.Varint();
  EXPECT_FALSE(in.ok());
}

TEST(Codec, DamagedCountsDoNotAllocate) {
  Encoder out;
  out.Varint(uint64_t{1} << 60);
  EXPECT_EQ(Decoder(out.data()).Count(), 0u);
  EXPECT_TRUE(Decoder(out.data()).Floats().empty());
  EXPECT_TRUE(Decoder(out.data()).Bytes().empty());
}

TEST(Codec, BigEndianBytesSortLikeNumbers) {
  std::mt19937_64 random(42);
  for (int i = 0; i < 1000; ++i) {
    uint64_t a = random() >> (random() % 64);
    uint64_t b = random() >> (random() % 64);
    std::string key_a;
    std::string key_b;
    AppendBigEndian64(key_a, a);
    AppendBigEndian64(key_b, b);
    EXPECT_EQ(a < b, key_a < key_b);
    EXPECT_EQ(ReadBigEndian64(key_a), a);
  }
}

}  // namespace
}  // namespace engram
