#include "engram/memory/identity.h"

#include <fmt/format.h>

#include "engram/base/error.h"
#include "engram/memory/keys.h"
#include "engram/memory/take_over.h"

namespace engram::memory {
namespace {

using storage::Family;

absl::Status Mismatch(const std::filesystem::path& dir, std::string_view what,
                      std::string_view held, std::string_view expected) {
  return InvalidArgument(
      "data_dir", fmt::format("the data directory {} holds the data of {} '{}', but this node is "
                              "configured for '{}': correct the configuration or choose another "
                              "data directory",
                              dir.string(), what, held, expected));
}

absl::Status CheckFormat(const std::filesystem::path& dir, std::string_view bytes) {
  auto version = DecodeFormatVersion(bytes);
  if (!version.ok()) return version.status();
  if (*version <= kFormatVersion) return absl::OkStatus();
  return InvalidArgument(
      "data_dir", fmt::format("the data directory {} was written by a newer version of engram "
                              "(format {}, this one knows up to {}): run that version, or choose "
                              "another data directory",
                              dir.string(), *version, kFormatVersion));
}

absl::Status CheckIdentity(const std::filesystem::path& dir, const Identity& held,
                           const Identity& expected) {
  if (held.cluster_id != expected.cluster_id) {
    return Mismatch(dir, "cluster", held.cluster_id, expected.cluster_id);
  }
  if (held.node_id != expected.node_id) {
    return Mismatch(dir, "node", held.node_id.view(), expected.node_id.view());
  }
  return absl::OkStatus();
}

// An older database is from now on one of this format: an older program would misread it.
absl::Status Raise(storage::Database& database, std::string_view format) {
  if (format == EncodeFormatVersion(kFormatVersion)) return absl::OkStatus();
  if (absl::Status found = FindTombstones(database); !found.ok()) return found;
  const auto batch = database.MakeBatch();
  batch->Put(Family::kCluster, kFormatKey, EncodeFormatVersion(kFormatVersion));
  return database.Write(*batch, storage::Sync::kYes);
}

absl::Status Claim(storage::Database& database, const Identity& identity) {
  auto batch = database.MakeBatch();
  batch->Put(Family::kCluster, kFormatKey, EncodeFormatVersion(kFormatVersion));
  batch->Put(Family::kCluster, kIdentityKey, EncodeIdentity(identity));
  return database.Write(*batch, storage::Sync::kYes);
}

}  // namespace

absl::Status ClaimOrCheckIdentity(storage::Database& database, const std::filesystem::path& dir,
                                  const Identity& expected) {
  auto format = database.Get(Family::kCluster, kFormatKey);
  if (!format.ok()) return format.status();
  if (!format->has_value()) return Claim(database, expected);
  absl::Status known = CheckFormat(dir, **format);
  if (!known.ok()) return known;
  auto bytes = database.Get(Family::kCluster, kIdentityKey);
  if (!bytes.ok()) return bytes.status();
  auto held = DecodeIdentity(bytes->value_or(""));
  if (!held.ok()) return held.status();
  absl::Status ours = CheckIdentity(dir, *held, expected);
  if (!ours.ok()) return ours;
  return Raise(database, **format);
}

}  // namespace engram::memory
