// Which handler serves which path. Filled before the server starts, then shared by all loops
// without locks: the handlers are called from all of them at once.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/node_hash_map.h"
#include "engram/base/string_hash.h"
#include "engram/net/server.h"

namespace engram::net::internal {

struct Method {
  std::string_view path;  // the key in the table; empty for the fallback
  // Exactly one is set.
  Server::UnaryHandler unary;
  Server::StreamHandler stream;
};

class MethodTable {
 public:
  void Add(std::string_view path, Server::UnaryHandler unary, Server::StreamHandler stream) {
    const auto [it, added] = methods_.try_emplace(std::string(path));
    it->second = {it->first, std::move(unary), std::move(stream)};
  }
  void SetFallback(Server::StreamHandler stream) {
    fallback_ = Method{{}, nullptr, std::move(stream)};
  }
  Method* Find(std::string_view path) {
    const auto it = methods_.find(path);
    return it == methods_.end() ? nullptr : &it->second;
  }
  // Serves what Find() does not know; null if nothing does.
  Method* fallback() { return fallback_.has_value() ? &*fallback_ : nullptr; }

 private:
  std::optional<Method> fallback_;
  absl::node_hash_map<std::string, Method, StringHash, StringEqual> methods_;
};

}  // namespace engram::net::internal
