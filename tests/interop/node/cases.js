// The cases of gRPC's public interop list, under its names; ../python/cases.py and ../cases.cc have the same.
'use strict';

const assert = require('node:assert/strict');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

const TIMEOUT_MS = 30000;  // only a hang reaches it

const LARGE_REQUEST = 271828;
const LARGE_RESPONSE = 314159;
const REQUEST_SIZES = [27182, 8, 1828, 45904];
const RESPONSE_SIZES = [31415, 9, 2653, 58979];
const ECHO_INITIAL = 'x-grpc-test-echo-initial';
const ECHO_TRAILING = 'x-grpc-test-echo-trailing-bin';

function makeClients(protoDir, address) {
  const { grpc: { testing } } = grpc.loadPackageDefinition(protoLoader.loadSync(
      'grpc/testing/test.proto', { includeDirs: [protoDir], keepCase: true, defaults: true }));
  const credentials = grpc.credentials.createInsecure();
  return {
    test: new testing.TestService(address, credentials),
    unimplemented: new testing.UnimplementedService(address, credentials),
  };
}

const inMs = (ms) => ({ deadline: new Date(Date.now() + ms) });
const payload = (size) => ({ body: Buffer.alloc(size) });
const ping = (requestSize, ...responseSizes) => (
  { payload: payload(requestSize), response_parameters: responseSizes.map((size) => ({ size })) });
const largeRequest = () => ({ payload: payload(LARGE_REQUEST), response_size: LARGE_RESPONSE });
const wantedStatus = (message) => ({ response_status: { code: grpc.status.UNKNOWN, message } });

// How a call ended, whatever way: {status, initial, response, responses}.
function outcome(begin) {
  return new Promise((resolve) => {
    const seen = { responses: [] };
    const call = begin((error, response) => { seen.response = response; });
    call.on('metadata', (metadata) => { seen.initial = metadata; });
    call.on('error', () => {});  // the status says it
    if (call.resume) call.on('data', (response) => seen.responses.push(response));
    // After the call-back of a unary call, which comes in the same turn.
    call.on('status', (status) => setImmediate(() => resolve({ ...seen, status })));
  });
}

function unary(client, method, request, metadata = new grpc.Metadata()) {
  return outcome((done) => client[method](request, metadata, inMs(TIMEOUT_MS), done));
}

// A stream in both directions: {call, next, ended}; next() resolves to the next response, or undefined at the end.
function openDuplex(clients, metadata = new grpc.Metadata(), ms = TIMEOUT_MS) {
  const call = clients.test.FullDuplexCall(metadata, inMs(ms));
  const stream = { call, ended: outcome(() => call) };
  const waiting = [];
  const arrived = [];
  const give = (response) => (waiting.length ? waiting.shift()(response) : arrived.push(response));
  call.on('data', give);
  stream.ended.then(() => give(undefined));
  stream.next = () => new Promise((resolve) => {
    if (arrived.length) resolve(arrived.shift());
    else waiting.push(resolve);
  });
  return stream;
}

function assertStatus({ status }, code) {
  assert.equal(grpc.status[status.code], grpc.status[code], `status (${status.details})`);
}

function assertZeros(response, size) {
  assert.equal(response?.payload?.body.length, size, 'bytes of the payload');
  assert.ok(response.payload.body.equals(Buffer.alloc(size)), 'the payload is not zeros');
}

function echoMetadata() {
  const metadata = new grpc.Metadata();
  metadata.set(ECHO_INITIAL, 'test_initial_metadata_value');
  metadata.set(ECHO_TRAILING, Buffer.from([0xab, 0xab, 0xab]));
  return metadata;
}

function assertEchoed(ended) {
  assertStatus(ended, grpc.status.OK);
  assert.deepEqual(ended.initial.get(ECHO_INITIAL), ['test_initial_metadata_value'], 'initial metadata');
  assert.deepEqual(ended.status.metadata.get(ECHO_TRAILING), [Buffer.from([0xab, 0xab, 0xab])], 'trailing metadata');
  assert.deepEqual(ended.initial.get(ECHO_TRAILING), [], 'trailing metadata in the initial');
  assert.deepEqual(ended.status.metadata.get(ECHO_INITIAL), [], 'initial metadata in the trailing');
}

async function assertMessage(clients, message) {
  const ended = await unary(clients.test, 'UnaryCall', wantedStatus(message));
  assertStatus(ended, grpc.status.UNKNOWN);
  assert.equal(ended.status.details, message);
}

const cases = {
  async empty_unary({ test }) {
    const ended = await unary(test, 'EmptyCall', {});
    assertStatus(ended, grpc.status.OK);
    assert.deepEqual(ended.response, {});
  },

  async large_unary({ test }) {
    const ended = await unary(test, 'UnaryCall', largeRequest());
    assertStatus(ended, grpc.status.OK);
    assertZeros(ended.response, LARGE_RESPONSE);
  },

  async client_streaming({ test }) {
    const ended = await outcome((done) => {
      const call = test.StreamingInputCall(new grpc.Metadata(), inMs(TIMEOUT_MS), done);
      for (const size of REQUEST_SIZES) call.write({ payload: payload(size) });
      call.end();
      return call;
    });
    assertStatus(ended, grpc.status.OK);
    assert.equal(ended.response.aggregated_payload_size, 74922);
  },

  async server_streaming({ test }) {
    const ended = await outcome(() => test.StreamingOutputCall(ping(0, ...RESPONSE_SIZES), inMs(TIMEOUT_MS)));
    assertStatus(ended, grpc.status.OK);
    assert.equal(ended.responses.length, RESPONSE_SIZES.length);
    ended.responses.forEach((response, i) => assertZeros(response, RESPONSE_SIZES[i]));
  },

  async ping_pong(clients) {
    const stream = openDuplex(clients);
    for (let i = 0; i < REQUEST_SIZES.length; i += 1) {
      stream.call.write(ping(REQUEST_SIZES[i], RESPONSE_SIZES[i]));
      assertZeros(await stream.next(), RESPONSE_SIZES[i]);
    }
    stream.call.end();
    assert.equal(await stream.next(), undefined);
    assertStatus(await stream.ended, grpc.status.OK);
  },

  async empty_stream(clients) {
    const stream = openDuplex(clients);
    stream.call.end();
    assert.equal(await stream.next(), undefined);
    assertStatus(await stream.ended, grpc.status.OK);
  },

  async half_duplex({ test }) {
    const ended = await outcome(() => {
      const call = test.HalfDuplexCall(new grpc.Metadata(), inMs(TIMEOUT_MS));
      REQUEST_SIZES.forEach((size, i) => call.write(ping(size, RESPONSE_SIZES[i])));
      call.end();
      return call;
    });
    assertStatus(ended, grpc.status.OK);
    assert.deepEqual(ended.responses.map((response) => response.payload.body.length), RESPONSE_SIZES);
  },

  async timeout_on_sleeping_server(clients) {
    // Over a connection that stands, so that the deadline passes within the call.
    assertStatus(await unary(clients.test, 'EmptyCall', {}), grpc.status.OK);
    for (const ms of [1, 20]) {
      const stream = openDuplex(clients, new grpc.Metadata(), ms);
      stream.call.write(ping(27182));
      assertStatus(await stream.ended, grpc.status.DEADLINE_EXCEEDED);
    }
  },

  async cancel_after_begin({ test }) {
    const ended = await outcome((done) => {
      const call = test.StreamingInputCall(new grpc.Metadata(), inMs(TIMEOUT_MS), done);
      setImmediate(() => call.cancel());
      return call;
    });
    assertStatus(ended, grpc.status.CANCELLED);
  },

  async cancel_after_first_response(clients) {
    const stream = openDuplex(clients);
    stream.call.write(ping(REQUEST_SIZES[0], RESPONSE_SIZES[0]));
    assertZeros(await stream.next(), RESPONSE_SIZES[0]);
    stream.call.cancel();
    assertStatus(await stream.ended, grpc.status.CANCELLED);
  },

  async status_code_and_message(clients) {
    const message = 'test status message';
    await assertMessage(clients, message);
    const stream = openDuplex(clients);
    stream.call.write(wantedStatus(message));
    stream.call.end();
    const ended = await stream.ended;
    assertStatus(ended, grpc.status.UNKNOWN);
    assert.equal(ended.status.details, message);
  },

  async special_status_message(clients) {
    await assertMessage(clients, '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n');
  },

  async unimplemented_method({ test }) {
    assertStatus(await unary(test, 'UnimplementedCall', {}), grpc.status.UNIMPLEMENTED);
  },

  async unimplemented_service({ unimplemented }) {
    assertStatus(await unary(unimplemented, 'UnimplementedCall', {}), grpc.status.UNIMPLEMENTED);
  },

  async custom_metadata(clients) {
    assertEchoed(await unary(clients.test, 'UnaryCall', largeRequest(), echoMetadata()));
    const stream = openDuplex(clients, echoMetadata());
    stream.call.write(ping(LARGE_REQUEST, LARGE_RESPONSE));
    assertZeros(await stream.next(), LARGE_RESPONSE);
    stream.call.end();
    assertEchoed(await stream.ended);
  },
};

module.exports = { cases, makeClients };
