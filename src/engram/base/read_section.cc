#include "engram/base/read_section.h"

#ifdef __linux__
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <limits>

namespace engram {
namespace read_section_internal {

std::atomic<uint64_t> current_epoch{kOutside + 1};
constinit thread_local Reader* this_thread = nullptr;

namespace {

std::atomic<Reader*> readers{nullptr};
std::atomic<bool> fences_for_test{false};

#ifdef __linux__
bool Membarrier(int command) { return syscall(SYS_membarrier, command, 0U, 0) == 0; }

bool UsesMembarrier() {
  static const bool kHas = Membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
  return kHas && !fences_for_test.load(std::memory_order_relaxed);
}

// After it, whatever other threads wrote before can be seen here, and they see what was written
// here before.
void FenceAllThreads() {
  if (UsesMembarrier()) Membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}
#else
bool UsesMembarrier() { return false; }
void FenceAllThreads() {}
#endif

Reader* TakeOver() {
  for (Reader* reader = readers.load(std::memory_order_acquire); reader != nullptr;
       reader = reader->next) {
    bool free = false;
    if (reader->taken.compare_exchange_strong(free, true, std::memory_order_acquire)) return reader;
  }
  return nullptr;
}

Reader* Append() {
  auto* reader = new Reader;
  reader->taken.store(true, std::memory_order_relaxed);
  reader->next = readers.load(std::memory_order_relaxed);
  while (!readers.compare_exchange_weak(reader->next, reader, std::memory_order_acq_rel)) {
  }
  return reader;
}

// Its destructor runs when the thread ends.
struct Registration {
  ~Registration() {
    this_thread->taken.store(false, std::memory_order_release);
    this_thread = nullptr;
  }
};

}  // namespace

Reader* Register() {
  Reader* reader = TakeOver();
  if (reader == nullptr) reader = Append();
  reader->fenced = !UsesMembarrier();
  this_thread = reader;
  thread_local Registration registration;
  static_cast<void>(registration);
  return reader;
}

}  // namespace read_section_internal

using namespace read_section_internal;  // NOLINT(google-build-using-namespace)

uint64_t RetireStamp() { return current_epoch.fetch_add(1, std::memory_order_seq_cst); }

uint64_t OldestReader() {
  FenceAllThreads();
  uint64_t oldest = std::numeric_limits<uint64_t>::max();
  for (Reader* reader = readers.load(std::memory_order_seq_cst); reader != nullptr;
       reader = reader->next) {
    const uint64_t entered = reader->entered.load(std::memory_order_seq_cst);
    if (entered != kOutside) oldest = std::min(oldest, entered);
  }
  return oldest;
}

void UseFencesForTest() { fences_for_test.store(true, std::memory_order_relaxed); }

}  // namespace engram
