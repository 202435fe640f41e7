#include "engram/storage/rocks_events.h"

#include <spdlog/spdlog.h>

#include <array>
#include <cstdio>

namespace engram::storage {
namespace {

// Below, a compaction waits for room and writes go on.
bool StopsWrites(const rocksdb::Status& error) {
  return error.severity() >= rocksdb::Status::kHardError;
}

}  // namespace

void RocksLog::Logv(rocksdb::InfoLogLevel level, const char* format, va_list arguments) {
  if (level < GetInfoLogLevel() || level == rocksdb::HEADER_LEVEL) return;
  std::array<char, 1024> text{};
  std::vsnprintf(text.data(), text.size(), format, arguments);
  const auto as = level == rocksdb::WARN_LEVEL ? spdlog::level::warn : spdlog::level::err;
  spdlog::log(as, "event=database {}", text.data());
}

void RocksFailures::OnBackgroundError(rocksdb::BackgroundErrorReason /*reason*/,
                                      rocksdb::Status* error) {
  if (!StopsWrites(*error)) return;
  spdlog::error("event=database_failed no more is written until the node is restarted: {}",
                error->ToString());
}

void RocksFailures::OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/,
                                         rocksdb::Status error, bool* auto_recovery) {
  if (StopsWrites(error)) *auto_recovery = false;
}

}  // namespace engram::storage
