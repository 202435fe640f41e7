#include "engram/storage/testing/memory_database.h"

#include <utility>

#include "absl/base/macros.h"

namespace engram::storage {
namespace {

using Table = std::map<std::string, std::string, std::less<>>;

class TableCursor final : public Cursor {
 public:
  TableCursor(std::shared_ptr<const Table> table, std::string_view prefix)
      : table_(std::move(table)), prefix_(prefix), at_(table_->lower_bound(prefix_)) {}

  bool valid() const override { return at_ != table_->end() && at_->first.starts_with(prefix_); }
  void Next() override { ++at_; }
  void Seek(std::string_view key) override { at_ = table_->lower_bound(key); }
  std::string_view key() const override { return at_->first; }
  std::string_view value() const override { return at_->second; }
  absl::Status status() const override { return absl::OkStatus(); }

 private:
  const std::shared_ptr<const Table> table_;
  const std::string prefix_;
  Table::const_iterator at_;
};

class TablesSnapshot final : public Snapshot {
 public:
  using Tables = std::array<std::shared_ptr<const Table>, kFamilyCount>;

  explicit TablesSnapshot(Tables tables) : tables_(std::move(tables)) {}
  const std::shared_ptr<const Table>& Of(Family family) const {
    return tables_[static_cast<size_t>(family)];
  }

 private:
  const Tables tables_;
};

std::optional<std::string> Find(const Table& table, std::string_view key) {
  auto found = table.find(key);
  return found == table.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

class MemoryDatabase final : public Database {
 public:
  explicit MemoryDatabase(MemoryDisk& disk) : disk_(disk) {}
  ~MemoryDatabase() override { disk_.Close(); }

  absl::StatusOr<std::optional<std::string>> Get(Family family, std::string_view key,
                                                 const Snapshot* snapshot) const override {
    return Find(*View(family, snapshot), key);
  }
  std::unique_ptr<Cursor> Scan(Family family, std::string_view prefix,
                               const Snapshot* snapshot) const override {
    return std::make_unique<TableCursor>(View(family, snapshot), prefix);
  }
  std::unique_ptr<Snapshot> TakeSnapshot() const override;
  std::unique_ptr<Batch> MakeBatch() const override;
  absl::Status Write(Batch& batch, Sync sync) override;
  absl::Status DeleteRange(Family family, std::string_view begin, std::string_view end) override {
    return disk_.Write({{family, std::string(begin), std::nullopt, std::string(end)}}, Sync::kNo);
  }

 private:
  std::shared_ptr<const Table> View(Family family, const Snapshot* snapshot) const {
    if (snapshot == nullptr) return disk_.Pin(family);
    return static_cast<const TablesSnapshot*>(snapshot)->Of(family);
  }

  MemoryDisk& disk_;
};

class MemoryBatch final : public Batch {
 public:
  explicit MemoryBatch(const MemoryDatabase& database) : database_(database) {}

  void Put(Family family, std::string_view key, std::string_view value) override {
    changes_[{family, std::string(key)}] = std::string(value);
  }
  void Delete(Family family, std::string_view key) override {
    changes_[{family, std::string(key)}] = std::nullopt;
  }

  absl::StatusOr<std::optional<std::string>> Get(Family family,
                                                 std::string_view key) const override {
    auto changed = changes_.find({family, std::string(key)});
    return changed == changes_.end() ? database_.Get(family, key, nullptr) : changed->second;
  }
  std::unique_ptr<Cursor> Scan(Family family, std::string_view prefix) const override;
  bool empty() const override { return changes_.empty(); }

  MemoryDisk::Changes changes() const;

 private:
  const MemoryDatabase& database_;
  std::map<std::pair<Family, std::string>, std::optional<std::string>> changes_;
};

std::unique_ptr<Cursor> MemoryBatch::Scan(Family family, std::string_view prefix) const {
  auto merged = std::make_shared<Table>();
  for (auto cursor = database_.Scan(family, prefix, nullptr); cursor->valid(); cursor->Next()) {
    merged->emplace(cursor->key(), cursor->value());
  }
  for (auto at = changes_.lower_bound({family, std::string(prefix)}); at != changes_.end(); ++at) {
    const auto& [place, value] = *at;
    if (place.first != family || !place.second.starts_with(prefix)) break;
    if (value.has_value()) {
      merged->insert_or_assign(place.second, *value);
    } else {
      merged->erase(place.second);
    }
  }
  return std::make_unique<TableCursor>(std::move(merged), prefix);
}

MemoryDisk::Changes MemoryBatch::changes() const {
  MemoryDisk::Changes changes;
  for (const auto& [place, value] : changes_) {
    changes.push_back({place.first, place.second, value, std::nullopt});
  }
  return changes;
}

std::unique_ptr<Snapshot> MemoryDatabase::TakeSnapshot() const {
  return std::make_unique<TablesSnapshot>(disk_.PinAll());
}

std::unique_ptr<Batch> MemoryDatabase::MakeBatch() const {
  return std::make_unique<MemoryBatch>(*this);
}

absl::Status MemoryDatabase::Write(Batch& batch, Sync sync) {
  return disk_.Write(static_cast<MemoryBatch&>(batch).changes(), sync);
}

// --- the disk

MemoryDisk::MemoryDisk(uint64_t seed) : random_(seed) {
  for (auto* tables : {&durable_, &shown_}) {
    for (std::shared_ptr<Table>& table : *tables) table = std::make_shared<Table>();
  }
}

MemoryDisk::Tables MemoryDisk::CopyOf(const Tables& tables) {
  Tables copy;
  for (size_t i = 0; i < copy.size(); ++i) copy[i] = std::make_shared<Table>(*tables[i]);
  return copy;
}

// Who still looks at a table keeps it as it is.
void MemoryDisk::CarryOut(const Changes& changes, Tables& tables) {
  for (const Change& change : changes) {
    std::shared_ptr<Table>& table = tables[static_cast<size_t>(change.family)];
    if (table.use_count() > 1) table = std::make_shared<Table>(*table);
    if (change.end.has_value()) {
      table->erase(table->lower_bound(change.key), table->lower_bound(*change.end));
    } else if (change.value.has_value()) {
      table->insert_or_assign(change.key, *change.value);
    } else {
      table->erase(change.key);
    }
  }
}

// Let go under the lock, too: the count that CarryOut looks at says then that nobody reads any
// more.
MemoryDisk::Pinned MemoryDisk::Pin(Family family) const {
  WriterLock lock(&mutex_);
  return PinLocked(family);
}

MemoryDisk::Pinned MemoryDisk::PinLocked(Family family) const {
  std::shared_ptr<const Table> table = shown_[static_cast<size_t>(family)];
  const Table* view = table.get();
  return {view, [this, table = std::move(table)](const Table*) mutable {
            WriterLock lock(&mutex_);
            table.reset();
          }};
}

std::array<MemoryDisk::Pinned, kFamilyCount> MemoryDisk::PinAll() const {
  WriterLock lock(&mutex_);
  std::array<Pinned, kFamilyCount> pins;
  for (size_t i = 0; i < pins.size(); ++i) pins[i] = PinLocked(static_cast<Family>(i));
  return pins;
}

std::unique_ptr<Database> MemoryDisk::Open() {
  WriterLock lock(&mutex_);
  ABSL_HARDENING_ASSERT(!open_);
  open_ = true;
  if (in_doubt_.has_value() && random_() % 2 == 0) unsynced_.push_back(*std::move(in_doubt_));
  in_doubt_.reset();
  KeepUnsynced(unsynced_.size());
  return std::make_unique<MemoryDatabase>(*this);
}

void MemoryDisk::Close() {
  WriterLock lock(&mutex_);
  open_ = false;
}

void MemoryDisk::KeepUnsynced(size_t batches) {
  for (size_t i = 0; i < batches; ++i) CarryOut(unsynced_[i], durable_);
  unsynced_.clear();
  shown_ = CopyOf(durable_);
}

void MemoryDisk::Crash() {
  WriterLock lock(&mutex_);
  ABSL_HARDENING_ASSERT(!open_);
  // Whatever came last may be torn, and is cut off then as if it had not been written.
  if (in_doubt_.has_value()) unsynced_.push_back(*std::move(in_doubt_));
  in_doubt_.reset();
  KeepUnsynced(random_() % (unsynced_.size() + 1));
}

void MemoryDisk::FailWrites(absl::Status error) {
  WriterLock lock(&mutex_);
  ABSL_HARDENING_ASSERT(!error.ok());
  error_ = std::move(error);
}

void MemoryDisk::AllowWrites() {
  WriterLock lock(&mutex_);
  error_ = absl::OkStatus();
  if (!open_) return;
  in_doubt_.reset();
  for (const Changes& changes : std::exchange(unsynced_, {})) CarryOut(changes, durable_);
}

absl::Status MemoryDisk::Write(Changes changes, Sync sync) {
  WriterLock lock(&mutex_);
  if (!error_.ok()) {
    if (!in_doubt_.has_value()) in_doubt_ = std::move(changes);
    return error_;
  }
  CarryOut(changes, shown_);
  unsynced_.push_back(std::move(changes));
  if (sync == Sync::kNo) return absl::OkStatus();
  for (const Changes& batch : std::exchange(unsynced_, {})) CarryOut(batch, durable_);
  return absl::OkStatus();
}

size_t MemoryDisk::unsynced() const {
  WriterLock lock(&mutex_);
  return unsynced_.size();
}

}  // namespace engram::storage
