// When may memory that readers were using be used again? Epoch-based reclamation (K. Fraser,
// "Practical lock-freedom", 2004, §5.2.3) for data that is read without locks, for all such data of
// the process together.
//
// A reader is inside a ReadSection while it follows pointers. A writer unlinks what it replaces,
// takes a stamp with RetireStamp(), and may use the memory again once OldestReader() is beyond the
// stamp. Neither ever waits for the other: a writer whose readers are still there asks again later.
// A thread outside of a section holds nothing up, however long it stays there.
//
// Entering must be visible before the reads that follow, which costs a fence of about 20 cycles
// per section; instead, where Linux has membarrier(2), the writer makes all threads pay for it,
// once per OldestReader() (about 2 to 10 us). liburcu's "memb" flavour does the same; it is not
// used because its writers block, and because the thread sanitizer cannot see through it.
//
// Publish and unlink with sequentially consistent stores, follow with sequentially consistent
// loads: without membarrier the proof rests on it, and on x86-64 such loads cost nothing.
//
// Thread-safety: everything from any thread. Sections of one thread do not nest.
#pragma once

#include <atomic>
#include <cstdint>

#include "absl/base/optimization.h"

namespace engram {
namespace read_section_internal {

inline constexpr uint64_t kOutside = 0;

// One thread's; reused after the thread's end, never freed.
struct alignas(ABSL_CACHELINE_SIZE) Reader {
  std::atomic<uint64_t> entered{kOutside};  // the epoch in which the section began
  bool fenced = true;                       // no membarrier: the reader pays
  std::atomic<bool> taken{false};
  Reader* next = nullptr;
};

extern std::atomic<uint64_t> current_epoch;
extern constinit thread_local Reader* this_thread;

Reader* Register();

}  // namespace read_section_internal

class ReadSection {
 public:
  ReadSection() {
    using namespace read_section_internal;  // NOLINT(google-build-using-namespace)
    reader_ = this_thread;
    if (ABSL_PREDICT_FALSE(reader_ == nullptr)) reader_ = Register();
    const uint64_t epoch = current_epoch.load(std::memory_order_acquire);
    if (ABSL_PREDICT_FALSE(reader_->fenced)) {
      reader_->entered.store(epoch, std::memory_order_seq_cst);
    } else {
      reader_->entered.store(epoch, std::memory_order_release);
      std::atomic_signal_fence(std::memory_order_seq_cst);
    }
  }
  ~ReadSection() {
    reader_->entered.store(read_section_internal::kOutside, std::memory_order_release);
  }
  ReadSection(const ReadSection&) = delete;
  ReadSection& operator=(const ReadSection&) = delete;

 private:
  read_section_internal::Reader* reader_;
};

// The stamp of everything that has been unlinked before the call.
uint64_t RetireStamp();

// What has a smaller stamp is held by no reader, now or later.
uint64_t OldestReader();

// From here on behaves as on a machine without membarrier. REQUIRES: no thread that has entered a
// section before enters another.
void UseFencesForTest();

}  // namespace engram
