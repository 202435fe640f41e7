// How the servers of these tests live: they say their port, and serve until their input ends.
#pragma once

#include <cstdint>
#include <cstdio>

namespace engram::interop {

inline void ServeUntilInputEnds(uint16_t port) {
  std::printf("%d\n", port);
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
}

}  // namespace engram::interop
