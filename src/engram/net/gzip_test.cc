// What counts as gzip, and that inflating stops where it must.
#include "engram/net/gzip.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "engram/net/testing/compress.h"

namespace engram::net::internal {
namespace {

using testing::Deflate;
using testing::Format;
using testing::Gzip;
using testing::GzipOfZeros;

constexpr size_t kEnough = 1u << 20;

std::string Mixed(size_t size) {
  std::string text(size, '\0');
  uint32_t x = 1;
  for (char& c : text) c = static_cast<char>((x = x * 1664525u + 1013904223u) >> 28);
  return text;
}

TEST(Gunzip, RoundTrips) {
  for (const size_t size : {0u, 1u, 63u, 64u, 65u, 1000u, 100'000u}) {
    EXPECT_EQ(*Gunzip(Gzip(Mixed(size)), kEnough), Mixed(size)) << size;
    EXPECT_EQ(*Gunzip(Gzip(std::string(size, 'z')), kEnough), std::string(size, 'z')) << size;
  }
}

TEST(Gunzip, TheLimitIsExact) {
  for (const size_t size : {1u, 64u, 5000u, 100'000u}) {
    const std::string compressed = Gzip(Mixed(size));
    EXPECT_EQ(*Gunzip(compressed, size), Mixed(size)) << size;
    EXPECT_EQ(Gunzip(compressed, size - 1).status().code(), absl::StatusCode::kInvalidArgument)
        << size;
  }
}

TEST(Gunzip, MembersFollowEachOther) {
  EXPECT_EQ(*Gunzip(Gzip("one ") + Gzip("") + Gzip("two"), kEnough), "one two");
  EXPECT_EQ(*Gunzip(Gzip(Mixed(9000)) + Gzip("x"), 9001), Mixed(9000) + "x");
  EXPECT_EQ(Gunzip(Gzip("four") + Gzip("x"), 4).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(Gunzip, CutShortAnywhereIsDamaged) {
  const std::string whole = Gzip(Mixed(500));
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(Gunzip(whole.substr(0, size), kEnough).status().code(), absl::StatusCode::kInternal)
        << size;
  }
}

TEST(Gunzip, AChangedByteOfBodyOrChecksumIsDamaged) {
  constexpr size_t kHeaderBytes = 10;
  const std::string whole = Gzip(Mixed(500));
  for (size_t at = kHeaderBytes; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    EXPECT_EQ(Gunzip(damaged, kEnough).status().code(), absl::StatusCode::kInternal) << at;
  }
}

TEST(Gunzip, AnythingElseIsDamaged) {
  for (const std::string& other :
       {std::string("plain text"), Deflate("x", Format::kZlib), Deflate("x", Format::kRaw),
        Gzip("x") + "y", Gzip("x") + std::string(4, '\0')}) {
    EXPECT_EQ(Gunzip(other, kEnough).status().code(), absl::StatusCode::kInternal);
  }
}

TEST(Gunzip, ABombCostsNoMoreThanTheLimit) {
  const std::string bomb = GzipOfZeros(1000);
  ASSERT_LT(bomb.size(), 1100u << 10);
  rusage before{};
  rusage after{};
  getrusage(RUSAGE_SELF, &before);
  const absl::Status status = Gunzip(bomb, 4u << 20).status();
  getrusage(RUSAGE_SELF, &after);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  constexpr long kKilobytesMax = 64 << 10;  // of a gigabyte
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, kKilobytesMax);
}

}  // namespace
}  // namespace engram::net::internal
