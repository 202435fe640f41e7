// The report of a run of cases; also for tests/interop. Knows no service.
'use strict';

const assert = require('node:assert/strict');

// `cases`: name -> anything; `runCase(name, case)` runs one of those whose names contain `only`. The exit code of the
// program.
async function runCases(label, cases, only, runCase) {
  const chosen = Object.entries(cases).filter(([name]) => name.includes(only));
  let failed = 0;
  for (const [name, test] of chosen) {
    const start = Date.now();
    try {
      await runCase(name, test);
      console.log(`ok    ${name} (${Date.now() - start} ms)`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL  ${name}: ${error instanceof assert.AssertionError ? error.message : error.stack}`);
    }
  }
  console.log(`${label}: ${chosen.length - failed} of ${chosen.length} cases passed`);
  return failed || !chosen.length ? 1 : 0;
}

module.exports = { runCases };
