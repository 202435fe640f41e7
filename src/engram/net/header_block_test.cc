// What of a header list enters the peer's HPACK table: seen in the bytes it takes again.
#include "engram/net/header_block.h"

#include <gtest/gtest.h>

#include <vector>

namespace engram::net::internal {
namespace {

// The sending side of one connection.
class Encoder {
 public:
  Encoder() { nghttp2_hd_deflate_new(&deflater_, NGHTTP2_DEFAULT_HEADER_TABLE_SIZE); }
  ~Encoder() { nghttp2_hd_deflate_del(deflater_); }
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  // Bytes on the wire.
  ssize_t Encode(const Metadata& metadata) {
    HeaderBlock block;
    block.AddMetadata(metadata);
    std::vector<uint8_t> bytes(nghttp2_hd_deflate_bound(deflater_, block.data(), block.size()));
    return nghttp2_hd_deflate_hd(deflater_, bytes.data(), bytes.size(), block.data(), block.size());
  }
  size_t table_bytes() { return nghttp2_hd_deflate_get_dynamic_table_size(deflater_); }

 private:
  nghttp2_hd_deflater* deflater_ = nullptr;
};

Metadata One(std::string_view name, std::string_view value, Recurrence recurrence) {
  Metadata metadata;
  metadata.Add(name, value, recurrence);
  return metadata;
}

TEST(HeaderBlock, ARepeatedValueTakesOneByteFromTheSecondTimeOn) {
  Encoder encoder;
  const Metadata metadata = One("served-by", "node-7", Recurrence::kRepeated);
  EXPECT_GT(encoder.Encode(metadata), 10);
  EXPECT_EQ(encoder.Encode(metadata), 1);
}

TEST(HeaderBlock, AValueOfOneCallLeavesTheTableToTheOthers) {
  Encoder encoder;
  const Metadata metadata = One("request-id", "01ARZ3NDEKTSV4RRFFQ69G5FAV", Recurrence::kOnce);
  EXPECT_EQ(encoder.Encode(metadata), encoder.Encode(metadata));
  EXPECT_EQ(encoder.table_bytes(), 0u);
}

TEST(HeaderBlock, ABinaryValueIsOfOneCall) {
  Encoder encoder;
  encoder.Encode(One("version-bin", "\x01\x02", Recurrence::kRepeated));
  EXPECT_EQ(encoder.table_bytes(), 0u);
}

}  // namespace
}  // namespace engram::net::internal
