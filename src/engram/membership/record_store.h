// Where gossiped records are kept: the port through which RecordGossip reads and writes what
// somebody else owns, so that there is no second copy.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "engram/base/version.h"
#include "engram/base/version_digest.h"

namespace engram::membership {

struct Record {
  std::string key;
  Version version;
  std::string value;

  friend bool operator==(const Record&, const Record&) = default;
};

// Thread-safety: called by RecordGossip on the thread that feeds it. Others may change the store
// meanwhile if it allows that: a comparison then sees a record as it was or as it is, and the next
// one finds what this one has missed.
class RecordStore {
 public:
  using Buckets = VersionDigest::Buckets;
  using VisitVersion = absl::FunctionRef<void(std::string_view key, const Version& version)>;

  virtual ~RecordStore() = default;

  // Of the versions of all keys.
  virtual VersionDigest VersionsDigest() const = 0;
  // Every key in one of `buckets`, once, in no order. `buckets` is read anew for each: what `visit`
  // takes out of it is not visited any further. REQUIRES: `visit` does not use the store.
  virtual void VisitVersions(const Buckets& buckets, VisitVersion visit) const = 0;
  // As it is now; nothing if there is none.
  virtual std::optional<Record> Find(std::string_view key) const = 0;
  // Takes over, in this order, each that is newer than what is known and that the store has nothing
  // against; returns the places in `batch` of those.
  virtual std::vector<size_t> Apply(std::span<const Record> batch) = 0;
};

}  // namespace engram::membership
