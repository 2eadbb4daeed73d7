use shop::{Cart, total};

mod common;

const RATES: [(&str, u32); 1] = [("de", 19)];

fn cart() -> Cart {
    Cart::new(&RATES)
}

#[test]
fn adds() {
    assert_eq!(total(&[1, 2]), 3, "two prices");
    assert_eq!(total(&[]), 0);
}

mod tax {
    use super::*;

    #[test]
    fn is_nineteen() {
        let tax = cart().tax(100.0);
        assert!((tax - 19.0).abs() < 1e-9);
    }
}

#[test]
#[should_panic(expected = "negative")]
fn rejects() {
    cart().add(-1);
}
