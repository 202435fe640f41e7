// What the cases share: a client per node, and checks of errors.
'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');
const protobuf = require('protobufjs');
const { runCases } = require('./report');

const TIMEOUT_MS = 10000;
const PROTO_DIR = path.join(__dirname, '../../../proto');
const FILES = ['memory', 'spaces', 'cluster', 'error', 'common'].map((name) => `engram/v1/${name}.proto`);

const { engram } = grpc.loadPackageDefinition(protoLoader.loadSync(
    FILES, { includeDirs: [PROTO_DIR], keepCase: true, longs: Number, enums: String, defaults: true }));

// Messages that travel outside of requests and answers.
const root = new protobuf.Root();
root.resolvePath = (_, target) => (FILES.includes(target) ? path.join(PROTO_DIR, target) : target);
root.loadSync(FILES, { keepCase: true });

function decode(type, bytes) {
  const message = root.lookupType(type);
  return message.toObject(message.decode(bytes), { longs: Number, enums: String, defaults: true });
}

function makeMetadata(entries) {
  const metadata = new grpc.Metadata();
  for (const [name, value] of Object.entries(entries)) metadata.set(name, value);
  return metadata;
}

const inMs = (ms) => ({ deadline: new Date(Date.now() + ms) });

// One node, over one channel.
class Client {
  constructor(address) {
    this.address = address;
    const credentials = grpc.credentials.createInsecure();
    // Without this, grpc-js shares the connection of all clients with one address.
    const options = { 'grpc.use_local_subchannel_pool': 1 };
    this.memory = new engram.v1.MemoryService(address, credentials, options);
    this.spaces = new engram.v1.SpacesService(address, credentials, options);
    this.cluster = new engram.v1.ClusterService(address, credentials, options);
  }

  // {response, trailing}; rejects with the ServiceError.
  call(service, method, request, { metadata = {}, ms = TIMEOUT_MS } = {}) {
    return new Promise((resolve, reject) => {
      let response;
      const call = service[method](request, makeMetadata(metadata), inMs(ms), (error, answer) => {
        if (error) reject(error);
        response = answer;
      });
      call.on('status', (status) => status.code === grpc.status.OK && resolve({ response, trailing: status.metadata }));
    });
  }

  async unary(service, method, request) {
    return (await this.call(service, method, request)).response;
  }

  store(space, content, fields = {}) {
    return this.unary(this.memory, 'Store', { space, content, ...fields });
  }

  get(space, id) {
    return this.unary(this.memory, 'Get', { space, id });
  }

  recall(space, query, fields = {}) {
    return this.unary(this.memory, 'Recall', { space, query, ...fields });
  }

  link(space, from, to, fields = {}) {
    return this.unary(this.memory, 'Link', { space, from, to, ...fields });
  }

  forget(space, id) {
    return this.unary(this.memory, 'Forget', { space, id });
  }

  // All messages of the answer.
  consolidate(space) {
    return new Promise((resolve, reject) => {
      const parts = [];
      const call = this.memory.Consolidate({ space }, new grpc.Metadata(), inMs(TIMEOUT_MS));
      call.on('data', (part) => parts.push(part));
      call.on('error', reject);
      call.on('end', () => resolve(parts));
    });
  }

  // A client-streaming call whose end is `answer`.
  openStream(ms = TIMEOUT_MS) {
    const stream = {};
    stream.answer = new Promise((resolve, reject) => {
      stream.call = this.memory.StoreStream(new grpc.Metadata(), inMs(ms), (error, response) => {
        if (error) reject(error);
        else resolve(response);
      });
    });
    stream.answer.catch(() => {});  // whoever waits for it sees the error
    return stream;
  }

  // A unary call of any path with bytes as they are.
  raw(method, bytes) {
    const same = (buffer) => buffer;
    return new Promise((resolve, reject) => {
      this.memory.makeUnaryRequest(method, same, same, bytes, new grpc.Metadata(), inMs(TIMEOUT_MS),
          (error, response) => (error ? reject(error) : resolve(response)));
    });
  }
}

// The ServiceError that the promise ends with.
async function errorOf(promise) {
  try {
    await promise;
  } catch (error) {
    if (error.metadata) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: 'succeeded, an error was expected' });
}

// The ErrorDetail in grpc-status-details-bin, whose envelope is that of google.rpc.Status.
function detailOf(error) {
  const [packed] = error.metadata.get('grpc-status-details-bin');
  assert.ok(packed, `no grpc-status-details-bin with ${error.message}`);
  const status = decode('engram.v1.StatusDetails', packed);
  assert.equal(status.code, error.code, 'code within the details');
  assert.equal(status.message, error.details, 'message within the details');
  assert.equal(status.details.length, 1, 'number of details');
  assert.match(status.details[0].type_url, /\/engram\.v1\.ErrorDetail$/);
  return decode('engram.v1.ErrorDetail', status.details[0].value);
}

async function expectError(promise, code, detailCode, field) {
  const error = await errorOf(promise);
  assert.equal(grpc.status[error.code], grpc.status[code], `status (${error.details})`);
  assert.ok(error.details, 'the message is empty');
  const detail = detailOf(error);
  assert.equal(detail.code, `ERROR_CODE_${detailCode}`);
  if (field !== undefined) assert.equal(detail.field, field, `field (${error.details})`);
  return detail;
}

function run(cases, addresses, only) {
  const clients = addresses.map((address) => new Client(address));
  const prefix = `foreign.node.${Date.now().toString(16)}`;
  return runCases('node', cases, only, (name, test) => test(
      { clients, first: clients[0], last: clients[clients.length - 1], space: `${prefix}.${name}` }));
}

module.exports = { assert, decode, errorOf, expectError, grpc, run };
