// absl::Mutex, in a form that the thread sanitizer understands.
//
// Debian's Abseil is built without the sanitizer and so does not tell it about locks: every use
// would be reported as a race. These wrappers tell it; in every other build they are nothing but
// Abseil's.
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

#if defined(__SANITIZE_THREAD__)
#define ENGRAM_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ENGRAM_THREAD_SANITIZER 1
#endif
#endif

#ifdef ENGRAM_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#endif

namespace engram {

// Thread-safe. Use it through the locks below.
class ABSL_LOCKABLE Mutex {
 public:
#ifdef ENGRAM_THREAD_SANITIZER
  Mutex() { __tsan_mutex_create(this, __tsan_mutex_not_static); }
  ~Mutex() { __tsan_mutex_destroy(this, __tsan_mutex_not_static); }
#else
  Mutex() = default;
#endif
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() ABSL_EXCLUSIVE_LOCK_FUNCTION() {
    BeforeLock(Mode::kWrite);
    mutex_.Lock();
    AfterLock(Mode::kWrite);
  }
  void Unlock() ABSL_UNLOCK_FUNCTION() {
    BeforeUnlock(Mode::kWrite);
    mutex_.Unlock();
    AfterUnlock(Mode::kWrite);
  }
  void ReaderLock() ABSL_SHARED_LOCK_FUNCTION() {
    BeforeLock(Mode::kRead);
    mutex_.ReaderLock();
    AfterLock(Mode::kRead);
  }
  void ReaderUnlock() ABSL_UNLOCK_FUNCTION() {
    BeforeUnlock(Mode::kRead);
    mutex_.ReaderUnlock();
    AfterUnlock(Mode::kRead);
  }

  // Gives the lock up until the condition holds. REQUIRES: locked for writing.
  void Await(const absl::Condition& condition) ABSL_EXCLUSIVE_LOCKS_REQUIRED(this) {
    BeforeUnlock(Mode::kWrite);
    AfterUnlock(Mode::kWrite);
    BeforeLock(Mode::kWrite);
    mutex_.Await(condition);
    AfterLock(Mode::kWrite);
  }

 private:
  enum class Mode { kRead, kWrite };

#ifdef ENGRAM_THREAD_SANITIZER
  static unsigned Flags(Mode mode) { return mode == Mode::kRead ? __tsan_mutex_read_lock : 0; }
  void BeforeLock(Mode mode) { __tsan_mutex_pre_lock(this, Flags(mode)); }
  void AfterLock(Mode mode) { __tsan_mutex_post_lock(this, Flags(mode), 0); }
  void BeforeUnlock(Mode mode) { __tsan_mutex_pre_unlock(this, Flags(mode)); }
  void AfterUnlock(Mode mode) { __tsan_mutex_post_unlock(this, Flags(mode)); }
#else
  void BeforeLock(Mode) {}
  void AfterLock(Mode) {}
  void BeforeUnlock(Mode) {}
  void AfterUnlock(Mode) {}
#endif

  absl::Mutex mutex_;
};

class ABSL_SCOPED_LOCKABLE WriterLock {
 public:
  explicit WriterLock(Mutex* mutex) ABSL_EXCLUSIVE_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    mutex_->Lock();
  }
  ~WriterLock() ABSL_UNLOCK_FUNCTION() { mutex_->Unlock(); }
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

 private:
  Mutex* const mutex_;
};

class ABSL_SCOPED_LOCKABLE ReaderLock {
 public:
  explicit ReaderLock(Mutex* mutex) ABSL_SHARED_LOCK_FUNCTION(mutex) : mutex_(mutex) {
    mutex_->ReaderLock();
  }
  ~ReaderLock() ABSL_UNLOCK_FUNCTION() { mutex_->ReaderUnlock(); }
  ReaderLock(const ReaderLock&) = delete;
  ReaderLock& operator=(const ReaderLock&) = delete;

 private:
  Mutex* const mutex_;
};

}  // namespace engram
