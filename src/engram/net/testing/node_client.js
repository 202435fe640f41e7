#!/usr/bin/env node
// Calls net_echo_server with Node's gRPC library, @grpc/grpc-js, which has its own HTTP/2 and its own gzip.
//
// Usage: node_client.js PATH_OF_NET_ECHO_SERVER. Exit code 77, which means "skipped", without that library.
'use strict';

const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const { once } = require('node:events');

const SKIPPED = 77;
const PATIENCE_MS = 20000;
const MESSAGE_BYTES_MAX = 4 << 20;

let grpc;
try {
  grpc = require('@grpc/grpc-js');
} catch {
  console.log('Node has no @grpc/grpc-js: skipped');
  process.exit(SKIPPED);
}

const { gzip, deflate } = grpc.compressionAlgorithms;
const { INVALID_ARGUMENT, UNIMPLEMENTED } = grpc.status;
const raw = (bytes) => bytes;
const within = () => ({ deadline: new Date(Date.now() + PATIENCE_MS) });

class Client {
  constructor(address, compression) {
    this.client = new grpc.Client(address, grpc.credentials.createInsecure(), {
      'grpc.default_compression_algorithm': compression,
      'grpc.max_send_message_length': -1,
      'grpc.max_receive_message_length': -1,
      // Without this, grpc-js shares the connection of all clients with one address.
      'grpc.use_local_subchannel_pool': 1,
    });
  }

  unary(message) {
    return new Promise((resolve, reject) => {
      this.client.makeUnaryRequest('/test.Echo/Unary', raw, raw, message, new grpc.Metadata(), within(),
          (error, answer) => (error ? reject(error) : resolve(answer)));
    });
  }

  async bidi(messages) {
    const call = this.client.makeBidiStreamRequest('/test.Echo/Bidi', raw, raw, new grpc.Metadata(), within());
    for (const message of messages) call.write(message);
    call.end();
    const answers = [];
    for await (const answer of call) answers.push(answer);
    return answers;
  }
}

async function gzip_is_inflated(address) {
  const client = new Client(address, gzip);
  for (const size of [0, 1, 10000, MESSAGE_BYTES_MAX]) {
    const message = Buffer.alloc(size, 'x');
    assert.ok(message.equals(await client.unary(message)), `${size} bytes`);
  }
  const messages = Array.from({ length: 300 }, (_, i) => Buffer.alloc((i * i) % 5000, i));
  assert.deepEqual(await client.bidi(messages), messages);
  client.client.close();
}

async function limit_is_of_the_inflated_message(address) {
  const client = new Client(address, gzip);
  await assert.rejects(client.unary(Buffer.alloc(MESSAGE_BYTES_MAX + 1)), { code: INVALID_ARGUMENT });
  client.client.close();
}

async function deflate_is_refused_with_what_is_accepted(address) {
  const client = new Client(address, deflate);
  await assert.rejects(client.unary(Buffer.alloc(10000, 'x')), (error) => {
    assert.equal(error.code, UNIMPLEMENTED);
    assert.deepEqual(error.metadata.get('grpc-accept-encoding'), ['identity,gzip']);
    return true;
  });
  client.client.close();
}

async function main() {
  const server = spawn(process.argv[2], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(server, 'exit');
  try {
    const [port] = await once(server.stdout, 'data');
    for (const check of [gzip_is_inflated, limit_is_of_the_inflated_message, deflate_is_refused_with_what_is_accepted]) {
      await check(`127.0.0.1:${parseInt(port, 10)}`);
      console.log(`ok ${check.name}`);
    }
  } finally {
    server.stdin.end();
  }
  const [code] = await exited;
  return code;
}

main().then((code) => process.exit(code), (error) => {
  console.error(error);
  process.exit(1);
});
