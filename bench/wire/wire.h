// What the programs of this folder share: the method they serve and call, how they are told what to
// do, and how they live until their standard input ends.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace engram::bench {

inline constexpr char kMethod[] = "/engram.v1.MemoryService/Get";

// The bytes of a file; ends the program when there is no such file.
inline std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    std::exit(1);
  }
  return {std::istreambuf_iterator<char>(in), {}};
}

// Tells whoever started this program where it listens, and returns when that one closes our
// standard input or is gone.
inline void ServeUntilInputEnds(int port) {
  std::printf("%d\n", port);
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
}

}  // namespace engram::bench
