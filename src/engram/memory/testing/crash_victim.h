// The process that crash_test.cc kills.
#pragma once

namespace engram::memory {

inline constexpr char kCrashVictimFlag[] = "--crash-victim";
inline constexpr char kCrashSpace[] = "crash";

// Stores memories into `dir`, several at a time, and writes the id of each acknowledged one as a
// line to standard output, for ever. Every id is "r<round>m<number>", and is a word of the memory's
// content.
[[noreturn]] void RunCrashVictim(const char* dir, const char* round);

}  // namespace engram::memory
