// How OpenSSL reaches a socket: as its own socket BIO does, but without SIGPIPE when the peer has
// gone, which a library must not ask its program to ignore.
#pragma once

#include <openssl/bio.h>

namespace engram::net::internal {

// On a non-blocking descriptor that it does not own. Null: out of memory.
BIO* NewSocketBio(int socket);

}  // namespace engram::net::internal
