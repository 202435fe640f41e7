// Inflating a peer's compressed message.
//
// Input: what is said to be gzip. Whatever that is, no more comes out than the limit allows.
#include <cstdint>
#include <cstdlib>

#include "engram/net/gzip.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kBytesMax = 100'000;
  const auto message =
      engram::net::internal::Gunzip({reinterpret_cast<const char*>(data), size}, kBytesMax);
  if (message.ok() && message->size() > kBytesMax) std::abort();
  return 0;
}
