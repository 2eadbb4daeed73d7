import test from 'node:test';
import assert from 'node:assert/strict';
import { total } from '../cart.mjs';

test('totals', async (t) => {
  await t.test('of nothing', () => {
    assert.equal(total([]), 0);
  });
  await t.test('of two', () => {
    assert.equal(total([1, 2]), 3);
  });
});
