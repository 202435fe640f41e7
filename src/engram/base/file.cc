#include "engram/base/file.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <system_error>

#include "engram/base/error.h"

namespace engram {
namespace {

struct Closer {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using FilePtr = std::unique_ptr<std::FILE, Closer>;

absl::Status Failed(const char* what, const std::filesystem::path& file) {
  return InvalidArgument(
      "file", fmt::format("cannot {} {}: {}", what, file.string(), std::strerror(errno)));
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const std::filesystem::path& file) {
  FilePtr in(std::fopen(file.c_str(), "rbe"));
  if (in == nullptr) return Failed("read", file);
  std::string text;
  std::array<char, 1 << 16> buffer;
  size_t size = 0;
  while ((size = std::fread(buffer.data(), 1, buffer.size(), in.get())) > 0) {
    text.append(buffer.data(), size);
  }
  if (std::ferror(in.get()) != 0) return Failed("read", file);
  return text;
}

absl::Status WriteFile(const std::filesystem::path& file, std::string_view text) {
  std::filesystem::path temporary = file;
  temporary += ".tmp";
  FilePtr out(std::fopen(temporary.c_str(), "wbe"));
  if (out == nullptr) return Failed("write", temporary);
  bool written = std::fwrite(text.data(), 1, text.size(), out.get()) == text.size() &&
                 std::fflush(out.get()) == 0;
  out.reset();
  if (!written || std::rename(temporary.c_str(), file.c_str()) != 0) return Failed("write", file);
  return absl::OkStatus();
}

}  // namespace engram
