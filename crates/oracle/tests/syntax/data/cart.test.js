const { total, Cart } = require('../cart');
const assert = require('assert');

test('adds', () => {
  expect(total([1, 2])).toBe(3);
});

describe('cart', function () {
  it('rejects a negative price', function () {
    assert.throws(() => new Cart().add(-1), /negative/);
  });
  it('keeps its items', (done) => {
    const cart = new Cart();
    cart.add(1);
    assert.deepStrictEqual(cart.items, [1]);
    done();
  });
});
