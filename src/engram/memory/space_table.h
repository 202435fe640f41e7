// The spaces that this node holds, by name. Thread-safe; owned by the engine. A space that is in
// the table stays.
#pragma once

#include <algorithm>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "engram/base/mutex.h"
#include "engram/base/string_hash.h"
#include "engram/memory/space_state.h"

namespace engram::memory {

class SpaceTable {
 public:
  // Null if there is none.
  std::shared_ptr<SpaceState> Find(std::string_view name) const {
    ReaderLock lock(&mutex_);
    auto found = spaces_.find(name);
    return found == spaces_.end() ? nullptr : found->second;
  }

  // REQUIRES: there is none of that name.
  void Insert(std::shared_ptr<SpaceState> space) {
    WriterLock lock(&mutex_);
    spaces_.emplace(space->id().value(), std::move(space));
  }

  // By name.
  std::vector<std::shared_ptr<SpaceState>> List() const {
    std::vector<std::shared_ptr<SpaceState>> spaces;
    {
      ReaderLock lock(&mutex_);
      for (const auto& [name, space] : spaces_) spaces.push_back(space);
    }
    std::sort(spaces.begin(), spaces.end(),
              [](const auto& a, const auto& b) { return a->id() < b->id(); });
    return spaces;
  }

 private:
  mutable Mutex mutex_;
  StringMap<std::shared_ptr<SpaceState>> spaces_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace engram::memory
