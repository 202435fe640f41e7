#include "engram/storage/rocks.h"

#include <fmt/format.h>

#include <utility>

#include "engram/base/error.h"

namespace engram::storage {

absl::Status FromRocks(const rocksdb::Status& status, const std::filesystem::path& dir,
                       std::string_view doing) {
  if (status.ok()) return absl::OkStatus();
  return MakeError(ErrorCode::kStorageFailed, fmt::format("cannot {} the database in {}: {}", doing,
                                                          dir.string(), status.ToString()));
}

absl::StatusOr<std::optional<std::string>> FromRocksGet(const rocksdb::Status& status,
                                                        std::string value,
                                                        const std::filesystem::path& dir) {
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return FromRocks(status, dir, "read from");
  return std::optional<std::string>(std::move(value));
}

std::string PrefixEnd(std::string_view prefix) {
  std::string end(prefix);
  while (end.back() == '\xff') end.pop_back();
  end.back() = static_cast<char>(end.back() + 1);
  return end;
}

RocksCursor::RocksCursor(std::string_view prefix, std::filesystem::path dir)
    : prefix_(prefix), end_(PrefixEnd(prefix)), end_slice_(end_), dir_(std::move(dir)) {}

rocksdb::ReadOptions RocksCursor::BoundedOptions() const {
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &end_slice_;
  return options;
}

void RocksCursor::Seek(std::string_view key) {
  iterator_->Seek(ToSlice(key));
  somewhere_ = true;
}

bool RocksCursor::valid() const {
  if (!std::exchange(somewhere_, true)) iterator_->Seek(prefix_);
  // A cursor over a batch does not heed the upper bound for the batch's own entries.
  return iterator_->Valid() && iterator_->key().compare(end_slice_) < 0;
}

absl::Status RocksCursor::status() const {
  return FromRocks(iterator_->status(), dir_, "read from");
}

}  // namespace engram::storage
