// Private to storage/: what RocksDB says of itself, and what it may do about its errors.
#pragma once

#include <rocksdb/env.h>
#include <rocksdb/listener.h>

#include <cstdarg>

namespace engram::storage {

// RocksDB's warnings and errors in the log of the process. Its own log is a file beside the data:
// when the disk is full, the second message after one that did not fit aborts the process
// (an assertion of WritableFileWriter, as Debian builds RocksDB). Thread-safe.
class RocksLog final : public rocksdb::Logger {
 public:
  RocksLog() : Logger(rocksdb::WARN_LEVEL) {}
  using Logger::Logv;
  void Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) override;
};

// A database that has failed stays failed until it is opened again: RocksDB would try to go on by
// itself once the disk has room, and abort the process at the next write, for the same reason as
// above. Thread-safe.
class RocksFailures final : public rocksdb::EventListener {
 public:
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override;
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason reason, rocksdb::Status error,
                            bool* auto_recovery) override;
};

}  // namespace engram::storage
