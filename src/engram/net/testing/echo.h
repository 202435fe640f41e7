// Methods that tests and benches of the wire call: each sends back what it gets.
#pragma once

#include <string>

#include "engram/net/server.h"

namespace engram::net::testing {

// Unary; echoes the message, and the metadata "echo" and "echo-bin" as trailers. With the metadata
// "fail" it answers an INVALID_ARGUMENT whose message is that value. With "hang" it never answers.
inline constexpr char kUnary[] = "/test.Echo/Unary";
// Streaming each way; echoes every message when it comes.
inline constexpr char kBidi[] = "/test.Echo/Bidi";

void AddEchoMethods(Server& server);

// The handlers themselves, for a connection without a Server.
void EchoUnary(ServerCall call, std::string request);
void EchoBidi(ServerCall call);

}  // namespace engram::net::testing
