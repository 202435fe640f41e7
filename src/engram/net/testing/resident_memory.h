// What this process holds in memory, for tests of what a peer can make us hold. Linux only.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <fstream>

#ifndef __has_feature
#define __has_feature(x) 0
#endif

namespace engram::net::testing {

// The address sanitizer keeps freed memory and surrounds what is held: then it says nothing of us.
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer) || \
    defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
inline constexpr bool kResidentMemoryIsOurs = false;
#else
inline constexpr bool kResidentMemoryIsOurs = true;
#endif

inline int64_t ResidentBytes() {
  std::ifstream pages("/proc/self/statm");
  int64_t virtual_pages = 0;
  int64_t resident_pages = 0;
  pages >> virtual_pages >> resident_pages;
  return resident_pages * ::sysconf(_SC_PAGESIZE);
}

}  // namespace engram::net::testing
