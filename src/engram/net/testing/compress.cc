#include "engram/net/testing/compress.h"

#include <zlib.h>

#include <cstdlib>

namespace engram::net::testing {
namespace {

int WindowBits(Format format) {
  switch (format) {
    case Format::kGzip:
      return 15 + 16;
    case Format::kZlib:
      return 15;
    case Format::kRaw:
      return -15;
  }
  std::abort();
}

std::string Run(std::string_view data, Format format, int flush) {
  z_stream zlib{};
  if (deflateInit2(&zlib, Z_BEST_COMPRESSION, Z_DEFLATED, WindowBits(format), 8,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    std::abort();
  }
  constexpr size_t kFlushBytes = 64;
  std::string out(deflateBound(&zlib, data.size()) + kFlushBytes, '\0');
  zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  zlib.avail_in = static_cast<uInt>(data.size());
  zlib.next_out = reinterpret_cast<Bytef*>(out.data());
  zlib.avail_out = static_cast<uInt>(out.size());
  deflate(&zlib, flush);
  out.resize(zlib.total_out);
  deflateEnd(&zlib);
  return out;
}

}  // namespace

std::string Deflate(std::string_view data, Format format) { return Run(data, format, Z_FINISH); }

std::string GzipOfZeros(int mebibytes) {
  constexpr std::string_view kHeader("\x1f\x8b\x08\0\0\0\0\0\0\3", 10);
  // After a full flush blocks depend on nothing before them: the same ones again and again.
  const std::string blocks = Run(std::string(1u << 20, '\0'), Format::kRaw, Z_FULL_FLUSH);
  std::string out(kHeader);
  for (int i = 0; i < mebibytes; ++i) out += blocks;
  out += Run("", Format::kRaw, Z_FINISH);
  out += std::string(4, '\0');  // the checksum
  const uint32_t size = static_cast<uint32_t>(mebibytes) << 20;
  for (int shift : {0, 8, 16, 24}) out += static_cast<char>(size >> shift);
  return out;
}

}  // namespace engram::net::testing
