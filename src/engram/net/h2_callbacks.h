// What every nghttp2 session of ours is made with: the call-backs that lead to H2Connection, and
// the library's own bounds.
#pragma once

#include <nghttp2/nghttp2.h>

namespace engram::net::internal {

// Both live until the program ends; any thread.
const nghttp2_session_callbacks* SessionCallbacks();
const nghttp2_option* SessionOptions();

class H2Stream;
// Lets nghttp2 take the DATA of a stream from its queue. The stream must stay attached until
// nghttp2 has closed it.
nghttp2_data_provider DataProviderOf(H2Stream& stream);

}  // namespace engram::net::internal
