import { describe, it, expect, beforeEach } from 'vitest';
import { Cart, total } from '../src/cart';

const rates: Record<string, number> = { de: 19, fr: 20 };

function make(prices: number[]) {
  return prices.map((price) => ({ price }));
}

describe('cart', () => {
  let cart: Cart;

  beforeEach(() => {
    cart = new Cart(rates);
  });

  it('is empty at first', () => {
    expect(cart.items).toEqual([]);
    expect(total(cart.items)).toBe(0);
  });

  it.each([
    [[1, 2], 3],
    [[], 0],
  ])('adds %j', (prices, sum) => {
    expect(total(make(prices))).toBe(sum);
  });

  describe('tax', () => {
    it('is 19 % in Germany', async () => {
      cart.add(100);
      await expect(cart.tax('de')).resolves.toBeCloseTo(19, 5);
    });
  });
});
