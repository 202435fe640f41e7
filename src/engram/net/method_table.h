// Which handler serves which path. Filled before the server starts, then shared by all loops
// without locks: the handlers are called from all of them at once.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/container/node_hash_map.h"
#include "engram/base/string_hash.h"
#include "engram/net/server.h"

namespace engram::net::internal {

struct Method {
  std::string_view path;  // the key in the table
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
  Method* Find(std::string_view path) {
    const auto it = methods_.find(path);
    return it == methods_.end() ? nullptr : &it->second;
  }

 private:
  absl::node_hash_map<std::string, Method, StringHash, StringEqual> methods_;
};

}  // namespace engram::net::internal
