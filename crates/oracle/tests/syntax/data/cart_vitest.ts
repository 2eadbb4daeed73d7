export function total(prices: number[]): number {
  return prices.reduce((sum, price) => sum + price, 0);
}

if (import.meta.vitest) {
  const { it, expect } = import.meta.vitest;

  it('adds', () => {
    expect(total([1, 2])).toBe(3);
  });
}
