// The cases; tests/foreign/python/cases.py has the same under the same names.
'use strict';

const crypto = require('node:crypto');
const { assert, decode, errorOf, expectError, grpc } = require('./harness');

const { INVALID_ARGUMENT, NOT_FOUND, UNIMPLEMENTED, DEADLINE_EXCEEDED, CANCELLED, UNAVAILABLE } = grpc.status;
const ULID = /^[0-9A-HJKMNP-TV-Z]{26}$/;

const idsOf = (answer) => answer.results.map((result) => result.id);
const linksOf = (memory) => memory.links.map((link) => [link.to, link.weight]).sort();
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function store_makes_an_id({ first, space }) {
  const stored = await first.store(space, 'a memory without a name');
  assert.match(stored.id, ULID);
  assert.equal(stored.space, space);
  assert.ok(stored.created, 'not marked as created');
  assert.ok(stored.version.sequence > 0, 'no version');
  assert.equal((await first.get(space, stored.id)).content, 'a memory without a name');
}

async function every_node_gives_back_what_was_stored({ clients, first, space }) {
  const stored = await first.store(space, 'every field is set', {
    id: 'whole', embedding: [1, 0.5, -0.25], tags: ['b', 'a'], metadata: { key: 'value', empty: '' }, confidence: 0.75,
    kind: 'KIND_SEMANTIC', links: [{ to: 'other', weight: 0.5 }, { to: 'third' }],
    occurred_at: { seconds: 1600000000, nanos: 123000000 },
  });
  for (const client of clients) {
    const got = await client.get(space, 'whole');
    assert.deepEqual([got.id, got.space, got.content], ['whole', space, 'every field is set']);
    assert.deepEqual(got.embedding, [1, 0.5, -0.25]);
    assert.deepEqual(got.tags.sort(), ['a', 'b']);
    assert.deepEqual({ ...got.metadata }, { key: 'value', empty: '' });
    assert.deepEqual([got.confidence, got.kind], [0.75, 'KIND_SEMANTIC']);
    assert.deepEqual(linksOf(got), [['other', 0.5], ['third', 1]]);
    assert.deepEqual({ ...got.occurred_at }, { seconds: 1600000000, nanos: 123000000 });
    assert.ok(got.updated_at.seconds > 1600000000, 'no updated_at');
    assert.deepEqual(got.version, stored.version);
  }
}

async function store_replaces_by_id({ clients, first, last, space }) {
  const before = await first.store(space, 'before', { id: 'x' });
  const after = await last.store(space, 'after', { id: 'x' });
  assert.deepEqual([before.created, after.created], [true, false]);
  assert.deepEqual(after.version.epoch, before.version.epoch);
  assert.ok(after.version.sequence > before.version.sequence, 'the version did not rise');
  for (const client of clients) assert.equal((await client.get(space, 'x')).content, 'after');
}

async function unicode_survives({ clients, first, space }) {
  const content = 'Žluťoučký kůň 🐎 — 馬は走る, naïve Œuvre';
  await first.store(space, content, { id: 'u', tags: ['štítek'], metadata: { 'clé': 'värde' } });
  for (const client of clients) {
    const got = await client.get(space, 'u');
    assert.deepEqual([got.content, got.tags, { ...got.metadata }], [content, ['štítek'], { 'clé': 'värde' }]);
    assert.deepEqual(idsOf(await client.recall(space, 'žluťoučký')), ['u']);
  }
}

async function recall_by_text({ clients, first, last, space }) {
  const texts = {
    pizza: 'a flat bread baked with tomatoes and cheese', soup: 'a liquid food of meat or vegetables',
    storm: 'violent weather with wind and thunder', cheese: 'a solid food made of milk',
  };
  for (const [id, text] of Object.entries(texts)) await first.store(space, text, { id });
  const answers = [];
  for (const client of clients) {
    const answer = await client.recall(space, 'tomato on baked bread', { limit: 3 });
    const [best] = answer.results;
    assert.deepEqual([best.id, best.space, best.content], ['pizza', space, texts.pizza]);
    assert.ok(best.why.text_rank === 1 && best.why.text_score > 0 && best.why.terms.length, 'no reason');
    assert.ok(best.score > 0 && best.confidence > 0 && best.confidence <= 1, 'score, confidence');
    assert.deepEqual([answer.coverage.asked, answer.coverage.answered, answer.confidence], [1, 1, 1]);
    answers.push(answer.results.map((result) => [result.id, result.score]));
  }
  for (const answer of answers) assert.deepEqual(answer, answers[0], 'nodes differ');
  assert.equal((await last.recall(space, 'food', { limit: 1 })).results.length, 1);
  assert.equal((await last.recall(space, 'xyzzy')).results.length, 0);
}

async function recall_by_embedding({ clients, first, space }) {
  const ways = { east: [1, 0, 0], north: [0, 1, 0], 'north-east': [0.7, 0.7, 0] };
  for (const [id, embedding] of Object.entries(ways)) await first.store(space, `the way ${id}`, { id, embedding });
  for (const client of clients) {
    const answer = await client.recall(space, '', { embedding: [0.9, 0.1, 0] });
    assert.deepEqual(idsOf(answer).slice(0, 2), ['east', 'north-east']);
    const { why } = answer.results[0];
    assert.equal(why.vector_rank, 1);
    assert.ok(why.vector_score > 0.99 && why.vector_score <= 1.0001, `cosine ${why.vector_score}`);
  }
}

async function recall_filters({ first, last, space }) {
  await first.store(space, 'red apple', { id: 'apple', tags: ['fruit', 'red'], metadata: { shop: '1' }, confidence: 0.9 });
  await first.store(space, 'red car', { id: 'car', tags: ['red'], metadata: { shop: '2' }, confidence: 0.4 });
  await first.store(space, 'red rule', { id: 'rule', kind: 'KIND_SEMANTIC', confidence: 0.6 });
  const found = async (filters) => idsOf(await last.recall(space, 'red', filters)).sort();
  assert.deepEqual(await found({}), ['apple', 'car', 'rule']);
  assert.deepEqual(await found({ tags: ['red'] }), ['apple', 'car']);
  assert.deepEqual(await found({ tags: ['red', 'fruit'] }), ['apple']);
  assert.deepEqual(await found({ metadata: { shop: '2' } }), ['car']);
  assert.deepEqual(await found({ kind: 'KIND_SEMANTIC' }), ['rule']);
  assert.deepEqual(await found({ min_confidence: 0.5 }), ['apple', 'rule']);
}

async function recall_over_several_spaces({ clients, first, space }) {
  const other = `${space}.other`;
  const missing = `${space}.missing`;
  await first.store(space, 'the kettle is blue', { id: 'a' });
  await first.store(other, 'the kettle is red', { id: 'b' });
  for (const client of clients) {
    const recall = (fields) => client.unary(client.memory, 'RecallMany', { query: 'kettle', ...fields });
    const spaces = [space, other, missing, other];
    let answer = await recall({ spaces });
    assert.deepEqual(answer.results.map((r) => [r.space, r.id]), [[space, 'a'], [other, 'b']]);
    assert.deepEqual([answer.coverage.asked, answer.coverage.answered], [3, 2]);
    assert.deepEqual(answer.coverage.missing.map((m) => [m.space, m.reason]), [[missing, 'no such space']]);
    await expectError(recall({ spaces, strict: true }), NOT_FOUND, 'NO_ASSIGNMENT');
    answer = await recall({ spaces: [`${space}*`] });
    assert.deepEqual([answer.coverage.asked, answer.results.length], [2, 2]);
  }
}

async function link_spreads_activation({ clients, first, last, space }) {
  await first.store(space, 'the lighthouse on the cliff', { id: 'lighthouse' });
  await first.store(space, 'a keeper named Ida', { id: 'keeper' });
  const linked = await last.link(space, 'lighthouse', 'keeper', { weight: 0.75 });
  assert.deepEqual([linked.space, linked.from, linked.to, linked.weight], [space, 'lighthouse', 'keeper', 0.75]);
  for (const client of clients) {
    assert.deepEqual(linksOf(await client.get(space, 'lighthouse')), [['keeper', 0.75]]);
    const answer = await client.recall(space, 'cliff');
    const keeper = answer.results.find((result) => result.id === 'keeper');
    assert.ok(keeper, `the linked memory was not recalled: ${idsOf(answer)}`);
    assert.equal(keeper.why.via, 'lighthouse');
    assert.ok(keeper.why.activation > 0, 'no activation');
  }
}

async function consolidate_makes_one_memory_of_each_group({ clients, first, last, space }) {
  await first.store(space, 'the lighthouse on the cliff is dark', { id: 'a' });
  await first.store(space, 'The lighthouse on the cliff is dark.', { id: 'b' });
  let holders = 0;
  for (const client of clients) {
    let parts;
    try {
      parts = await client.consolidate(space);
    } catch (error) {
      const detail = await expectError(Promise.reject(error), UNAVAILABLE, 'NO_LOCAL_DATA');
      assert.ok(detail.assignment.primary, 'no holder is named');
      continue;
    }
    holders += 1;
    const { totals } = parts.pop();
    assert.deepEqual(parts.map(({ group }) => group.sources.map((source) => source.id)), [['a', 'b']]);
    assert.deepEqual([totals.episodes, totals.created + totals.unchanged], [2, 1]);
    const made = await last.get(space, parts[0].group.id);
    assert.equal(made.kind, 'KIND_SEMANTIC');
    assert.deepEqual(made.links.map((link) => link.to).sort(), ['a', 'b']);
  }
  assert.ok(holders > 0, 'nobody holds the space');
}

async function forget_is_seen_everywhere({ clients, first, last, space }) {
  await first.store(space, 'soon forgotten', { id: 'gone' });
  await first.store(space, 'soon remembered', { id: 'stays' });
  const forgotten = await last.forget(space, 'gone');
  assert.deepEqual([forgotten.id, forgotten.space], ['gone', space]);
  for (const client of clients) {
    await expectError(client.get(space, 'gone'), NOT_FOUND, 'NOT_FOUND');
    assert.deepEqual(idsOf(await client.recall(space, 'soon')), ['stays']);
  }
}

async function stream_stores_each_by_its_own_space({ clients, last, space }) {
  const other = `${space}.other`;
  const stream = last.openStream();
  for (let i = 1; i <= 60; i += 1) {
    if (i === 7) stream.call.write({ space: 'Not A Space', content: 'bad name' });
    else if (i === 9) stream.call.write({ space, id: 'empty' });
    else stream.call.write({ space: i % 2 ? other : space, id: `m${i}`, content: `line ${i}` });
  }
  stream.call.end();
  const answer = await stream.answer;
  assert.deepEqual([answer.stored, answer.failed], [58, 2]);
  assert.deepEqual(answer.errors.map(({ line, error }) => [line, error.code]).sort((a, b) => a[0] - b[0]),
      [[7, 'INVALID_ARGUMENT'], [9, 'INVALID_ARGUMENT']]);
  const shares = {};
  for (const share of answer.shares) {
    assert.ok(share.node, 'a share without its node');
    shares[share.space] = (shares[share.space] || 0) + share.stored;
  }
  assert.deepEqual(shares, { [space]: 30, [other]: 28 });
  for (const client of clients) {
    assert.equal((await client.get(other, 'm59')).content, 'line 59');
    assert.equal((await client.get(space, 'm60')).content, 'line 60');
  }
}

async function empty_stream({ first }) {
  const stream = first.openStream();
  stream.call.end();
  const answer = await stream.answer;
  assert.deepEqual([answer.stored, answer.failed], [0, 0]);
}

async function bad_input_names_its_field({ clients, first, space }) {
  await first.store(space, 'fixes the dimension', { id: 'v', embedding: [1, 2, 3] });
  const cases = [
    ['space', (c) => c.store('No Capitals', 'x')],
    ['space', (c) => c.store('', 'x')],
    ['space', (c) => c.store('s'.repeat(129), 'x')],
    ['space', (c) => c.recall('a/b', 'x')],
    ['space', (c) => c.get('a b', 'x')],
    ['id', (c) => c.store(space, 'x', { id: 'no spaces' })],
    ['id', (c) => c.store(space, 'x', { id: 'i'.repeat(65) })],
    ['id', (c) => c.get(space, '')],
    ['content', (c) => c.store(space, '')],
    ['confidence', (c) => c.store(space, 'x', { confidence: 1.5 })],
    ['confidence', (c) => c.store(space, 'x', { confidence: NaN })],
    ['embedding', (c) => c.store(space, 'x', { embedding: [1, NaN, 0] })],
    ['embedding', (c) => c.store(space, 'x', { embedding: [1, Infinity, 0] })],
    ['embedding', (c) => c.store(space, 'x', { embedding: [0, 0, 0] })],
    ['embedding', (c) => c.store(space, 'x', { embedding: [1, 2] })],
    ['embedding', (c) => c.recall(space, '', { embedding: [1, 2] })],
    ['tags', (c) => c.store(space, 'x', { tags: [''] })],
    ['tags', (c) => c.store(space, 'x', { tags: Array.from({ length: 65 }, (_, i) => `t${i}`) })],
    ['metadata', (c) => c.store(space, 'x', { metadata: { k: 'v'.repeat(9000) } })],
    ['limit', (c) => c.recall(space, 'x', { limit: 0 })],
    ['limit', (c) => c.recall(space, 'x', { limit: 1001 })],
    ['weight', (c) => c.link(space, 'v', 'w', { weight: 2 })],
    ['weight', (c) => c.link(space, 'v', 'w', { weight: 0 })],
  ];
  for (const client of clients) {
    for (const [number, [field, action]] of cases.entries()) {
      await expectError(action(client), INVALID_ARGUMENT, 'INVALID_ARGUMENT', field).catch((error) => {
        assert.fail(`bad input ${number} (${field}) at ${client.address}: ${error.message}`);
      });
    }
  }
  assert.deepEqual(idsOf(await first.recall(space, 'x', { limit: 1000 })), [], 'memories stored by bad requests');
}

async function unknown_id_and_space({ clients, first, space }) {
  await first.store(space, 'the only one', { id: 'one' });
  const missing = `${space}.missing`;
  for (const client of clients) {
    const detail = await expectError(client.get(space, 'two'), NOT_FOUND, 'NOT_FOUND');
    assert.equal(detail.space, space);
    await expectError(client.link(space, 'one', 'two'), NOT_FOUND, 'NOT_FOUND');
    await expectError(client.get(missing, 'x'), NOT_FOUND, 'NO_ASSIGNMENT');
    await expectError(client.recall(missing, 'x'), NOT_FOUND, 'NO_ASSIGNMENT');
  }
  const listed = await first.unary(first.spaces, 'ListSpaces', { prefix: missing });
  assert.deepEqual(listed.spaces, [], 'spaces made by reading');
}

async function broken_message({ clients, space }) {
  const name = Buffer.from(space);
  const cutInSpace = Buffer.from('\x0a\x7fabc', 'latin1');
  const cutAfterSpace = Buffer.concat([Buffer.from([0x0a, name.length]), name, Buffer.from('\x1a\x40half', 'latin1')]);
  for (const client of clients) {
    for (const body of [cutInSpace, cutAfterSpace]) {
      await expectError(client.raw('/engram.v1.MemoryService/Store', body), INVALID_ARGUMENT, 'INVALID_ARGUMENT');
    }
  }
}

async function oversized_message({ clients, space }) {
  for (const client of clients) {
    await expectError(client.store(space, 'x'.repeat(5 << 20)), INVALID_ARGUMENT, 'INVALID_ARGUMENT');
    await client.store(space, 'the connection still works', { id: 'small' });
  }
}

async function large_message_passes({ clients, first, space }) {
  const content = '0123456789abcdef'.repeat(3 << 16);  // 3 MiB
  await first.store(space, content, { id: 'large' });
  for (const client of clients) assert.ok((await client.get(space, 'large')).content === content, 'content differs');
}

async function unimplemented_method({ first }) {
  for (const path of ['/engram.v1.MemoryService/Nothing', '/engram.v1.NoService/Get']) {
    assert.equal((await errorOf(first.raw(path, Buffer.alloc(0)))).code, UNIMPLEMENTED);
  }
}

async function deadline({ clients, space }) {
  for (const client of clients) {
    const start = Date.now();
    const stream = client.openStream(300);
    stream.call.write({ space, id: 'first', content: 'first of a stream that never ends' });
    const error = await errorOf(stream.answer);
    const waited = Date.now() - start;
    assert.equal(error.code, DEADLINE_EXCEEDED);
    assert.ok(waited > 250, `ended after ${waited} ms, the deadline was 300 ms`);
    const late = await errorOf(client.call(client.memory, 'Get', { space, id: 'x' }, { ms: -1 }));
    assert.equal(late.code, DEADLINE_EXCEEDED, 'status of a call without time');
    await client.store(space, 'the node is well', { id: 'after' });
  }
}

async function cancellation({ clients, space }) {
  for (const client of clients) {
    const stream = client.openStream();
    await new Promise((resolve) => {
      stream.call.write({ space, id: 'first', content: 'first of a stream that is cancelled' }, resolve);
    });
    // Until it has reached the node, so that it is the node that has something to end.
    while (await client.get(space, 'first').then(() => false, () => true)) await sleep(5);
    stream.call.cancel();
    assert.equal((await errorOf(stream.answer)).code, CANCELLED);
    for (let i = 0; i < 100; i += 1) {
      client.memory.Store({ space, id: 'many', content: 'cancelled in flight' }, () => {}).cancel();
    }
    await client.store(space, 'the node is well', { id: 'after' });
  }
}

async function served_by({ clients, first, space }) {
  const { nodes } = await first.unary(first.cluster, 'ListNodes', {});
  const servers = new Set();
  for (const client of clients) {
    const { trailing } = await client.call(client.memory, 'Store', { space, id: 'x', content: 'served by its primary' });
    servers.add(trailing.get('engram-served-by')[0]);
    assert.deepEqual(trailing.get('engram-degraded'), [], 'a whole cluster is not degraded');
  }
  assert.equal(servers.size, 1, `one space's writes were served by ${[...servers]}`);
  for (const server of servers) assert.ok(nodes.some((node) => node.id === server), `${server} is not a node`);
}

async function explain_tells_the_route({ clients, first, space }) {
  await first.store(space, 'the way here', { id: 'x' });
  const request = { space, id: 'x' };
  for (const client of clients) {
    const plain = await client.call(client.memory, 'Get', request);
    assert.deepEqual(plain.trailing.get('engram-route-bin'), [], 'a route that nobody asked for');
    const { trailing } = await client.call(client.memory, 'Get', request, { metadata: { 'engram-explain': '1' } });
    const [packed] = trailing.get('engram-route-bin');
    assert.ok(packed, 'no route');
    const { attempts } = decode('engram.v1.RouteTrace', packed);
    const last = attempts[attempts.length - 1];
    assert.deepEqual([last.outcome, last.node], ['ok', trailing.get('engram-served-by')[0]]);
  }
}

// 48 bits of milliseconds and 80 random ones in Crockford's base 32: a request id carries its time.
function newUlid() {
  let number = (BigInt(Date.now()) << 80n) | BigInt(`0x${crypto.randomBytes(10).toString('hex')}`);
  let text = '';
  for (let i = 0; i < 26; i += 1, number >>= 5n) text = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'[Number(number & 31n)] + text;
  return text;
}

async function request_id_has_one_effect({ clients, last, space }) {
  const ulid = newUlid();
  const answers = [];
  for (const client of [...clients, ...clients]) {
    const metadata = { 'engram-request-id': ulid };
    answers.push((await client.call(client.memory, 'Store', { space, content: 'told twice' }, { metadata })).response);
  }
  for (const answer of answers) {
    assert.equal(answer.id, answers[0].id);
    assert.deepEqual(answer.version, answers[0].version);
  }
  assert.equal((await last.recall(space, 'told')).results.length, 1);
}

async function foreign_metadata_is_ignored({ clients, space }) {
  const metadata = {
    'x-custom': 'value', 'x-custom-bin': Buffer.from(Array.from({ length: 256 }, (_, i) => i)), 'engram-hop': '7',
    'engram-route-version-bin': Buffer.from([0xff, 0xff]),
  };
  for (const client of clients) {
    await client.call(client.memory, 'Store', { space, id: 'x', content: 'with odd headers' }, { metadata });
  }
}

async function many_calls_at_once({ clients, first, space }) {
  for (let i = 0; i < 20; i += 1) await first.store(space, `number ${i}`, { id: `n${i}` });
  for (const client of clients) {
    const answers = await Promise.all(Array.from({ length: 500 }, (_, i) => client.get(space, `n${i % 20}`)));
    answers.forEach((answer, i) => assert.equal(answer.content, `number ${i % 20}`));
  }
}

async function nodes_agree_about_the_cluster({ clients, first, space }) {
  await first.store(space, 'somewhere', { id: 'a' });
  await first.store(space, 'anywhere', { id: 'b' });
  const seen = [];
  for (const client of clients) {
    const { nodes } = await client.unary(client.cluster, 'ListNodes', {});
    for (const node of nodes) assert.equal(node.state, 'NODE_STATE_ALIVE', node.id);
    const status = await client.unary(client.cluster, 'GetStatus', {});
    assert.ok(status.whole && !status.missing.length, 'nodes missing');
    assert.ok(nodes.some((node) => node.id === status.node_id), 'the node does not list itself');
    const { spaces } = await client.unary(client.spaces, 'ListSpaces', { prefix: space });
    assert.deepEqual(spaces.map((s) => [s.name, s.memories]), [[space, 2]]);
    const { primary } = await client.unary(client.cluster, 'ResolveRoute', { space });
    assert.equal(primary.id, spaces[0].assignment.primary);
    seen.push([status.cluster_id, nodes.map((node) => [node.id, node.address]).sort(), { ...primary }]);
  }
  for (const view of seen) assert.deepEqual(view, seen[0], 'nodes differ');
}

module.exports = {
  store_makes_an_id, every_node_gives_back_what_was_stored, store_replaces_by_id, unicode_survives, recall_by_text,
  recall_by_embedding, recall_filters, recall_over_several_spaces, link_spreads_activation,
  consolidate_makes_one_memory_of_each_group, forget_is_seen_everywhere,
  stream_stores_each_by_its_own_space, empty_stream, bad_input_names_its_field, unknown_id_and_space, broken_message,
  oversized_message, large_message_passes, unimplemented_method, deadline, cancellation, served_by,
  explain_tells_the_route, request_id_has_one_effect, foreign_metadata_is_ignored, many_calls_at_once,
  nodes_agree_about_the_cluster,
};
