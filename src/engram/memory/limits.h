// How much of everything the engine takes: the one table of bounds (SPEC §8). Names have theirs in
// base/names.h.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace engram::memory {

// Below the wire's 4 MiB for a message, so that a memory with everything else at its bound can
// still be read.
inline constexpr size_t kContentBytesMax = 3'670'016;  // 3.5 MiB
inline constexpr size_t kTagsMax = 64;
inline constexpr size_t kTagBytesMax = 128;
inline constexpr size_t kMetadataBytesMax = 8u << 10;  // keys and values of one memory together
inline constexpr size_t kEmbeddingNumbersMax = 4096;
inline constexpr size_t kLinksMax = 256;  // of one Store; more can be added one by one
inline constexpr size_t kQueryBytesMax = 4u << 10;
inline constexpr uint32_t kRecallLimitMax = 1000;
// Consolidation finds what is less alike than this by chance only (similarity_keys.h).
inline constexpr double kEmbeddingSimilarityMin = 0.9;
inline constexpr double kTextSimilarityMin = 0.6;
// Longer words are cut: nobody types them, and the vocabulary stays bounded.
inline constexpr size_t kTermBytesMax = 64;
// A sender's clock may be ahead of ours by so much.
inline constexpr std::chrono::minutes kRequestAheadMax{5};

}  // namespace engram::memory
