// The commonest requests, for tests.
#pragma once

#include <string>

#include "engram/v1/memory.pb.h"

namespace engram::testing {

inline v1::StoreRequest MakeStore(const std::string& space, const std::string& id,
                                  const std::string& content) {
  v1::StoreRequest request;
  request.set_space(space);
  request.set_id(id);
  request.set_content(content);
  return request;
}

inline v1::GetRequest MakeGet(const std::string& space, const std::string& id) {
  v1::GetRequest request;
  request.set_space(space);
  request.set_id(id);
  return request;
}

inline v1::RecallRequest MakeRecall(const std::string& space, const std::string& query) {
  v1::RecallRequest request;
  request.set_space(space);
  request.set_query(query);
  return request;
}

}  // namespace engram::testing
