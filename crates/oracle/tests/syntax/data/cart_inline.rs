//! A cart.

/// Adds up.
///
/// ```
/// assert_eq!(shop::total(&[1, 2]), 3);
/// ```
pub fn total(prices: &[u32]) -> u32 {
    prices.iter().sum()
}

/// A cart.
pub struct Cart {
    items: Vec<u32>,
}

impl Cart {
    /// Adds one.
    pub fn add(&mut self, price: u32) {
        self.items.push(price);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds() {
        assert_eq!(total(&[1, 2]), 3);
    }

    #[test]
    fn nothing() {
        assert_eq!(total(&[]), 0);
    }
}
