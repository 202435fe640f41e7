#include "engram/net/gzip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <new>

#include "engram/base/error.h"

namespace engram::net::internal {
namespace {

constexpr int kGzipOnly = 15 + 16;  // windowBits: any window, gzip's header and trailer
constexpr size_t kSmallBytes = 64;
constexpr size_t kBytesMax = std::numeric_limits<uint32_t>::max() - 1;  // of any gRPC message
// "the maximum compression factor is 1032:1" (zlib's technical notes)
constexpr size_t kInflationMax = 1032;

// zlib's state while one message is inflated.
class Inflater {
 public:
  Inflater(std::string_view compressed, size_t bytes_max)
      : bytes_limit_(std::min(bytes_max, kBytesMax) + 1) {
    // zlib does not write to its input; it only lacks the const.
    zlib_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
    zlib_.avail_in = static_cast<uInt>(compressed.size());
    if (inflateInit2(&zlib_, kGzipOnly) != Z_OK) throw std::bad_alloc();
  }
  ~Inflater() { inflateEnd(&zlib_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  // Inflates until there is no more, or one byte more than allowed. False: it is not gzip.
  bool Run(size_t bytes_expected) {
    Resize(bytes_expected);
    for (;;) {
      // Z_FINISH: with room for all of it, zlib needs no window of its own.
      switch (inflate(&zlib_, Z_FINISH)) {
        case Z_STREAM_END:
          if (zlib_.avail_in == 0) return true;
          inflateReset(&zlib_);  // another member
          break;
        case Z_OK:
        case Z_BUF_ERROR:
          if (too_large()) return true;
          if (zlib_.avail_out > 0) return false;  // cut short
          Resize(std::max(2 * out_.size(), kSmallBytes));
          break;
        case Z_MEM_ERROR:
          throw std::bad_alloc();
        default:
          return false;
      }
    }
  }
  bool too_large() const { return written() == bytes_limit_; }
  std::string Take() {
    out_.resize(written());
    return std::move(out_);
  }

 private:
  size_t written() const { return out_.size() - zlib_.avail_out; }
  void Resize(size_t bytes) {
    const size_t done = written();
    out_.resize(std::min(bytes, bytes_limit_));
    zlib_.next_out = reinterpret_cast<Bytef*>(out_.data()) + done;
    zlib_.avail_out = static_cast<uInt>(out_.size() - done);
  }

  const size_t bytes_limit_;  // one more than allowed: to see that there is more
  z_stream zlib_{};
  std::string out_;
};

// What the last member says at its end, as far as it can be true: the whole message in one
// allocation, if it is one member.
size_t ExpectedBytes(std::string_view compressed) {
  constexpr size_t kSizeField = 4;
  if (compressed.size() < kSizeField) return 0;
  size_t announced = 0;
  for (size_t i = 1; i <= kSizeField; ++i) {
    announced = announced << 8 | static_cast<uint8_t>(compressed[compressed.size() - i]);
  }
  return std::min(announced, compressed.size() * kInflationMax);
}

}  // namespace

absl::StatusOr<std::string> Gunzip(std::string_view compressed, size_t bytes_max) {
  Inflater inflater(compressed, bytes_max);
  if (!inflater.Run(ExpectedBytes(compressed))) {
    return MakeError(ErrorCode::kInternal, "the compressed message is damaged: not one gzip file");
  }
  if (inflater.too_large()) {
    return InvalidArgument(
        "message",
        fmt::format("the message inflates to more than the limit of {} bytes", bytes_max));
  }
  return inflater.Take();
}

}  // namespace engram::net::internal
