// A list of headers on its way into nghttp2, built without allocating for what is static or already
// held by the caller.
//
// Lives for one submit call, which copies it. Static text is referred to; text of the caller must
// live until the submit.
#pragma once

#include <nghttp2/nghttp2.h>

#include <list>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "engram/net/metadata.h"

namespace engram::net::internal {

class HeaderBlock {
 public:
  // Both literals: nghttp2 does not copy them, and they enter the peer's table.
  void AddStatic(std::string_view name, std::string_view value) {
    Push(name, value, NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE);
  }
  // The same value again and again on this connection (":path", ":authority"): worth a place in the
  // peer's table.
  void AddRepeated(std::string_view static_name, std::string_view value) {
    Push(static_name, value, NGHTTP2_NV_FLAG_NO_COPY_NAME);
  }
  // A value that differs from call to call, and would only drive the others out of the table.
  void AddOnce(std::string_view name, std::string_view value) {
    Push(name, value, NGHTTP2_NV_FLAG_NO_INDEX);
  }
  void AddOwned(std::string_view name, std::string value) {
    AddOnce(name, owned_.emplace_back(std::move(value)));
  }
  void AddMetadata(const Metadata& metadata);

  const nghttp2_nv* data() const { return entries_.data(); }
  size_t size() const { return entries_.size(); }

 private:
  void Push(std::string_view name, std::string_view value, uint8_t flags) {
    entries_.push_back({reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
                        reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(),
                        value.size(), flags});
  }

  absl::InlinedVector<nghttp2_nv, 12> entries_;
  std::list<std::string> owned_;  // a list: entries_ points into it
};

}  // namespace engram::net::internal
