// Compressed data for tests, well-formed and otherwise.
#pragma once

#include <string>
#include <string_view>

namespace engram::net::testing {

enum class Format { kGzip, kZlib, kRaw };  // gRPC's "gzip", its "deflate", and neither

std::string Deflate(std::string_view data, Format format);
inline std::string Gzip(std::string_view data) { return Deflate(data, Format::kGzip); }

// A gzip file of so many MiB of zeros, about a thousandth of that in size; made in no time, and its
// checksum is not right.
std::string GzipOfZeros(int mebibytes);

}  // namespace engram::net::testing
