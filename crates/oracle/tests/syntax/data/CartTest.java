package shop;

import static org.junit.jupiter.api.Assertions.*;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

class CartTest {
    private Cart cart;

    @BeforeEach
    void prepare() {
        cart = new Cart();
    }

    private int sum(int... prices) {
        return cart.total(prices);
    }

    @Test
    void adds() {
        assertEquals(3, sum(1, 2));
        assertEquals(0.57, cart.tax(), 1e-9);
    }

    @Nested
    class Empty {
        @Test
        void isZero() {
            assertEquals(0, sum());
        }
    }

    @Test
    void rejects() {
        assertThrows(IllegalArgumentException.class, () -> cart.add(-1));
    }
}
