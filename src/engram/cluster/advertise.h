// An address that others cannot dial is never advertised (SPEC C2).
//
// Everything here is pure and thread-safe. Errors are InvalidEndpoint; their field is the
// configuration key, their message the address, why nobody can dial it, and what to set.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace engram::cluster {

struct Advertised {
  std::string_view key;      // `advertise` or `gossip-advertise`
  std::string_view address;  // "host:port"
};

// Whether others can dial it, as far as the text tells: not if it is malformed, 0.0.0.0, ::,
// multicast, broadcast or link-local, nor on port 0. Loopback is for clusters of one machine: it
// is allowed if there are no seeds, or if none of `seeds` is known to be on another machine. Of a
// seed that is a name other than "localhost" that is not known yet: check again with what it has
// been resolved to.
[[nodiscard]] absl::Status CheckAdvertised(const Advertised& advertised,
                                           std::span<const std::string> seeds);

// Whether the address has a host name, so that CheckAdvertisedName() is to be asked, too.
bool IsAdvertisedByName(std::string_view address);

// The same of an address with a host name, by what the name was resolved to ("ip:port"): it must
// have been, and none of its addresses may be one that others cannot dial. A name often stands for
// 127.0.1.1 in a machine's own /etc/hosts; what others would dial is then not known, so it is
// refused.
[[nodiscard]] absl::Status CheckAdvertisedName(
    const Advertised& advertised, const absl::StatusOr<std::vector<std::string>>& resolved,
    std::span<const std::string> seeds);

}  // namespace engram::cluster
